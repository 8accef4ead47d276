#include "services/acl/rules.h"

#include "unit.h"

/* emqttd 2's own. */
static const char stock[] =
        "%%--------------------------------------------------------------------\n"
        "%% -type(who() :: all | binary() |\n"
        "%%                {ipaddr, esockd_access:cidr()} |\n"
        "\n"
        "{allow, {user, \"dashboard\"}, subscribe, [\"$SYS/#\"]}.\n"
        "{allow, {ipaddr, \"127.0.0.1\"}, pubsub, [\"$SYS/#\", \"#\"]}.\n"
        "{deny, all, subscribe, [\"$SYS/#\", {eq, \"#\"}]}.\n"
        "{allow, all}.\n";

static const char example[] =
        "# This affects access control for clients with no username.\n"
        "topic read $SYS/#\n"
        "\n"
        "user roger\n"
        "topic foo/bar\n"
        "topic  read   with blanks/#\n"
        "topic readwrite deep/#\n"
        "topic deny deep/hole\n"
        "user ann lee\r\n"
        "topic write x\r\n"
        "# This affects all clients.\n"
        "pattern write $SYS/broker/connection/%c/state\n"
        "pattern read home/%u/#\n"
        "pattern deny home/%u/no\n";

static struct acl_rules *parse(const char *text, enum acl_format format)
{
        char              why[ACL_WHY_SIZE] = "";
        struct acl_rules *rules = acl_rules_parse("acl.conf", str_of(text), format, why);

        EXPECT(rules != NULL, "%s", why);
        return rules;
}

/* One question: 'p' publish, 's' subscribe, 'd' deliver. */
struct row {
        char                act;
        const char         *user, *client, *address, *topic;
        enum access_verdict verdict;
        bool                partly;
        unsigned            qos;
        bool                retain;
};

static struct access_request request_of(const struct row *row)
{
        return (struct access_request){
                .kind         = row->act == 'p'   ? ACCESS_PUBLISH
                                : row->act == 's' ? ACCESS_SUBSCRIBE
                                                  : ACCESS_DELIVER,
                .client_id    = str_of(row->client != NULL ? row->client : "c"),
                .username     = str_of(row->user),
                .has_username = row->user != NULL,
                .address      = str_of(row->address != NULL ? row->address : "192.0.2.1"),
                .topic        = str_of(row->topic),
                .qos          = (uint8_t)row->qos,
                .retain       = row->retain,
        };
}

static void expect_rows(struct acl_rules *rules, const struct row *rows, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                const struct row     *row     = &rows[i];
                struct access_request request = request_of(row);
                enum access_verdict   verdict = acl_rules_check(rules, &request, true);

                EXPECT(verdict == row->verdict && request.partly == row->partly,
                       "row %zu: %c %s: %d, partly %d", i, row->act, row->topic, verdict,
                       request.partly);
        }
        acl_rules_put(rules);
}

#define EXPECT_ROWS(text, format, rows)                                                            \
        expect_rows(parse(text, format), rows, sizeof(rows) / sizeof((rows)[0]))

TEST(the_stock_file_of_emqttd)
{
        static const struct row rows[] = {
                { 's', "dashboard", .topic = "$SYS/#", .verdict = ACCESS_ALLOW },
                { 's', "dashboard", .topic = "#", .verdict = ACCESS_DENY },
                { 's', .topic = "$SYS/#", .verdict = ACCESS_DENY },
                { 's', .topic = "$SYS/brokers", .verdict = ACCESS_DENY },
                { 's', .topic = "#", .verdict = ACCESS_DENY },
                { 's', .topic = "+/#", .verdict = ACCESS_ALLOW },
                { 's', .topic = "a/#", .verdict = ACCESS_ALLOW },
                { 's', .address = "127.0.0.1", .topic = "#", .verdict = ACCESS_ALLOW },
                { 's', .address = "127.0.0.1", .topic = "$SYS/x", .verdict = ACCESS_ALLOW },
                { 's', .address = "127.0.0.2", .topic = "#", .verdict = ACCESS_DENY },
                { 'p', .topic = "a", .verdict = ACCESS_ALLOW },
        };

        EXPECT_ROWS(stock, ACL_AUTO, rows);
}

