#include "services/auth/template.h"

#include "unit.h"

static const struct access_request request = {
        .kind         = ACCESS_PUBLISH,
        .client_id    = { "c&1", 3 },
        .username     = { "ann", 3 },
        .has_username = true,
        .address      = { "::1", 3 },
        .topic        = { "a/b c", 5 },
        .qos          = 1,
};

TEST(values_come_into_their_places)
{
        static const struct row {
                const char          *text, *expected;
                template_write      *write;
                enum template_result result;
        } rows[] = {
                { "", "", template_plain, TEMPLATE_GOOD },
                { "plain", "plain", template_plain, TEMPLATE_GOOD },
                { "%c", "c&1", template_plain, TEMPLATE_GOOD },
                { "<%u|%c>", "<ann|c&1>", template_plain, TEMPLATE_GOOD },
                { "${username}/${clientid}", "ann/c&1", template_plain, TEMPLATE_GOOD },
                { "%c %t %a", "c%261 a%2Fb%20c %3A%3A1", template_url, TEMPLATE_GOOD },
                { "%A${action}${qos}${retain}%r", "2publish1falsemqtt", template_plain,
                  TEMPLATE_GOOD },
                { "%%u%%", "%u%", template_plain, TEMPLATE_GOOD },
                { "%x %", "%x %", template_plain, TEMPLATE_GOOD },
                { "${what}${username", "${what}${username", template_plain, TEMPLATE_GOOD },
                { "%u%P", "ann", template_plain, TEMPLATE_LACKS },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct buffer to = { 0 };

                EXPECT_EQ(template_expand(str_of(row->text), &request, row->write, &to),
                          row->result);
                EXPECT(str_eq(buffer_str(&to), str_of(row->expected)), "%s: %.*s", row->text,
                       STR_ARGS(buffer_str(&to)));
                buffer_deinit(&to);
        }
}

TEST(a_place_is_found_by_either_name)
{
        EXPECT(template_has(STR("a/%u"), 'u'));
        EXPECT(template_has(STR("a/${username}/b"), 'u'));
        EXPECT(!template_has(STR("a/%%u/%c"), 'u'));
        EXPECT(!template_has(STR(""), 'u'));
}

/* A value is never looked at for places. */
TEST(values_are_not_templates)
{
        struct access_request sly = { .client_id = { "%P${password}", 13 }, .has_password = true,
                                      .password = { "secret", 6 } };
        struct buffer         to  = { 0 };

        EXPECT_EQ(template_expand(STR("%c"), &sly, template_plain, &to), TEMPLATE_GOOD);
        EXPECT(str_eq(buffer_str(&to), STR("%P${password}")));
        buffer_deinit(&to);
}

SUITE(template, CASE(values_come_into_their_places), CASE(a_place_is_found_by_either_name),
      CASE(values_are_not_templates))
