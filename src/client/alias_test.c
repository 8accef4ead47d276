#include "client/alias.h"

#include "base/memory.h"
#include "unit.h"

TEST(set_get_and_set_anew)
{
        struct alias_table table = { 0 };

        EXPECT(alias_get(&table, 1).ptr == NULL);
        EXPECT(alias_set(&table, 3, STR("a/b")));
        EXPECT(alias_get(&table, 1).ptr == NULL);
        EXPECT(alias_get(&table, 4).ptr == NULL);
        EXPECT(str_eq(alias_get(&table, 3), STR("a/b")));
        EXPECT(alias_set(&table, 3, alias_get(&table, 3)));
        EXPECT(alias_set(&table, 3, STR("c")));
        EXPECT(str_eq(alias_get(&table, 3), STR("c")));
        alias_deinit(&table);
        EXPECT(alias_get(&table, 3).ptr == NULL);
}

TEST(sent_first_come_first_served)
{
        struct alias_table table = { 0 };
        char               topic[] = "topic/a";

        EXPECT(!alias_may_send(&table, STR("topic/a")));        /* the client announced none */
        alias_allow_sent(&table, UINT16_MAX);
        EXPECT(table.sent == NULL);
        EXPECT(!alias_may_send(&table, STR("abcd")));
        for (unsigned i = 0; i < ALIAS_SENT_MAX; i++) {
                topic[6] = (char)('a' + i);
                EXPECT_EQ(alias_find_sent(&table, str_of(topic)), 0);
                EXPECT(alias_may_send(&table, str_of(topic)));
                EXPECT_EQ(alias_send(&table, str_of(topic)), i + 1);
        }
        EXPECT(!alias_may_send(&table, STR("topic/z")));
        EXPECT_EQ(alias_find_sent(&table, STR("topic/b")), 2);
        EXPECT_EQ(alias_find_sent(&table, STR("Topic/b")), 0);
        EXPECT_EQ(alias_find_sent(&table, STR("xtopic/b")), 0);
        EXPECT_EQ(alias_find_sent(&table, STR("topic/z")), 0);
        alias_deinit(&table);
        EXPECT_EQ(alias_find_sent(&table, STR("topic/b")), 0);
}

TEST(sent_same_last_bytes)
{
        struct alias_table table = { 0 };

        alias_allow_sent(&table, 2);
        EXPECT_EQ(alias_send(&table, STR("room/1/temperature")), 1);
        EXPECT_EQ(alias_find_sent(&table, STR("room/2/temperature")), 0);
        EXPECT_EQ(alias_send(&table, STR("room/2/temperature")), 2);
        EXPECT_EQ(alias_find_sent(&table, STR("room/1/temperature")), 1);
        EXPECT_EQ(alias_find_sent(&table, STR("room/2/temperature")), 2);
        EXPECT(!alias_may_send(&table, STR("room/3/temperature")));
        alias_deinit(&table);
}

TEST(sent_without_memory)
{
        struct alias_table table = { 0 };

        alias_allow_sent(&table, 2);
        for (int64_t count = 0; count < 2; count++) {
                mem_fail_after(count);
                EXPECT_EQ(alias_send(&table, STR("topic")), 0);
                mem_fail_after(-1);
                EXPECT_EQ(alias_find_sent(&table, STR("topic")), 0);
        }
        EXPECT_EQ(alias_send(&table, STR("topic")), 1);
        alias_deinit(&table);
}

SUITE(alias, CASE(set_get_and_set_anew), CASE(sent_first_come_first_served),
      CASE(sent_same_last_bytes), CASE(sent_without_memory))
