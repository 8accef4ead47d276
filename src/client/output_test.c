#include "client/output.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/memory.h"
#include "unit.h"

enum { BIG = 20000 };

TEST(pieces_are_written_in_order_and_in_parts)
{
        static char           big[BIG], got[3 * BIG];
        struct output_pool    pool;
        struct output         output;
        struct transport     *ends[2];
        struct message_fields fields = { .topic = STR("t"), .payload = { big, sizeof big } };
        size_t                have   = 0;

        memset(big, 'x', sizeof big);
        EXPECT(memory_transport_pair(3000, ends));
        output_pool_init(&pool);
        output_init(&output, &pool);

        struct message *message = message_new(&fields);

        EXPECT(output_write(&output, STR("head")));
        EXPECT(output_refer(&output, message, message_payload(message)));
        EXPECT(output_write(&output, str_from(big, OUTPUT_CHUNK_BYTES + 1)));
        EXPECT_EQ(output.bytes, 4 + BIG + OUTPUT_CHUNK_BYTES + 1);
        message_put(message);
        while (output.bytes > 0) {
                EXPECT(output_flush(&output, ends[0]) > 0);
                if (output.bytes > 0)
                        EXPECT_EQ(output_flush(&output, ends[0]), -EAGAIN);

                ssize_t part = ends[1]->ops->read(ends[1], got + have, sizeof got - have);

                EXPECT(part > 0);
                have += (size_t)part;
        }
        EXPECT_EQ(have, 4 + BIG + OUTPUT_CHUNK_BYTES + 1);
        EXPECT(memcmp(got, "headxxx", 7) == 0);
        EXPECT(got[have - 1] == 'x');
        EXPECT_EQ(output_flush(&output, ends[0]), 0);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
        output_pool_deinit(&pool);
}

TEST(without_memory_it_has_failed)
{
        struct output_pool pool;
        struct output      output;

        output_pool_init(&pool);
        output_init(&output, &pool);
        mem_fail_after(0);
        EXPECT(!output_write(&output, STR("x")));
        mem_fail_after(-1);
        EXPECT(output.failed);
        EXPECT(!output_write(&output, STR("x")));
        output_drop(&output);
        output_pool_deinit(&pool);
}

SUITE(output, CASE(pieces_are_written_in_order_and_in_parts), CASE(without_memory_it_has_failed))
