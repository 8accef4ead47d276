#include "services/guard/trace.h"
#include "unit.h"

static struct trace_table table;

static struct trace *get(unsigned number)
{
        return trace_get(&table, TRACE_ADDRESS, str_from(&number, sizeof number));
}

TEST(the_quiet_are_bounded_and_who_is_connected_stays)
{
        struct trace *kept;

        trace_table_init(&table, (struct hash_key){ 1, 2 });
        kept = get(0);
        trace_enter(&table, kept);
        trace_enter(&table, kept);
        for (unsigned i = 1; i < 3 * TRACES_QUIET_MAX; i++) {
                get(i)->connects.count = i;
                EXPECT(get(1)->connects.count == 1, "it is asked for all the time");
        }
        EXPECT_EQ(table.map.count, TRACES_QUIET_MAX + 1);
        EXPECT(get(0) == kept && kept->connections == 2);
        EXPECT_EQ(get(3 * TRACES_QUIET_MAX - 1)->connects.count, 3 * TRACES_QUIET_MAX - 1);
        EXPECT_EQ(get(2)->connects.count, 0);
        trace_leave(&table, kept);
        trace_leave(&table, kept);
        EXPECT_EQ(table.quiet_count, TRACES_QUIET_MAX);
        EXPECT_EQ(table.map.count, TRACES_QUIET_MAX);
        trace_table_deinit(&table);
}

TEST(kinds_are_apart)
{
        trace_table_init(&table, (struct hash_key){ 1, 2 });
        EXPECT(trace_get(&table, TRACE_CLIENT_ID, STR("a")) !=
               trace_get(&table, TRACE_USERNAME, STR("a")));
        EXPECT(trace_get(&table, TRACE_CLIENT_ID, STR("a")) ==
               trace_get(&table, TRACE_CLIENT_ID, STR("a")));
        trace_table_deinit(&table);
}

TEST(a_tally_begins_anew_after_its_window)
{
        struct tally tally = { 0 };

        EXPECT_EQ(tally_add(&tally, 1000, 5000), 1);
        EXPECT_EQ(tally_add(&tally, 1000, 5999), 2);
        EXPECT_EQ(tally_add(&tally, 1000, 6000), 1);
        EXPECT_EQ(tally_add(&tally, 1000, 6001), 2);
}

SUITE(trace, CASE(the_quiet_are_bounded_and_who_is_connected_stays), CASE(kinds_are_apart),
      CASE(a_tally_begins_anew_after_its_window))
