/* xoshiro256** (Blackman and Vigna, 2018): reproducible from its seed, not for secrets. */
#ifndef LINNET_BASE_RANDOM_H
#define LINNET_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
        uint64_t state[4];
};

void     random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
uint32_t random_below(struct random *random, uint32_t bound);   /* 0 .. bound - 1; bound > 0 */

/* Fills `to` from the kernel's generator: for keys and identifiers that must not be guessed.
 * Stops the process when the kernel has none to give. */
void random_secret(void *to, size_t size);

#endif