TEST(the_example_of_mosquitto)
{
        static const struct row rows[] = {
                { 's', .topic = "$SYS/x", .verdict = ACCESS_ALLOW },
                { 'd', .topic = "$SYS/x", .verdict = ACCESS_ALLOW },
                { 'p', .topic = "$SYS/x", .verdict = ACCESS_IGNORE },
                { 's', .topic = "#", .verdict = ACCESS_IGNORE },
                { 's', "roger", .topic = "$SYS/x", .verdict = ACCESS_IGNORE },
                { 'p', "roger", .topic = "foo/bar", .verdict = ACCESS_ALLOW },
                { 's', "roger", .topic = "foo/bar", .verdict = ACCESS_ALLOW },
                { 's', "roger", .topic = "foo/+", .verdict = ACCESS_ALLOW, .partly = true },
                { 'd', "roger", .topic = "foo/bar", .verdict = ACCESS_ALLOW },
                { 'd', "roger", .topic = "foo/baz", .verdict = ACCESS_IGNORE },
                { 's', "roger", .topic = "with blanks/#", .verdict = ACCESS_ALLOW },
                { 'p', "roger", .topic = "with blanks/x", .verdict = ACCESS_IGNORE },
                { 's', "roger", .topic = "deep/#", .verdict = ACCESS_ALLOW, .partly = true },
                { 's', "roger", .topic = "deep/hole", .verdict = ACCESS_DENY },
                { 'd', "roger", .topic = "deep/hole", .verdict = ACCESS_DENY },
                { 'd', "roger", .topic = "deep/end", .verdict = ACCESS_ALLOW },
                { 'p', "ann lee", .topic = "x", .verdict = ACCESS_ALLOW },
                { 's', "ann lee", .topic = "x", .verdict = ACCESS_IGNORE },
                { 'p', .client = "b", .topic = "$SYS/broker/connection/b/state",
                  .verdict = ACCESS_ALLOW },
                { 'p', .client = "b", .topic = "$SYS/broker/connection/c/state",
                  .verdict = ACCESS_IGNORE },
                { 's', "ann", .topic = "home/ann/#", .verdict = ACCESS_ALLOW, .partly = true },
                { 'd', "ann", .topic = "home/ann/no", .verdict = ACCESS_DENY },
                { 's', .topic = "home/%u/#", .verdict = ACCESS_IGNORE },
                { 's', "#", .topic = "home/#", .verdict = ACCESS_IGNORE },
                { 's', "+", .topic = "home/+/#", .verdict = ACCESS_IGNORE },
                { 'p', "ann", .client = "+", .topic = "$SYS/broker/connection/+/state",
                  .verdict = ACCESS_IGNORE },
        };

        EXPECT_ROWS(example, ACL_AUTO, rows);
}

TEST(who_a_rule_is_for)
{
        static const char text[] =
                "{allow, {user, all}, publish, [\"named\"]}.\n"
                "{allow, {client, \"x\"}, publish, \"client\"}.\n"
                "{allow, {clientid, <<\"y\">>}, publish, <<\"client\">>}.\n"
                "{allow, {username, \"ann\"}, publish, all}.\n"
                "{allow, {ipaddr, \"10.0.0.0/8\"}, publish, [\"net\"]}.\n"
                "{allow, {ipaddrs, [\"fe80::/10\", \"::1\"]}, publish, [\"net\"]}.\n"
                "{allow, {'and', [{user, \"bob\"}, {ipaddr, \"10.1.1.1/24\"}]}, all, [\"both\"]}.\n"
                "{allow, {'or', [{user, \"bob\"}, {'and', [{client, \"q\"},"
                " {'or', [{user, \"eve\"}, {client, \"r\"}]}]}]}, pubsub, [\"either\"]}.\n"
                "{deny, {client, all}}.\n";
        static const struct row rows[] = {
                { 'p', "joe", .topic = "named", .verdict = ACCESS_ALLOW },
                { 'p', .topic = "named", .verdict = ACCESS_DENY },
                { 'p', .client = "x", .topic = "client", .verdict = ACCESS_ALLOW },
                { 'p', .client = "y", .topic = "client", .verdict = ACCESS_ALLOW },
                { 'p', .client = "z", .topic = "client", .verdict = ACCESS_DENY },
                { 'p', "ann", .topic = "any", .verdict = ACCESS_ALLOW },
                { 's', "ann", .topic = "any", .verdict = ACCESS_DENY },
                { 'p', .address = "10.9.9.9", .topic = "net", .verdict = ACCESS_ALLOW },
                { 'p', .address = "11.9.9.9", .topic = "net", .verdict = ACCESS_DENY },
                { 'p', .address = "fe80::7", .topic = "net", .verdict = ACCESS_ALLOW },
                { 'p', .address = "::1", .topic = "net", .verdict = ACCESS_ALLOW },
                { 'p', .address = "::2", .topic = "net", .verdict = ACCESS_DENY },
                { 'p', .address = "nonsense", .topic = "net", .verdict = ACCESS_DENY },
                { 's', "bob", .address = "10.1.1.7", .topic = "both", .verdict = ACCESS_ALLOW },
                { 's', "bob", .address = "10.1.2.7", .topic = "both", .verdict = ACCESS_DENY },
                { 's', "eve", .address = "10.1.1.7", .topic = "both", .verdict = ACCESS_DENY },
                { 's', "bob", .topic = "either", .verdict = ACCESS_ALLOW },
                { 's', "eve", .client = "q", .topic = "either", .verdict = ACCESS_ALLOW },
                { 's', "eve", .client = "s", .topic = "either", .verdict = ACCESS_DENY },
        };

        EXPECT_ROWS(text, ACL_AUTO, rows);
}

