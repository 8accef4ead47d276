#include "services/auth/permissions.h"

#include "unit.h"

static const struct access_request client = {
        .client_id = { "c1", 2 }, .username = { "ann", 3 }, .has_username = true
};

static struct permissions *make(const char *text, const struct access_request *request)
{
        json_t             *json = json_loads(text, 0, NULL);
        const char         *why  = NULL;
        struct permissions *made = permissions_new(json, request, &why);

        EXPECT(json != NULL, "%s", text);
        EXPECT((made == NULL) == (why != NULL), "%s", text);
        json_decref(json);
        return made;
}

static bool allows(const struct permissions *permissions, const char *question)
{
        struct access_request request = { .kind = question[0] == 'p' ? ACCESS_PUBLISH
                                                                     : ACCESS_SUBSCRIBE };

        request.qos    = (uint8_t)(question[1] - '0');
        request.retain = question[2] == 'r';
        request.topic  = str_of(question + 4);
        return permissions_check(permissions, &request) == ACCESS_ALLOW;
}

struct row {
        const char *json;
        const char *question;           /* p or s, QoS, r or -, topic */
        bool        allowed;
};

static void expect_all(const struct row *rows, unsigned count)
{
        for (const struct row *row = rows; row < rows + count; row++) {
                struct permissions *made = make(row->json, &client);

                EXPECT(made != NULL, "%s", row->json);
                EXPECT_EQ(allows(made, row->question), row->allowed);
                permissions_free(made);
        }
}

TEST(lists_say_what_is_allowed)
{
        static const char lists[] = "{\"pub\":[\"p/+\",\"own/%c/${username}\"],\"sub\":[\"s/#\"],"
                                    "\"all\":\"both/x\"}";
        static const struct row rows[] = {
                { lists, "p0- p/1", true },
                { lists, "p2r p/1", true },
                { lists, "p0- p/1/2", false },
                { lists, "p0- s/1", false },
                { lists, "p0- own/c1/ann", true },
                { lists, "p0- own/c2/ann", false },
                { lists, "s1- s/1", true },
                { lists, "s1- s/+/#", true },
                { lists, "s1- s", true },
                { lists, "s1- #", false },
                { lists, "s1- +/1", false },
                { lists, "s1- p/1", false },
                { lists, "p0- both/x", true },
                { lists, "s0- both/x", true },
                { "{}", "p0- a", false },
                { "{\"pub\":[]}", "p0- a", false },
                { "{\"all\":[\"#\"]}", "p0- $SYS/x", false },
                { "{\"all\":[\"#\"]}", "s0- $SYS/#", false },
                { "{\"all\":[\"eq #\"]}", "s0- #", true },
                { "{\"all\":[\"eq #\"]}", "s0- a", false },
        };

        expect_all(rows, sizeof rows / sizeof rows[0]);
}

TEST(the_first_rule_that_matches_decides)
{
#define DENY(topic) "{\"permission\":\"deny\",\"action\":\"all\",\"topic\":\"" topic "\"},"
#define ALLOW_ALL   "{\"permission\":\"allow\",\"action\":\"all\",\"topics\":[\"#\",\"$SYS/#\"]}"
        static const struct row rows[] = {
                { "[]", "p0- a", false },
                { "[" ALLOW_ALL "]", "p0- a", true },
                { "[" DENY("x/#") ALLOW_ALL "]", "p0- x/1", false },
                { "[" DENY("x/#") ALLOW_ALL "]", "p0- y", true },
                { "[" DENY("x/#") ALLOW_ALL "]", "s0- x/1", false },
                { "[" DENY("x/#") ALLOW_ALL "]", "s0- #", false },      /* has it in it */
                { "[" DENY("x/#") ALLOW_ALL "]", "s0- +/1", false },
                { "[" DENY("x/1") ALLOW_ALL "]", "s0- +/+", false },
                { "[" DENY("x/1") ALLOW_ALL "]", "s0- +", true },
                { "[" DENY("x/1") ALLOW_ALL "]", "s0- x/1/#", false },
                { "[" DENY("x/1") ALLOW_ALL "]", "s0- x/2/#", true },
                { "[" DENY("$SYS/#") ALLOW_ALL "]", "s0- #", true },
                { "[" DENY("$SYS/#") ALLOW_ALL "]", "s0- $SYS/+", false },
                { "[" DENY("eq #") ALLOW_ALL "]", "s0- #", false },
                { "[" DENY("eq #") ALLOW_ALL "]", "s0- a/#", true },
                { "[" DENY("u/%u") ALLOW_ALL "]", "p0- u/ann", false },
                { "[" DENY("u/%u") ALLOW_ALL "]", "p0- u/bob", true },
        };

        expect_all(rows, sizeof rows / sizeof rows[0]);
#undef DENY
#undef ALLOW_ALL
}

