#include "services/auth/base64url.h"

#include "unit.h"

TEST(only_the_one_form_is_taken)
{
        static const struct row {
                const char *text;
                struct str  bytes;              /* ptr NULL: refused */
        } rows[] = {
                { "", { "", 0 } },
                { "AA", { "\0", 1 } },
                { "Zm9v", { "foo", 3 } },
                { "Zm9vYg", { "foob", 4 } },
                { "Zm9vYmE", { "fooba", 5 } },
                { "-_8", { "\xfb\xff", 2 } },
                { "A", { NULL, 0 } },
                { "Zm9vY", { NULL, 0 } },
                { "Zm9vYg==", { NULL, 0 } },
                { "+/8", { NULL, 0 } },
                { "Zm9v\n", { NULL, 0 } },
                { "AB", { NULL, 0 } },          /* four bits too many */
                { "Zm9vYmF", { NULL, 0 } },     /* two */
                { "Zm.v", { NULL, 0 } },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct buffer to = { 0 };

                EXPECT(buffer_append(&to, STR("<")));
                EXPECT_EQ(base64url_decode(str_of(row->text), &to), row->bytes.ptr != NULL);
                EXPECT_EQ(buffer_len(&to), 1 + row->bytes.len);
                EXPECT(str_eq(str_skip(buffer_str(&to), 1), row->bytes), "%s", row->text);
                buffer_deinit(&to);
        }
}

SUITE(base64url, CASE(only_the_one_form_is_taken))
