#include "sequence.h"

#include "numbers.h"
#include "streams.h"
#include "unit.h"

/* One verdict a number: N(ext), A(head), L(ate), D(uplicate). */
static void check(struct sequence *s, const uint32_t *numbers, const char *verdicts)
{
        static const char letters[] = {
                [SEQUENCE_NEXT] = 'N', [SEQUENCE_AHEAD] = 'A',
                [SEQUENCE_LATE] = 'L', [SEQUENCE_DUPLICATE] = 'D',
        };

        for (unsigned i = 0; verdicts[i] != '\0'; i++)
                EXPECT_EQ(letters[sequence_take(s, numbers[i])], verdicts[i]);
}

TEST(in_order)
{
        struct sequence s = { 0 };

        check(&s, (const uint32_t[]){ 0, 1, 2, 3 }, "NNNN");
        EXPECT_EQ(s.missing, 0);
}

TEST(lost_late_and_twice)
{
        struct sequence s = { 0 };

        check(&s, (const uint32_t[]){ 0, 0, 3, 3, 1, 1, 4, 0 }, "NDADLDND");
        EXPECT_EQ(s.missing, 1);         /* 2 */
        check(&s, (const uint32_t[]){ 2, 2 }, "LD");
        EXPECT_EQ(s.missing, 0);
}

TEST(what_is_long_ago)
{
        struct sequence s = { 0 };

        check(&s, (const uint32_t[]){ 0, 200, 100, 1000 }, "NALA");
        EXPECT_EQ(s.missing, 1000 - 3);
        check(&s, (const uint32_t[]){ 937, 937, 936 }, "LDL");
        s.missing = 0;
        check(&s, (const uint32_t[]){ 5 }, "D");
}

TEST(numbers_wrap)
{
        struct sequence s;

        sequence_begin(&s, UINT32_MAX - 1);
        check(&s, (const uint32_t[]){ UINT32_MAX - 1, UINT32_MAX, 0, 2, 1, UINT32_MAX }, "NNNALD");
        EXPECT_EQ(s.missing, 0);
}

TEST(streams_begin_where_they_are_met)
{
        struct streams streams = { 0 };

        for (unsigned round = 0; round < 3; round++) {
                for (uint64_t key = 0; key < 1000; key++) {
                        uint32_t         number = (uint32_t)key + 7 + round;
                        struct sequence *s      = streams_find(&streams, key << 32, number);

                        EXPECT(s);
                        EXPECT_EQ(sequence_take(s, number), SEQUENCE_NEXT);
                }
        }
        EXPECT_EQ(streams.count, 1000);
        streams_deinit(&streams);
}

TEST(a_set_of_numbers)
{
        struct numbers numbers = { 0 };

        for (uint32_t i = 0; i < 5000; i++)
                EXPECT(numbers_add(&numbers, i * 7 % 5000));
        for (uint32_t i = 0; i < 5000; i++)
                EXPECT(!numbers_add(&numbers, i));
        EXPECT(numbers_add(&numbers, 5000));
        EXPECT(numbers_add(&numbers, 10000000));
        EXPECT(numbers_add(&numbers, 9999999));
        numbers_deinit(&numbers);
}

SUITE(sequence, CASE(in_order), CASE(lost_late_and_twice), CASE(what_is_long_ago),
      CASE(numbers_wrap), CASE(streams_begin_where_they_are_met),
      CASE(a_set_of_numbers))