TEST(filters_topics_and_placeholders)
{
        static const char text[] =
                "{deny, all, subscribe, [\"a/secret/#\", {eq, \"a/one\"}, {eq, \"e/+\"}]}.\n"
                "{deny, all, publish, [\"no/%u\", \"#/\"]}.\n";
        static const char good[] =
                "{deny, all, subscribe, [\"a/secret/#\", {eq, \"a/one\"}, {eq, \"e/+\"}]}.\n"
                "{deny, all, publish, [\"no/%u\"]}.\n"
                "{deny, {user, \"x\"}, all, [\"#\"]}.\n"
                "{allow, all, all, [\"a/#\", \"e/#\", \"no/+\", \"c/%c\", \"50%u/x\","
                " \"p-${clientid}/#\", \"%a/x\", \"%c\"]}.\n"
                "{allow, all, subscribe, [{eq, \"q/+\"}]}.\n";
        static const struct row rows[] = {
                { 's', .topic = "a/#", .verdict = ACCESS_ALLOW, .partly = true },
                { 's', .topic = "a/+", .verdict = ACCESS_ALLOW, .partly = true },
                { 's', .topic = "a/+/+", .verdict = ACCESS_ALLOW, .partly = true },
                { 's', .topic = "a/b/#", .verdict = ACCESS_ALLOW },
                { 's', .topic = "a/secret", .verdict = ACCESS_DENY },
                { 's', .topic = "a/secret/+/x", .verdict = ACCESS_DENY },
                { 's', .topic = "a/one", .verdict = ACCESS_DENY },
                { 's', .topic = "a", .verdict = ACCESS_ALLOW },
                { 's', .topic = "#", .verdict = ACCESS_IGNORE, .partly = true },
                { 's', .topic = "+/+", .verdict = ACCESS_IGNORE, .partly = true },
                { 's', .topic = "e/+", .verdict = ACCESS_DENY },
                { 's', .topic = "e/#", .verdict = ACCESS_ALLOW },
                { 'd', .topic = "e/x", .verdict = ACCESS_ALLOW },
                { 'd', .topic = "a/secret/x", .verdict = ACCESS_DENY },
                { 'd', .topic = "a/one", .verdict = ACCESS_DENY },
                { 'd', .topic = "elsewhere", .verdict = ACCESS_ALLOW },
                { 's', .topic = "q/+", .verdict = ACCESS_ALLOW },
                { 's', .topic = "q/1", .verdict = ACCESS_IGNORE },
                { 's', "x", .topic = "$SYS/a", .verdict = ACCESS_DENY },
                { 'p', "ann", .topic = "no/ann", .verdict = ACCESS_DENY },
                { 'p', "ann", .topic = "no/bob", .verdict = ACCESS_ALLOW },
                { 'p', "an+", .topic = "no/bob", .verdict = ACCESS_DENY },
                { 'p', .topic = "no/bob", .verdict = ACCESS_DENY },
                { 'p', .topic = "c/c", .verdict = ACCESS_ALLOW },
                { 'p', .topic = "c/d", .verdict = ACCESS_IGNORE },
                { 's', .topic = "c/+", .verdict = ACCESS_IGNORE },
                { 's', .client = "+", .topic = "c/+", .verdict = ACCESS_IGNORE },
                { 's', .client = "x/y", .topic = "c/x/y", .verdict = ACCESS_IGNORE },
                { 'p', "u", .topic = "50%u/x", .verdict = ACCESS_ALLOW },
                { 'p', "u", .topic = "50u/x", .verdict = ACCESS_IGNORE },
                { 'p', .topic = "p-c/x/y", .verdict = ACCESS_ALLOW },
                { 'p', .topic = "p-d/x/y", .verdict = ACCESS_IGNORE },
                { 'p', .topic = "192.0.2.1/x", .verdict = ACCESS_ALLOW },
                { 's', .client = "mine", .topic = "mine", .verdict = ACCESS_ALLOW },
                { 's', .client = "$SYS", .topic = "$SYS", .verdict = ACCESS_IGNORE },
        };
        char why[ACL_WHY_SIZE];

        EXPECT(acl_rules_parse("acl.conf", STR(text), ACL_EMQTTD, why) == NULL);
        EXPECT_ROWS(good, ACL_EMQTTD, rows);
}

