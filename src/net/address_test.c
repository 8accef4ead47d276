#include "net/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

TEST(addresses_are_parsed_and_shown)
{
        static const struct row {
                const char *text;
                const char *shown;
                const char *ip;
                bool        loopback;
        } rows[] = {
                { "1883",                      "[::]:1883",            "::",          false },
                { "0",                         "[::]:0",               "::",          false },
                { ":65535",                    "[::]:65535",           "::",          false },
                { "*:1883",                    "[::]:1883",            "::",          false },
                { "10.0.0.7:51324",            "10.0.0.7:51324",       "10.0.0.7",    false },
                { "0.0.0.0:1",                 "0.0.0.0:1",            "0.0.0.0",     false },
                { "127.255.0.1:1",             "127.255.0.1:1",        "127.255.0.1", true  },
                { "128.0.0.1:1",               "128.0.0.1:1",          "128.0.0.1",   false },
                { "[::1]:1883",                "[::1]:1883",           "::1",         true  },
                { "[2001:db8::2]:8883",        "[2001:db8::2]:8883",   "2001:db8::2", false },
                { "[::ffff:127.0.0.1]:80",     "127.0.0.1:80",         "127.0.0.1",   true  },
                { "[::ffff:192.168.1.2]:80",   "192.168.1.2:80",       "192.168.1.2", false },
        };
        const struct row *row;

        EACH(rows, row) {
                struct address address;
                char           text[ADDRESS_TEXT_SIZE];

                EXPECT(address_parse(str_of(row->text), &address), "%s", row->text);
                address_text(&address, text);
                EXPECT(strcmp(text, row->shown) == 0, "%s: %s", row->text, text);
                address_ip_text(&address, text);
                EXPECT(strcmp(text, row->ip) == 0, "%s: %s", row->text, text);
                EXPECT(address_is_loopback(&address) == row->loopback, "%s", row->text);
                EXPECT_EQ(address_port(&address), strtoul(strrchr(row->shown, ':') + 1, NULL, 10));
        }
}

/* Each byte in each place, as the C library writes it. */
TEST(an_ipv4_address_is_written_as_others_write_it)
{
        char           ours[ADDRESS_TEXT_SIZE], theirs[ADDRESS_TEXT_SIZE];
        struct address address = { .v4 = { .sin_family = AF_INET } };

        for (uint32_t i = 0; i < 1024; i++) {
                address.v4.sin_addr.s_addr = (i % 256) << i / 256 * 8;
                address_ip_text(&address, ours);
                inet_ntop(AF_INET, &address.v4.sin_addr, theirs, sizeof theirs);
                EXPECT(strcmp(ours, theirs) == 0, "%s, not %s", ours, theirs);
        }
}

TEST(other_texts_are_refused)
{
        static const char *const rows[] = {
                "",        ":",           "*",           "*:",        "localhost:1883",
                "65536",   "99999",       "000080",      "-1",        "+1",
                " 1",      "1 ",          "0x10",        "1.2.3.4",   "1.2.3:80",
                "1.2.3.256:80", "::1:80", "[::1]",       "[::1]:",    "[::1:80",
                "[:80",    "]:80",        "[]:80",       "[1.2.3.4]:80", "[::1%lo]:80",
                "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:80", "**:1",
        };
        const char *const *row;
        struct address     address = { .v4 = { .sin_family = AF_INET } };

        EACH(rows, row)
                EXPECT(!address_parse(str_of(*row), &address), "%s", *row);
        EXPECT(!address_parse((struct str){ 0 }, &address));
        EXPECT(!address_parse(STR("1.2.3.4\0:80"), &address));
        EXPECT(!address_parse(STR("80\0"), &address));
        EXPECT_EQ(address.any.sa_family, AF_INET);      /* as it was */
}

TEST(the_longest_address_fits)
{
        struct address address;
        char           text[ADDRESS_TEXT_SIZE];
        const char    *longest = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";

        EXPECT(address_parse(str_of(longest), &address));
        EXPECT_EQ(address_len(&address), sizeof(struct sockaddr_in6));
        address_text(&address, text);
        EXPECT(strcmp(text, longest) == 0, "%s", text);
}

TEST(peers_without_an_ip_have_a_name)
{
        struct address address = { 0 };
        char           text[ADDRESS_TEXT_SIZE];

        address_text(&address, text);
        EXPECT(strcmp(text, "memory") == 0, "%s", text);
        EXPECT_EQ(address_len(&address), 0);
        EXPECT(!address_is_loopback(&address));
        address.any.sa_family = AF_UNIX;
        address_text(&address, text);
        EXPECT(strcmp(text, "unix") == 0, "%s", text);
        EXPECT_EQ(address_port(&address), 0);
        EXPECT(address_is_loopback(&address));          /* it is of this machine */
}

SUITE(address, CASE(addresses_are_parsed_and_shown),
      CASE(an_ipv4_address_is_written_as_others_write_it), CASE(other_texts_are_refused),
      CASE(the_longest_address_fits), CASE(peers_without_an_ip_have_a_name))
