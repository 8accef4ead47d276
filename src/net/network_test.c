#include "net/network.h"

#include "unit.h"

TEST(what_is_a_network)
{
        static const struct row {
                const char *text;
                bool        valid;
        } rows[] = {
                {"10.0.0.0/8",           true },
                { "10.1.2.3",            true },
                { "10.1.2.3/32",         true },
                { "0.0.0.0/0",           true },
                { "172.16.0.0/12",       true },
                { "::/0",                true },
                { "::1",                 true },
                { "2001:db8::/32",       true },
                { "fe80::/10",           true },
                { "::ffff:10.0.0.0/104", true },
                { "",                    false},
                { "/8",                  false},
                { "10.0.0.0/",           false},
                { "10.0.0.0/33",         false},
                { "10.0.0.0/+8",         false},
                { "10.0.0.0/0008",       false},
                { "10.0.0.0/8/8",        false},
                { "10.0.0.1/8",          false}, /* bits behind the prefix */
                { "172.17.0.0/12",       false},
                { "10.0.0/8",            false},
                { "::1/127",             false},
                { "::/129",              false},
                { "[::]/0",              false},
                { "localhost",           false},
                { " 10.0.0.0/8",         false},
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT(network_valid(str_of(row->text)) == row->valid, "%s", row->text);
}

TEST(who_is_in_them)
{
        static const struct row {
                const char *list, *address;
                bool        in;
        } rows[] = {
                {"10.0.0.0/8",                    "10.255.0.1",       true },
                { "10.0.0.0/8",                   "11.0.0.1",         false},
                { "10.0.0.0/8",                   "::ffff:10.0.0.1",  true },
                { "10.0.0.0/8",                   "::a00:1",          false},
                { "172.16.0.0/12",                "172.31.255.255",   true },
                { "172.16.0.0/12",                "172.32.0.0",       false},
                { "0.0.0.0/0",                    "::1",              false}, /* of IPv4 */
                { "0.0.0.0/0",                    "255.1.2.3",        true },
                { "::/0",                         "10.0.0.1",         true }, /* of all */
                { "2001:db8::/33",                "2001:db8:7fff::1", true },
                { "2001:db8::/33",                "2001:db8:8000::1", false},
                { "::1",                          "::1",              true },
                { "::1",                          "::2",              false},
                { "192.0.2.1",                    "192.0.2.1",        true },
                { "192.0.2.1",                    "192.0.2.2",        false},
                { "::1, 127.0.0.0/8 ,10.0.0.0/8", "127.0.0.2",        true },
                { "::1, 127.0.0.0/8 ,10.0.0.0/8", "10.0.0.2",         true },
                { "::1, 127.0.0.0/8 ,10.0.0.0/8", "12.0.0.2",         false},
                { "",                             "::1",              false},
                { "nonsense,::1",                 "::1",              true },
        };
        const struct row *row;

        EACH(rows, row) {
                struct address address;

                EXPECT(address_parse_ip(str_of(row->address), &address), "%s", row->address);
                EXPECT(networks_contain(str_of(row->list), &address) == row->in, "%s in %s",
                       row->address, row->list);
        }
}

TEST(who_has_no_address_is_in_none)
{
        struct address address = { 0 };

        EXPECT(!networks_contain(STR("::/0,0.0.0.0/0"), &address));
}

TEST(the_first_rule_that_matches_decides)
{
        static const struct row {
                const char *rules, *address;
                bool        allowed;
        } rows[] = {
                { "allow all",                              "10.0.0.1:1",           true  },
                { "deny all",                               "10.0.0.1:1",           false },
                { "allow 10.0.0.0/8",                       "10.9.9.9:1",           true  },
                { "allow 10.0.0.0/8",                       "11.0.0.1:1",           false },
                { "deny 10.1.0.0/16\nallow 10.0.0.0/8",     "10.1.0.1:1",           false },
                { "deny 10.1.0.0/16\nallow 10.0.0.0/8",     "10.2.0.1:1",           true  },
                { "deny 10.1.0.0/16\nallow 10.0.0.0/8",     "[::ffff:10.1.0.1]:1",  false },
                { "allow 10.0.0.0/8\ndeny 10.1.0.0/16",     "10.1.0.1:1",           true  },
                { "deny 2001:db8::/32\nallow all",          "[2001:db8::1]:1",      false },
                { "deny 2001:db8::/32\nallow all",          "[2001:db9::1]:1",      true  },
                { "",                                       "10.0.0.1:1",           false },
        };
        const struct row *row;
        struct address    address;

        EACH(rows, row) {
                EXPECT(address_parse(str_of(row->address), &address));
                EXPECT(network_rules_allow(str_of(row->rules), &address) == row->allowed,
                       "%s of %s", row->address, row->rules);
        }
        address = (struct address){ .any = { .sa_family = AF_UNIX } };
        EXPECT(network_rules_allow(STR("allow all"), &address));
        EXPECT(!network_rules_allow(STR("allow 0.0.0.0/0"), &address));
}

TEST(a_list_has_nothing_but_networks)
{
        EXPECT(networks_valid(STR("10.0.0.0/8")));
        EXPECT(networks_valid(STR("10.0.0.0/8, ::1,127.0.0.1 ")));
        EXPECT(!networks_valid(STR("")));
        EXPECT(!networks_valid(STR("10.0.0.0/8,")));
        EXPECT(!networks_valid(STR("10.0.0.0/8,all")));
}

TEST(a_rule_is_a_word_and_a_network)
{
        static const char *const good[] = { "allow all", "deny 10.0.0.0/8", "allow  ::1" };
        static const char *const bad[]  = { "", "allow", "allow ", "all", "permit all", "allow 10",
                                            "deny all ", "allow 10.0.0.1/8", "allowall" };
        const char *const       *text;

        EACH(good, text)
                EXPECT(network_rule_valid(str_of(*text)), "%s", *text);
        EACH(bad, text)
                EXPECT(!network_rule_valid(str_of(*text)), "%s", *text);
}

TEST(the_network_of_an_address_is_shown_as_it_is_read)
{
        static const struct row {
                const char *address;
                unsigned    v4_bits, v6_bits;
                const char *text;
        } rows[] = {
                { "10.1.2.3:1", 32, 64, "10.1.2.3" },
                { "10.1.2.3:1", 8, 64, "10.0.0.0/8" },
                { "[::ffff:10.1.2.3]:1", 24, 64, "10.1.2.0/24" },
                { "[2001:db8:1:2:3::4]:1", 32, 64, "2001:db8:1:2::/64" },
                { "[2001:db8::4]:1", 32, 128, "2001:db8::4" },
        };
        const struct row *row;

        EACH(rows, row) {
                struct address address;
                struct network network, again;
                char           text[NETWORK_TEXT_SIZE];

                EXPECT(address_parse(str_of(row->address), &address));
                EXPECT(network_of(&address, row->v4_bits, row->v6_bits, &network));
                network_text(&network, text);
                EXPECT(strcmp(text, row->text) == 0, "%s", text);
                EXPECT(network_parse(str_of(text), &again) && network_has(&again, &address));
        }
}

SUITE(network, CASE(what_is_a_network), CASE(who_is_in_them),
      CASE(who_has_no_address_is_in_none), CASE(a_list_has_nothing_but_networks),
      CASE(the_network_of_an_address_is_shown_as_it_is_read),
      CASE(the_first_rule_that_matches_decides), CASE(a_rule_is_a_word_and_a_network))
