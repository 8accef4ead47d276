#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "unit.h"

#include <string.h>

TEST(an_empty_buffer_holds_nothing)
{
        struct buffer buffer = { 0 };

        EXPECT_EQ(buffer_len(&buffer), 0);
        EXPECT_EQ(buffer_str(&buffer).len, 0);
        EXPECT(buffer_append(&buffer, (struct str){ 0 }));
        EXPECT(buffer_reserve(&buffer, 0));
        buffer_consume(&buffer, 0);
        EXPECT(buffer.bytes == NULL);
        buffer_deinit(&buffer);
}

TEST(bytes_come_out_as_they_went_in)
{
        struct buffer buffer = { 0 };

        EXPECT(buffer_append(&buffer, STR("hello ")));
        EXPECT(buffer_append(&buffer, STR("wor\0ld")));
        EXPECT(str_eq(buffer_str(&buffer), STR("hello wor\0ld")));
        buffer_consume(&buffer, 6);
        EXPECT(str_eq(buffer_str(&buffer), STR("wor\0ld")));
        buffer_consume(&buffer, 6);
        EXPECT_EQ(buffer_len(&buffer), 0);
        EXPECT_EQ(buffer.start, 0);             /* what is empty begins anew */
        buffer_deinit(&buffer);
        EXPECT(buffer.bytes == NULL && buffer.size == 0);
}

TEST(printf_fits_any_length)
{
        static const int lengths[] = { 0, 1, 255, 256, 257, 5000 };
        const int       *len;
        char             wanted[5001];
        struct buffer    buffer = { 0 };

        EACH(lengths, len) {
                memset(wanted, 'x', sizeof wanted);
                EXPECT(buffer_append(&buffer, STR("<")));
                EXPECT(buffer_printf(&buffer, "%.*s>", *len, wanted));
                EXPECT_EQ(buffer_len(&buffer), *len + 2);
                EXPECT(buffer_str(&buffer).ptr[0] == '<');
                EXPECT(memcmp(buffer_str(&buffer).ptr + 1, wanted, (size_t)*len) == 0);
                EXPECT(buffer_str(&buffer).ptr[*len + 1] == '>');
                buffer_consume(&buffer, (size_t)*len + 2);
        }
        buffer_deinit(&buffer);
}

TEST(without_memory_nothing_changes)
{
        struct buffer buffer = { 0 };
        char          large[1000] = { 0 };

        EXPECT(buffer_append(&buffer, STR("kept")));
        buffer_consume(&buffer, 1);
        mem_fail_after(0);
        EXPECT(!buffer_append(&buffer, str_from(large, sizeof large)));
        EXPECT(!buffer_printf(&buffer, "%1000d", 1));
        EXPECT(!buffer_reserve(&buffer, 1000));
        EXPECT(buffer_append(&buffer, STR("!")));       /* this one has room */
        mem_fail_after(-1);
        EXPECT(!buffer_reserve(&buffer, SIZE_MAX));
        EXPECT(!buffer_reserve(&buffer, SIZE_MAX / 2 + 2));
        EXPECT(str_eq(buffer_str(&buffer), STR("ept!")));
        buffer_deinit(&buffer);
}

/* A queue that never holds more than `held` bytes must not grow with what has passed through it. */
TEST(consumed_bytes_give_their_room_back)
{
        static const size_t held[] = { 1, 63, 64, 1000, 4095, 4097 };
        const size_t       *most;
        static const char   bytes[512];

        EACH(held, most) {
                struct buffer buffer = { 0 };

                for (unsigned i = 0; i < 20000; i++) {
                        EXPECT(buffer_append(&buffer, str_from(bytes, 1 + i % sizeof bytes)));
                        if (buffer_len(&buffer) > *most)
                                buffer_consume(&buffer, buffer_len(&buffer) - *most);
                }
                EXPECT(buffer.size <= 4 * (*most + sizeof bytes) + 64, "%zu for %zu", buffer.size,
                       *most);
                buffer_deinit(&buffer);
        }
}

/* Bytes are numbered as they go in; each must come out as the next number. */
TEST(random_use_keeps_the_order)
{
        struct random random;
        struct buffer buffer = { 0 };
        uint64_t      in = 0, out = 0;

        random_init(&random, 7);
        for (unsigned round = 0; round < 20000; round++) {
                char     bytes[300];
                uint32_t count = random_below(&random, sizeof bytes);

                if (random_below(&random, 2) == 0) {
                        for (uint32_t i = 0; i < count; i++)
                                bytes[i] = (char)(in++ % 251);
                        EXPECT(buffer_append(&buffer, str_from(bytes, count)));
                        continue;
                }

                struct str shown = buffer_str(&buffer);

                EXPECT_EQ(shown.len, in - out);
                if (count > shown.len)
                        count = (uint32_t)shown.len;
                for (uint32_t i = 0; i < count; i++)
                        EXPECT_EQ((uint8_t)shown.ptr[i], out++ % 251);
                buffer_consume(&buffer, count);
        }
        buffer_deinit(&buffer);
}

SUITE(buffer, CASE(an_empty_buffer_holds_nothing), CASE(bytes_come_out_as_they_went_in),
      CASE(printf_fits_any_length), CASE(without_memory_nothing_changes),
      CASE(consumed_bytes_give_their_room_back), CASE(random_use_keeps_the_order))
