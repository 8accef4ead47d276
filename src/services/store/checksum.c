#include "services/store/checksum.h"

#include <string.h>
#include <xxhash.h>

/* The key's hash is the value's seed. */
static XXH64_hash_t sum_of(enum engine_table table, struct str key, struct str value)
{
        return XXH3_64bits_withSeed(value.ptr, value.len,
                                    XXH3_64bits_withSeed(key.ptr, key.len, (XXH64_hash_t)table));
}

void checksum_write(enum engine_table table, struct str key, struct str value,
                    char to[static CHECKSUM_SIZE])
{
        XXH64_canonical_t canonical;

        XXH64_canonicalFromHash(&canonical, sum_of(table, key, value));
        memcpy(to, canonical.digest, CHECKSUM_SIZE);
}

bool checksum_fits(enum engine_table table, struct str key, struct str value,
                   const char sum[static CHECKSUM_SIZE])
{
        char expected[CHECKSUM_SIZE];

        checksum_write(table, key, value, expected);
        return memcmp(expected, sum, CHECKSUM_SIZE) == 0;
}
