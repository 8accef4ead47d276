#include "base/base64.h"

#include "base/memory.h"
#include "unit.h"

TEST(bytes_are_text)
{
        static const struct row {
                struct str  bytes;
                const char *text;
        } rows[] = {
                { { "", 0 }, "" },
                { { "f", 1 }, "Zg==" },
                { { "fo", 2 }, "Zm8=" },
                { { "foo", 3 }, "Zm9v" },
                { { "foob", 4 }, "Zm9vYg==" },
                { { "fooba", 5 }, "Zm9vYmE=" },
                { { "foobar", 6 }, "Zm9vYmFy" },
                { { "\377\376\375\0\373", 5 }, "//79APs=" },
        };
        const struct row *row;
        struct buffer     text = { .bytes = NULL };

        EACH(rows, row) {
                buffer_consume(&text, buffer_len(&text));
                EXPECT(base64_append(&text, row->bytes));
                EXPECT(str_eq(buffer_str(&text), str_of(row->text)), "%.*s, not %s",
                       STR_ARGS(buffer_str(&text)), row->text);
        }
        buffer_deinit(&text);
        mem_fail_after(0);
        EXPECT(!base64_append(&text, STR("x")), "without memory");
        mem_fail_after(-1);
}

TEST(text_is_bytes)
{
        static const struct row {
                const char *text;
                bool        good;
                struct str  bytes;
        } rows[] = {
                { "", true, { "", 0 } },
                { "Zg==", true, { "f", 1 } },
                { "Zg", true, { "f", 1 } },
                { "Zm8=", true, { "fo", 2 } },
                { "Zm8", true, { "fo", 2 } },
                { "Zm9vYmFy", true, { "foobar", 6 } },
                { "//79APs=", true, { "\377\376\375\0\373", 5 } },
                { "Zm9vYmFyYg==", false, { NULL, 0 } },         /* seven bytes, for six */
                { "Z", false, { NULL, 0 } },
                { "=", false, { NULL, 0 } },
                { "====", false, { NULL, 0 } },
                { "Zg=", false, { NULL, 0 } },
                { "Zh==", false, { NULL, 0 } },                 /* bits beyond the byte */
                { "Zm9v\n", false, { NULL, 0 } },
                { "Zm-v", false, { NULL, 0 } },
        };
        const struct row *row;

        EACH(rows, row) {
                uint8_t bytes[6];
                size_t  len;

                EXPECT(base64_decode(str_of(row->text), bytes, sizeof bytes, &len) == row->good,
                       "%s", row->text);
                EXPECT(!row->good || str_eq(str_from(bytes, len), row->bytes), "%s", row->text);
        }
}

SUITE(base64, CASE(bytes_are_text), CASE(text_is_bytes))
