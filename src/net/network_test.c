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

SUITE(network, CASE(what_is_a_network), CASE(who_is_in_them), CASE(who_has_no_address_is_in_none))
