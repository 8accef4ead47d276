#include "services/auth/secret.h"

#include <openssl/crypto.h>

bool secret_equal(struct str kept, struct str given)
{
        return kept.len == given.len && CRYPTO_memcmp(kept.ptr, given.ptr, kept.len) == 0;
}
