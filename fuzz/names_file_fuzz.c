/* A file of passwords or SCRAM verifiers: what is taken is a name without a colon, and a secret
 * that keeps to its bounds; what is refused has a reason that names its line. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mqtt/utf8.h"
#include "services/auth/names_file.h"
#include "services/auth/scram_secret.h"
#include "services/auth/secret.h"

static const char *take(void *context, struct str name, struct str value, unsigned line)
{
        struct secret       secret;
        struct scram_secret scram;
        const char         *wrong = secret_parse(value, &secret);

        (void)context;
        assert(line > 0 && name.len > 0 && value.len > 0 && utf8_valid(name));
        assert(memchr(name.ptr, ':', name.len) == NULL);
        if (wrong == NULL) {
                assert(secret.salt_len <= SECRET_SALT_MAX && secret.hash_len <= SECRET_HASH_MAX);
                assert(secret.memory_kib <= 262144 && secret.rounds <= 10000000);
        }
        if (scram_secret_parse(value, &scram) == NULL)
                assert(scram.rounds >= SCRAM_ROUNDS_MIN && scram.rounds <= SCRAM_ROUNDS_MAX &&
                       scram.salt_len > 0 && scram.salt_len <= SCRAM_SALT_MAX);
        return value.len == 7 ? "seven" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char why[AUTH_WHY_SIZE] = "";

        if (!names_file_parse(str_from(data, size), "file", take, NULL, why))
                assert(strncmp(why, "file:", 5) == 0);
        return 0;
}
