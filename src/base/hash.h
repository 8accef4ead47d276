/* SipHash-1-3 (Aumasson and Bernstein, 2012; the 1-3 rounds variant used by hash tables): a keyed
 * hash, so that a peer who chooses names cannot choose where they fall. */
#ifndef LINNET_BASE_HASH_H
#define LINNET_BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

struct hash_key {
        uint64_t k0, k1;
};

uint64_t hash_str(const struct hash_key *key, struct str bytes);

/* Spreads an integer key (the finaliser of MurmurHash3). */
static inline uint64_t hash_u64(uint64_t x)
{
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccdull;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53ull;
        return x ^ x >> 33;
}

#endif
