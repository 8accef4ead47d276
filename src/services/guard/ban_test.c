#include "services/guard/ban.h"
#include "unit.h"

static struct ban_table table;

static enum ban_result add(enum ban_kind kind, const char *what, uint64_t until_s)
{
        const struct ban ban = { .kind = kind, .what = str_of(what), .until_s = until_s,
                                 .why = STR("a test"), .by = STR("me") };

        return ban_add(&table, &ban, 100);
}

static bool has(const char *ip, uint64_t now_s)
{
        struct address address;

        EXPECT(address_parse(str_of(ip), &address), "%s", ip);
        return ban_of_address(&table, &address, now_s) != NULL;
}

TEST(networks_hold_for_the_addresses_in_them)
{
        ban_table_init(&table, (struct hash_key){ 1, 2 });
        EXPECT_EQ(add(BAN_ADDRESS, "10.1.0.0/16", 0), BAN_DONE);
        EXPECT_EQ(add(BAN_ADDRESS, "192.0.2.7", 200), BAN_DONE);
        EXPECT_EQ(add(BAN_ADDRESS, "2001:db8::/32", 0), BAN_DONE);
        EXPECT_EQ(add(BAN_ADDRESS, "10.1.0.1/16", 0), BAN_INVALID);
        EXPECT_EQ(add(BAN_ADDRESS, "somebody", 0), BAN_INVALID);
        EXPECT(has("10.1.2.3:1", 100) && has("[::ffff:10.1.2.3]:1", 100));
        EXPECT(!has("10.2.2.3:1", 100));
        EXPECT(has("192.0.2.7:1", 199) && !has("192.0.2.7:1", 200), "it ends");
        EXPECT(has("[2001:db8:1::1]:1", 100) && !has("[2001:db9::1]:1", 100));
        EXPECT(ban_remove(&table, BAN_ADDRESS, STR("10.1.0.0/16")));
        EXPECT(!ban_remove(&table, BAN_ADDRESS, STR("10.1.0.0/16")));
        EXPECT(!has("10.1.2.3:1", 100));
        EXPECT_EQ(add(BAN_ADDRESS, "0.0.0.0/0", 0), BAN_DONE);
        EXPECT(has("8.8.8.8:1", 100) && !has("[2001:db9::1]:1", 100));
        EXPECT_EQ(add(BAN_ADDRESS, "::/0", 0), BAN_DONE);
        EXPECT(has("[2001:db9::1]:1", 100));
        ban_table_deinit(&table);
}

TEST(names_hold_for_their_kind)
{
        ban_table_init(&table, (struct hash_key){ 1, 2 });
        EXPECT_EQ(add(BAN_CLIENT_ID, "robot", 0), BAN_DONE);
        EXPECT(ban_of_name(&table, BAN_CLIENT_ID, STR("robot"), 100) != NULL);
        EXPECT(ban_of_name(&table, BAN_USERNAME, STR("robot"), 100) == NULL);
        EXPECT(ban_of_name(&table, BAN_CLIENT_ID, STR("robot2"), 100) == NULL);
        EXPECT_EQ(add(BAN_CLIENT_ID, "robot", 150), BAN_DONE);
        EXPECT(ban_of_name(&table, BAN_CLIENT_ID, STR("robot"), 150) == NULL, "the later counts");
        EXPECT_EQ(table.map.count, 1);
        ban_table_deinit(&table);
}

TEST(a_full_table_takes_no_more_but_in_place_of_what_is_over)
{
        char name[16];

        ban_table_init(&table, (struct hash_key){ 1, 2 });
        for (unsigned i = 0; i < BANS_MAX; i++) {
                snprintf(name, sizeof name, "c%u", i);
                EXPECT_EQ(add(BAN_CLIENT_ID, name, i == 7 ? 101 : 0), BAN_DONE);
        }
        EXPECT_EQ(add(BAN_CLIENT_ID, "more", 0), BAN_FULL);
        EXPECT_EQ(add(BAN_CLIENT_ID, "c9", 500), BAN_DONE);
        EXPECT_EQ(ban_add(&table, &(struct ban){ .kind = BAN_USERNAME, .what = STR("u") }, 101),
                  BAN_DONE);
        ban_table_deinit(&table);
}

TEST(lines_come_back_as_they_were)
{
        static const struct ban bans[] = {
                { BAN_ADDRESS, STR("10.0.0.0/8"), STR("too often"), STR("flapping"), 5, 9 },
                { BAN_CLIENT_ID, STR("a b\n%#\x01\xc3\xa4"), STR(""), STR("-"), 0, 0 },
                { BAN_USERNAME, STR("-"), STR("x"), STR(""), UINT64_MAX, UINT64_MAX },
        };
        const struct ban *ban;

        EACH(bans, ban) {
                struct buffer line = { 0 };
                struct ban    read;
                size_t        len;

                ban_write_line(&line, ban);
                len = buffer_len(&line) - 1;
                EXPECT(memchr(buffer_str(&line).ptr, '\n', len) == NULL);
                EXPECT(ban_read_line(line.bytes + line.start, len, &read));
                EXPECT(read.kind == ban->kind && str_eq(read.what, ban->what) &&
                       str_eq(read.why, ban->why) && str_eq(read.by, ban->by) &&
                       read.at_s == ban->at_s && read.until_s == ban->until_s);
                buffer_deinit(&line);
        }
}

TEST(what_is_no_line_is_refused)
{
        static const char *const lines[] = {
                "", "address", "address 10.0.0.1 0 0 me", "address 10.0.0.1 0 0 me why more",
                "address 10.0.0.1 x 0 me why", "address 10.0.0.1 99999999999999999999 0 me why",
                "nobody 10.0.0.1 0 0 me why", "address  0 0 me why", "clientid a%4 0 0 me why",
                "clientid a%zz 0 0 me why", "clientid a 0 0 me why ",
        };
        const char *const *line;

        EACH(lines, line) {
                char       copy[128];
                struct ban ban;

                snprintf(copy, sizeof copy, "%s", *line);
                EXPECT(!ban_read_line(copy, strlen(copy), &ban), "%s", *line);
        }
}

SUITE(ban, CASE(networks_hold_for_the_addresses_in_them), CASE(names_hold_for_their_kind),
      CASE(a_full_table_takes_no_more_but_in_place_of_what_is_over),
      CASE(lines_come_back_as_they_were), CASE(what_is_no_line_is_refused))
