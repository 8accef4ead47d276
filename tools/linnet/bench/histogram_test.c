#include "histogram.h"

#include "unit.h"

TEST(every_value_is_near_its_bucket)
{
        for (uint64_t value = 1; value < 1ull << 40; value += value / 7 + 1) {
                struct histogram h = { 0 };
                uint64_t         told;

                histogram_record(&h, value);
                histogram_record(&h, 1ull << 45);       /* so that the maximum does not help */
                told = histogram_quantile(&h, 0.5);
                EXPECT(told >= value && told - value <= value / 64);
        }
}

TEST(quantiles)
{
        struct histogram h = { 0 };

        EXPECT_EQ(histogram_quantile(&h, 0.5), 0);
        for (uint64_t value = 1; value <= 100; value++)
                histogram_record(&h, value);
        EXPECT_EQ(histogram_quantile(&h, 0.5), 50);
        EXPECT_EQ(histogram_quantile(&h, 0.9), 90);
        EXPECT_EQ(histogram_quantile(&h, 1), 100);
        EXPECT_EQ(histogram_quantile(&h, 0), 1);
        EXPECT_EQ(h.max, 100);
}

TEST(none_is_above_the_maximum)
{
        struct histogram h = { 0 };

        histogram_record(&h, 1000001);
        EXPECT_EQ(histogram_quantile(&h, 0.99), 1000001);
        histogram_record(&h, UINT64_MAX);
        EXPECT(histogram_quantile(&h, 1) == UINT64_MAX);
}

TEST(adding)
{
        struct histogram a = { 0 }, b = { 0 };

        histogram_record(&a, 10);
        histogram_record(&b, 20);
        histogram_record(&b, 30);
        histogram_add(&a, &b);
        EXPECT_EQ(a.count, 3);
        EXPECT_EQ(a.max, 30);
        EXPECT_EQ(histogram_quantile(&a, 0.6), 20);
}

SUITE(histogram, CASE(every_value_is_near_its_bucket), CASE(quantiles),
      CASE(none_is_above_the_maximum), CASE(adding))