TEST(conditions_of_an_action)
{
        static const char text[] =
                "{allow, all, {publish, [{qos, 1}, {retain, false}]}, [\"a\"]}.\n"
                "{allow, all, {all, [{qos, [0, 2]}]}, [\"b\"]}.\n"
                "{allow, all, {publish, [{retain, true}]}, [\"r\"]}.\n";
        static const struct row rows[] = {
                { 'p', .topic = "a", .qos = 1, .verdict = ACCESS_ALLOW },
                { 'p', .topic = "a", .qos = 0, .verdict = ACCESS_IGNORE },
                { 'p', .topic = "a", .qos = 1, .retain = true, .verdict = ACCESS_IGNORE },
                { 's', .topic = "a", .qos = 1, .verdict = ACCESS_IGNORE },
                { 's', .topic = "b", .qos = 2, .verdict = ACCESS_ALLOW },
                { 's', .topic = "b", .qos = 1, .verdict = ACCESS_IGNORE },
                { 'p', .topic = "r", .qos = 1, .retain = true, .verdict = ACCESS_ALLOW },
                { 'p', .topic = "r", .qos = 1, .verdict = ACCESS_IGNORE },
        };

        EXPECT_ROWS(text, ACL_AUTO, rows);
}

/* Nothing is taken away because an address is not known. */
TEST(who_is_away_has_no_address)
{
        static const char text[] = "{deny, {ipaddr, \"10.0.0.0/8\"}, subscribe, [\"a\"]}.\n"
                                   "{allow, all, subscribe, [\"b\"]}.\n"
                                   "{allow, {ipaddr, \"10.0.0.0/8\"}, subscribe, [\"%a/#\"]}.\n";
        struct acl_rules *rules = parse(text, ACL_AUTO);
        static const struct {
                const char         *topic;
                enum access_verdict verdict;
                bool                unsure;
        } rows[] = { { "a", ACCESS_ALLOW, true },
                     { "b", ACCESS_ALLOW, false },
                     { "10.0.0.1/x", ACCESS_ALLOW, true } };

        for (size_t i = 0; i < 3; i++) {
                struct access_request request = { .kind      = ACCESS_SUBSCRIBE,
                                                  .client_id = STR("c"),
                                                  .topic     = str_of(rows[i].topic),
                                                  .review    = true,
                                                  .away      = true };

                EXPECT_EQ(acl_rules_check(rules, &request, true), rows[i].verdict);
                EXPECT_EQ(request.unsure, rows[i].unsure);
        }
        acl_rules_put(rules);
}

TEST(without_looking_at_deliveries)
{
        struct acl_rules     *rules   = parse(example, ACL_MOSQUITTO);
        struct access_request request = { .kind      = ACCESS_SUBSCRIBE,
                                          .client_id = STR("c"),
                                          .username  = STR("roger"),
                                          .has_username = true,
                                          .topic     = STR("foo/+") };

        EXPECT_EQ(acl_rules_check(rules, &request, false), ACCESS_IGNORE);
        request.topic = STR("deep/#");
        EXPECT_EQ(acl_rules_check(rules, &request, false), ACCESS_ALLOW);
        EXPECT(!request.partly);
        acl_rules_put(rules);
}

