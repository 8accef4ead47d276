/* Random numbers: one generator to be reproduced, one not to be guessed. */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t rotate(uint64_t x, unsigned bits);

void random_init(struct random *random, uint64_t seed)
{
        /* splitmix64, as the authors advise: spreads any seed, and never makes four zeros. */
        for (unsigned i = 0; i < 4; i++) {
                uint64_t z = seed += 0x9e3779b97f4a7c15ull;

                z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
                z = (z ^ z >> 27) * 0x94d049bb133111ebull;
                random->state[i] = z ^ z >> 31;
        }
}

uint64_t random_u64(struct random *random)
{
        uint64_t *s      = random->state;
        uint64_t  result = rotate(s[1] * 5, 7) * 9;
        uint64_t  t      = s[1] << 17;

        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3]  = rotate(s[3], 45);
        return result;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
        assert(bound > 0);

        /* Lemire, 2019: the upper half of a product is below the bound; the few lower halves that
         * would make some results likelier than others are drawn again. */
        uint32_t uneven = -bound % bound;

        for (;;) {
                uint64_t product = (random_u64(random) >> 32) * bound;

                if ((uint32_t)product >= uneven)
                        return (uint32_t)(product >> 32);
        }
}

void random_secret(void *to, size_t size)
{
        for (size_t at = 0; at < size;) {
                ssize_t got = getrandom((char *)to + at, size - at, 0);

                if (got > 0) {
                        at += (size_t)got;
                } else if (errno != EINTR) {
                        perror("linnet: the kernel gives no random numbers");
                        abort();
                }
        }
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
        return x << bits | x >> (64 - bits);
}
