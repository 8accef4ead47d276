#include "base/bucket.h"
#include "unit.h"

TEST(a_burst_then_the_rate)
{
        const struct rate rate   = { .per_second = 10, .burst = 3 };
        struct bucket     bucket = { 0 };

        for (unsigned i = 0; i < 3; i++)
                EXPECT(bucket_take(&bucket, rate, 1, 5000));
        EXPECT(!bucket_take(&bucket, rate, 1, 5000));
        EXPECT(!bucket_take(&bucket, rate, 1, 5099));
        EXPECT(bucket_take(&bucket, rate, 1, 5100));
        EXPECT(!bucket_take(&bucket, rate, 1, 5100), "what was refused cost nothing, and no more");

        /* Full again, and no fuller however long nobody took any. */
        EXPECT(bucket_take(&bucket, rate, 3, 9000000));
        EXPECT(!bucket_take(&bucket, rate, 1, 9000000));
}

TEST(more_than_a_burst_is_never_there)
{
        const struct rate rate   = { .per_second = 1000, .burst = 3 };
        struct bucket     bucket = { 0 };

        EXPECT(!bucket_take(&bucket, rate, 4, 1000));
        EXPECT(bucket_take(&bucket, rate, 3, 1000));
}

TEST(a_charge_may_make_a_debt)
{
        const struct rate rate   = { .per_second = 10, .burst = 5 };
        struct bucket     bucket = { 0 };

        EXPECT_EQ(bucket_charge(&bucket, rate, 5, 1000), 0);
        EXPECT_EQ(bucket_charge(&bucket, rate, 1, 1000), 100);
        EXPECT_EQ(bucket_charge(&bucket, rate, 10, 1050), 1050);
        EXPECT_EQ(bucket_charge(&bucket, rate, 0, 2099), 1);
        EXPECT_EQ(bucket_charge(&bucket, rate, 0, 2100), 0);
        EXPECT_EQ(bucket_charge(&bucket, rate, 1, 2100), 100);
}

TEST(no_rate_is_no_limit)
{
        const struct rate rate   = { 0, 0 };
        struct bucket     bucket = { 0 };

        EXPECT(bucket_take(&bucket, rate, UINT32_MAX, 1));
        EXPECT_EQ(bucket_charge(&bucket, rate, UINT32_MAX, 1), 0);
}

TEST(the_greatest_numbers_do_not_wrap)
{
        static const struct rate rates[] = {
                { 1, UINT32_MAX }, { UINT32_MAX, 1 }, { UINT32_MAX, UINT32_MAX }, { 1, 1 }
        };
        const uint64_t     now_ms = 100ull * 365 * 86400 * 1000;
        const struct rate *rate;

        EACH(rates, rate) {
                struct bucket bucket = { 0 };

                EXPECT(bucket_take(&bucket, *rate, rate->burst, now_ms));
                EXPECT(rate->per_second > 1 || !bucket_take(&bucket, *rate, 1, now_ms));
                EXPECT(bucket_charge(&bucket, *rate, UINT32_MAX, now_ms) > 0);
        }
}

SUITE(bucket, CASE(a_burst_then_the_rate), CASE(more_than_a_burst_is_never_there),
      CASE(a_charge_may_make_a_debt), CASE(no_rate_is_no_limit),
      CASE(the_greatest_numbers_do_not_wrap))