TEST(mistakes_are_told_with_their_place)
{
        static const struct {
                enum acl_format format;
                const char     *text, *why;
        } rows[] = {
                { ACL_EMQTTD, "{allow, all}", "acl.conf:1:13: the file ends here; a full stop" },
                { ACL_EMQTTD, "{allow, all}.\n  {permit, all}.", "acl.conf:2:4: \"permit\"" },
                { ACL_EMQTTD, "{allow, any}.", "acl.conf:1:9: \"any\" is out of place; all, or" },
                { ACL_EMQTTD, "{allow, {user, {re, \"^x\"}}}.", "acl.conf:1:16: \"{\" is out of "
                              "place; a name is wanted: regular expressions are not supported" },
                { ACL_EMQTTD, "{allow, all, sub, [\"a\"]}.", "acl.conf:1:14: \"sub\" is out of" },
                { ACL_EMQTTD, "{allow, all, publish, [\"a#\"]}.", "acl.conf:1:24: \"a#\" is no" },
                { ACL_EMQTTD, "{allow, all, publish, []}.", "acl.conf:1:25: \"}\" is out" },
                { ACL_EMQTTD, "{allow, all, publish, [\"a", "acl.conf:1:24: the quote is not" },
                { ACL_EMQTTD, "{allow, {ipaddr, \"1.2.3\"}}.", "acl.conf:1:18: \"1.2.3\" is" },
                { ACL_EMQTTD, "{allow, {'and', []}}.", "acl.conf:1:19: \"}\" is out of place" },
                { ACL_EMQTTD, "{allow, all}. $", "acl.conf:1:15: this sign has no meaning" },
                { ACL_EMQTTD, "topic read a", "acl.conf:1:1: \"topic\" is out of place; a rule" },
                { ACL_EMQTTD, "{allow, all, {publish, [{qos, 3}]}, [\"a\"]}.",
                              "acl.conf:1:31: \"3\" is out of place; 0, 1 or 2" },
                { ACL_MOSQUITTO, "topic\n", "acl.conf:1:6: the topic is missing" },
                { ACL_MOSQUITTO, "\ntopic reed a\n", "acl.conf:2:7: \"reed\" is no access" },
                { ACL_MOSQUITTO, "topic read a/#/b", "acl.conf:1:12: \"a/#/b\" is no topic" },
                { ACL_MOSQUITTO, " user ", "acl.conf:1:6: the name of the user is missing" },
                { ACL_MOSQUITTO, "{allow, all}.", "acl.conf:1:1: \"{allow,\" begins no line" },
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char why[ACL_WHY_SIZE] = "";

                EXPECT(acl_rules_parse("acl.conf", str_of(rows[i].text), rows[i].format, why) ==
                       NULL, "%s", rows[i].text);
                EXPECT(str_starts(str_of(why), str_of(rows[i].why)), "%s", why);
        }
}

TEST(depth_and_counts_have_bounds)
{
        char text[4096] = "{allow, ", why[ACL_WHY_SIZE];

        for (unsigned i = 0; i < 100; i++)
                strncat(text, "{'and', [", sizeof text - strlen(text) - 1);
        EXPECT(acl_rules_parse("a", str_of(text), ACL_AUTO, why) == NULL);
        EXPECT(strstr(why, "too deep") != NULL, "%s", why);
}

/* An empty file allows nothing: there are rules, and none matches. */
TEST(a_file_without_rules)
{
        static const char *const texts[] = { "", "\n\n", "# nothing\n", "%% nothing\n" };

        for (size_t i = 0; i < 4; i++) {
                static const struct row rows[] = {
                        { 'p', .topic = "a", .verdict = ACCESS_IGNORE },
                        { 's', .topic = "a", .verdict = ACCESS_IGNORE },
                };

                EXPECT_ROWS(texts[i], ACL_AUTO, rows);
        }
}

/* Found by name, but asked in the order of the file. */
TEST(the_index_keeps_the_order)
{
        static const char text[] =
                "{allow, {user, \"ann\"}, publish, [\"a\"]}.\n"
                "{deny, all, publish, [\"a\", \"b\"]}.\n"
                "{allow, {client, \"x\"}, publish, [\"b\"]}.\n"
                "{allow, {user, \"ann\"}, publish, [\"b\", \"c\"]}.\n"
                "{deny, {client, \"x\"}, publish, [\"c\"]}.\n"
                "{allow, {user, \"bob\"}, publish, [\"c\"]}.\n";
        static const struct row rows[] = {
                { 'p', "ann", "x", .topic = "a", .verdict = ACCESS_ALLOW },
                { 'p', "ann", "x", .topic = "b", .verdict = ACCESS_DENY },
                { 'p', "ann", "x", .topic = "c", .verdict = ACCESS_ALLOW },
                { 'p', "bob", "x", .topic = "c", .verdict = ACCESS_DENY },
                { 'p', "bob", "y", .topic = "c", .verdict = ACCESS_ALLOW },
        };

        EXPECT_ROWS(text, ACL_AUTO, rows);
}

SUITE(acl_rules, CASE(the_stock_file_of_emqttd), CASE(the_example_of_mosquitto),
      CASE(who_a_rule_is_for), CASE(filters_topics_and_placeholders),
      CASE(conditions_of_an_action), CASE(who_is_away_has_no_address),
      CASE(without_looking_at_deliveries), CASE(mistakes_are_told_with_their_place),
      CASE(depth_and_counts_have_bounds), CASE(a_file_without_rules),
      CASE(the_index_keeps_the_order))
