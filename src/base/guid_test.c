#include "base/guid.h"
#include "base/limits.h"
#include "base/random.h"
#include "unit.h"

#include <string.h>

TEST(texts_are_those_of_emqttd)
{
        static const struct row {
                struct guid guid;
                const char *hex, *base62;
        } rows[] = {
                { { 0, 0 }, "0", "0" },
                { { 0, 1 }, "1", "1" },
                { { 0, 61 }, "3D", "z" },
                { { 0, 62 }, "3E", "10" },
                { { 1, 0 }, "10000000000000000", "LygHa16AHYG" },
                { { 0x5b4c3a2918070, 0xdeadbeef00010002 },
                  "5B4C3A2918070DEADBEEF00010002",
                  "2bfzptl9s4eqpj2TXKh0" },
                { { UINT64_MAX, UINT64_MAX },
                  "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
                  "7n42DGM5Tflk9n8mt7Fhc7" },
        };
        const struct row *row;

        EACH(rows, row) {
                char        hex[GUID_HEX_SIZE], base62[GUID_BASE62_SIZE];
                struct guid back = { 7, 7 };

                EXPECT_EQ(guid_hex(row->guid, hex), strlen(row->hex));
                EXPECT(strcmp(hex, row->hex) == 0, "%s, not %s", hex, row->hex);
                EXPECT_EQ(guid_base62(row->guid, base62), strlen(row->base62));
                EXPECT(strcmp(base62, row->base62) == 0, "%s, not %s", base62, row->base62);
                EXPECT(guid_from_base62(str_of(base62), &back), "%s", base62);
                EXPECT_EQ(guid_compare(back, row->guid), 0);
        }
}

TEST(other_texts_are_refused)
{
        static const struct str rows[] = {
                { 0 },
                STR(""),
                STR("00"),
                STR("01"),
                STR("a-b"),
                STR("a b"),
                STR("a\0"),
                STR("\xc3\xa4"),
                STR("@"),
                STR("["),
                STR("`"),
                STR("{"),
                STR("/"),
                STR(":"),
                STR("7n42DGM5Tflk9n8mt7Fhc8"),          /* 2^128 */
                STR("zzzzzzzzzzzzzzzzzzzzzz"),
                STR("10000000000000000000000"),         /* too long */
        };
        const struct str *row;

        EACH(rows, row) {
                struct guid out = { 7, 7 };

                EXPECT(!guid_from_base62(*row, &out), "%.*s", STR_ARGS(*row));
                EXPECT(out.time_us == 7 && out.origin == 7, "%.*s", STR_ARGS(*row));
        }
}

TEST(base62_goes_round)
{
        struct random random;

        random_init(&random, 3);
        for (unsigned i = 0; i < 10000; i++) {
                struct guid guid = { random_u64(&random) >> random_below(&random, 64),
                                     random_u64(&random) >> random_below(&random, 64) };
                struct guid back;
                char        text[GUID_BASE62_SIZE];

                guid_base62(guid, text);
                EXPECT(guid_from_base62(str_of(text), &back) && guid_compare(guid, back) == 0,
                       "%s", text);
        }
}

/* What the clock says, and what the generator makes of it, one call after the other. */
TEST(identifiers_ascend_whatever_the_clock_does)
{
        static const struct row {
                uint64_t wall_us, time_us;
                unsigned sequence;
        } rows[] = {
                { 1000, 1000, 0 },              /* emqttd, too, begins with 0 */
                { 1000, 1000, 1 },
                { 1001, 1001, 2 },
                { 5, 1001, 3 },                 /* stepped back */
                { 1001, 1001, 4 },
                { 2000, 2000, 5 },
        };
        const struct row  *row;
        struct guid_source source;

        guid_source_init(&source, STR("linnet@127.0.0.1"), 0);
        EACH(rows, row) {
                struct guid guid = guid_next(&source, row->wall_us);

                EXPECT_EQ(guid.time_us, row->time_us);
                EXPECT_EQ(guid.origin & 0xffff, row->sequence);
                EXPECT_EQ(guid.origin >> 16, source.node);
        }
}

TEST(the_sequence_wraps_and_order_stays)
{
        static const int64_t steps[] = { 0, 1, -1, -100000 };
        const int64_t       *step;

        EACH(steps, step) {
                struct guid_source source;
                uint64_t           wall_us = 1000000000000;

                guid_source_init(&source, STR("n"), 3);

                struct guid last = guid_next(&source, wall_us);

                for (unsigned i = 0; i < 200000; i++) {
                        struct guid next = guid_next(&source, wall_us += (uint64_t)*step);

                        EXPECT(guid_compare(last, next) < 0, "%u at step %d", i, (int)*step);
                        EXPECT(guid_compare(next, last) > 0);
                        last = next;
                }
        }
}

TEST(a_clock_at_zero_is_no_exception)
{
        struct guid_source source;
        struct guid        last = { 0, 0 };

        guid_source_init(&source, STR("n"), 0);
        for (unsigned i = 0; i < 100; i++) {
                struct guid next = guid_next(&source, 0);

                EXPECT(guid_compare(last, next) < 0);
                last = next;
        }
}

TEST(nodes_and_shards_differ)
{
        static const struct str names[] = { STR("linnet@a"), STR("linnet@b"), STR(""), { 0 } };
        uint64_t                seen[3 * SHARDS_MAX];
        unsigned                count = 0;

        for (unsigned name = 0; name < 3; name++) {
                for (unsigned shard = 0; shard < SHARDS_MAX; shard++) {
                        struct guid_source source;

                        guid_source_init(&source, names[name], shard);
                        EXPECT(source.node >> 48 == 0);
                        for (unsigned i = 0; i < count; i++)
                                EXPECT(seen[i] != source.node, "%u and %u", i, count);
                        seen[count++] = source.node;
                }
        }
        /* The shard is in the process's part only. */
        EXPECT_EQ(seen[0] >> 32, seen[SHARDS_MAX - 1] >> 32);
}

SUITE(guid, CASE(texts_are_those_of_emqttd), CASE(other_texts_are_refused), CASE(base62_goes_round),
      CASE(identifiers_ascend_whatever_the_clock_does), CASE(the_sequence_wraps_and_order_stays),
      CASE(a_clock_at_zero_is_no_exception), CASE(nodes_and_shards_differ))
