#include "services/auth/json_text.h"

#include "unit.h"

TEST(what_is_no_bounded_object_is_refused)
{
        static const struct row {
                const char *text;
                bool        good;
        } rows[] = {
                { "{}", true },
                { "{\"a\":{\"b\":[1,2]}}", true },
                { "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\"}", true },
                { "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}", true },
                { "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", true },
                { "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", false },
                { "{\"a\":\"\\\\\",\"b\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", false },
                { "{\"a\":1,\"a\":2}", false },
                { "{\"b\":{\"a\":1,\"a\":2}}", false },
                { "{\"a\":\"\\u0000\"}", false },
                { "{\"a\":\"\xff\"}", false },
                { "{\"a\":1} x", false },
                { "[1]", false },
                { "1", false },
                { "", false },
                { "{", false },
                { "{\"0123456789\":\"0123456789012345678901234567890\"}", false },
        };
        const struct row *row;

        EACH(rows, row)
        {
                const char *why;
                json_t     *object = json_text_object(str_of(row->text), 45, &why);

                EXPECT((object != NULL) == row->good, "%s: %s", row->text, why != NULL ? why : "");
                EXPECT((why == NULL) == row->good);
                json_decref(object);
        }
}

TEST(a_member_is_a_string_or_nothing)
{
        const char *why;
        json_t     *object = json_text_object(STR("{\"a\":\"x\",\"b\":1}"), 100, &why);

        EXPECT(object != NULL);
        EXPECT(str_eq(json_text_str(object, "a"), STR("x")));
        EXPECT(json_text_str(object, "b").ptr == NULL);
        EXPECT(json_text_str(object, "c").ptr == NULL);
        json_decref(object);
}

SUITE(json_text, CASE(what_is_no_bounded_object_is_refused), CASE(a_member_is_a_string_or_nothing))