TEST(a_rule_may_be_for_some_qos_or_retain_only)
{
#define RULE(more) "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\"" more "}]"
        static const struct row rows[] = {
                { RULE(""), "p2r a", true },
                { RULE(",\"qos\":1"), "p1- a", true },
                { RULE(",\"qos\":1"), "p0- a", false },
                { RULE(",\"qos\":[0,2]"), "p2- a", true },
                { RULE(",\"qos\":[0,2]"), "s1- a", false },
                { RULE(",\"retain\":false"), "p0r a", false },
                { RULE(",\"retain\":false"), "p0- a", true },
                { RULE(",\"retain\":true"), "p0- a", false },
                { RULE(",\"retain\":true"), "s0- a", true },
                { RULE(",\"retain\":\"all\""), "p0r a", true },
        };

        expect_all(rows, sizeof rows / sizeof rows[0]);
#undef RULE
}

TEST(what_is_not_understood_is_refused)
{
        static const char *const rows[] = {
                "[1]",
                "{\"publish\":[\"a\"]}",
                "{\"pub\":[1]}",
                "{\"pub\":{}}",
                "{\"pub\":[\"a#\"]}",
                "{\"pub\":[\"\"]}",
                "[{}]",
                "[{\"action\":\"all\",\"topic\":\"a\"}]",
                "[{\"permission\":\"allow\",\"topic\":\"a\"}]",
                "[{\"permission\":\"allow\",\"action\":\"all\"}]",
                "[{\"permission\":\"perhaps\",\"action\":\"all\",\"topic\":\"a\"}]",
                "[{\"permission\":\"allow\",\"action\":\"read\",\"topic\":\"a\"}]",
                "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"qos\":3}]",
                "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"qos\":[]}]",
                "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"retain\":1}]",
                "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"ip\":\"::1\"}]",
                "[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"topics\":[]}]",
        };
        const char *const *row;

        EACH(rows, row)
                EXPECT(make(*row, &client) == NULL, "%s", *row);
}

/* CVE-2017-7650: a client that calls itself # must not get what is for everybody. */
TEST(a_name_with_wildcards_is_no_level)
{
        static const char *const names[] = { "#", "+", "a/b", "", "a+" };
        const char *const       *name;

        EACH(names, name)
        {
                struct access_request sly  = { .client_id = str_of(*name) };
                struct permissions   *made = make("{\"all\":[\"own/%c\",\"x\"]}", &sly);
                char                  question[64];

                snprintf(question, sizeof question, "p0- own/%s", *name);
                EXPECT(made != NULL && !allows(made, question) && !allows(made, "s0- own/#") &&
                       !allows(made, "p0- own/x"));
                EXPECT(allows(made, "p0- x"));
                permissions_free(made);
                EXPECT(make("[{\"permission\":\"deny\",\"action\":\"all\",\"topic\":\"%c/x\"}]",
                            &sly) == NULL);
        }
}

TEST(a_name_is_no_topic_of_the_brokers_own)
{
        static const char     lists[] = "{\"sub\":[\"%c/#\",\"${clientid}/x\",\"own/%c\"]}";
        struct access_request sly     = { .client_id = STR("$SYS") };
        struct permissions   *made    = make(lists, &sly);

        EXPECT(made != NULL && !allows(made, "s0- $SYS/#") && !allows(made, "s0- $SYS/x"));
        EXPECT(allows(made, "s0- own/$SYS"));
        permissions_free(made);
        made = make("{\"sub\":[\"$SYS/%c\"]}", &client);
        EXPECT(made != NULL && allows(made, "s0- $SYS/c1"));
        permissions_free(made);
}

/* Who has no user name has none of what is for its user name. */
TEST(who_has_no_name_has_no_place)
{
        const struct access_request nobody = { .client_id = { "c1", 2 } };
        struct permissions         *made   = make("{\"all\":[\"u/%u\"]}", &nobody);

        EXPECT(made != NULL && !allows(made, "p0- u/") && !allows(made, "p0- u/%u"));
        permissions_free(made);
}

TEST(there_are_not_too_many)
{
        json_t              *rules = json_array();
        json_t              *lists = json_pack("{s:o}", "pub", rules);
        struct permissions  *made;
        const char          *why;

        for (unsigned i = 0; i < PERMISSIONS_MAX; i++)
                json_array_append_new(rules, json_string("a"));
        made = permissions_new(lists, &client, &why);
        EXPECT(made != NULL);
        permissions_free(made);
        json_array_append_new(rules, json_string("a"));
        EXPECT(permissions_new(lists, &client, &why) == NULL);
        json_decref(lists);
}

SUITE(permissions, CASE(lists_say_what_is_allowed), CASE(the_first_rule_that_matches_decides),
      CASE(a_rule_may_be_for_some_qos_or_retain_only), CASE(what_is_not_understood_is_refused),
      CASE(a_name_with_wildcards_is_no_level),
      CASE(a_name_is_no_topic_of_the_brokers_own), CASE(who_has_no_name_has_no_place),
      CASE(there_are_not_too_many))
