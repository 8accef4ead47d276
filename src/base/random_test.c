#include "base/random.h"
#include "unit.h"

#include <string.h>

TEST(numbers_are_those_of_the_paper)
{
        /* xoshiro256** from the state 1 2 3 4. */
        static const uint64_t expected[] = { 11520,
                                             0,
                                             1509978240,
                                             1215971899390074240,
                                             1216172134540287360,
                                             607988272756665600 };
        struct random         random     = { { 1, 2, 3, 4 } };
        const uint64_t       *number;

        EACH(expected, number)
                EXPECT_EQ(random_u64(&random), *number);
}

TEST(seeds_are_spread)
{
        static const struct row {
                uint64_t seed, state, first;
        } rows[] = {
                { 0, 0xe220a8397b1dcdafull, 0x99ec5f36cb75f2b4ull },
                { 1, 0x910a2dec89025cc1ull, 0xb3f2af6d0fc710c5ull },
                { 0xdeadbeef, 0x4adfb90f68c9eb9bull, 0xc5555444a74d7e83ull },
        };
        const struct row *row;

        EACH(rows, row) {
                struct random random;

                random_init(&random, row->seed);
                EXPECT_EQ(random.state[0], row->state);
                EXPECT_EQ(random_u64(&random), row->first);
        }
}

TEST(below_stays_below_and_reaches_all)
{
        static const uint32_t bounds[] = { 1, 2, 3, 6, 7, 100 };
        const uint32_t       *bound;
        struct random         random;

        random_init(&random, 1);
        EACH(bounds, bound) {
                unsigned count[100] = { 0 }, draws = *bound * 1000;

                for (unsigned i = 0; i < draws; i++) {
                        uint32_t got = random_below(&random, *bound);

                        EXPECT(got < *bound, "%u of %u", got, *bound);
                        count[got]++;
                }
                for (unsigned i = 0; i < *bound; i++)   /* 1000 each, give or take 6 sigma */
                        EXPECT(count[i] > 800 && count[i] < 1200, "%u: %u of %u", i, count[i],
                               draws);
        }
        EXPECT(random_below(&random, UINT32_MAX) < UINT32_MAX);
}

TEST(a_bound_that_does_not_divide_is_even)
{
        /* Of three quarters of all numbers, a plain product would give every third twice. */
        struct random random;
        unsigned      third[3] = { 0 };

        random_init(&random, 2);
        for (unsigned i = 0; i < 30000; i++)
                third[random_below(&random, 3u << 30) % 3]++;
        for (unsigned i = 0; i < 3; i++)
                EXPECT(third[i] > 9500 && third[i] < 10500, "%u: %u", i, third[i]);
}

TEST(secrets_fill_and_differ)
{
        static const size_t sizes[] = { 1, 16, 256, 1000 };
        const size_t       *size;
        char                a[1001], b[1001];

        EACH(sizes, size) {
                memset(a, 0, sizeof a);
                random_secret(a, *size);
                EXPECT_EQ(a[*size], 0);
        }
        random_secret(a, 1000);
        random_secret(b, 1000);
        EXPECT(memcmp(a, b, 1000) != 0);
        EXPECT(memcmp(a + 984, b + 984, 16) != 0);      /* to the end */
        random_secret(NULL, 0);
}

SUITE(random, CASE(numbers_are_those_of_the_paper), CASE(seeds_are_spread),
      CASE(below_stays_below_and_reaches_all), CASE(a_bound_that_does_not_divide_is_even),
      CASE(secrets_fill_and_differ))
