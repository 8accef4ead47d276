#include "base64.h"

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

SUITE(base64, CASE(bytes_are_text))
