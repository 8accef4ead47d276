#include "core/verdicts.h"

#include "base/memory.h"
#include "core/shard.h"
#include "unit.h"

static struct settings   settings;
static struct clock_time now = { .mono_ms = 1000 };
static struct shard      shard;

static struct access_request request_of(const char *topic, unsigned qos)
{
        return (struct access_request){ .shard = &shard,
                                        .kind  = ACCESS_PUBLISH,
                                        .topic = str_of(topic),
                                        .qos   = (uint8_t)qos };
}

/* The notes go from one question to the next, as a client's do. */
static struct access_note *notes;

static void keep_for(const char *topic, unsigned qos, enum access_verdict verdict, uint32_t ttl_ms)
{
        struct access_request request = request_of(topic, qos);

        request.notes  = notes;
        request.line   = 7;
        request.ttl_ms = ttl_ms;
        verdicts_keep(&request, verdict);
        notes = request.notes;
}

static void keep(const char *topic, unsigned qos, enum access_verdict verdict)
{
        keep_for(topic, qos, verdict, UINT32_MAX);
}

static enum access_verdict find(const char *topic, unsigned qos)
{
        struct access_request request = request_of(topic, qos);
        enum access_verdict   verdict;

        request.notes = notes;
        verdict       = verdicts_find(&request);
        if (verdict != ACCESS_LATER)
                EXPECT_EQ(request.line, 7);
        return verdict;
}

static void begin(uint32_t max)
{
        settings_init(&settings);
        settings.acl_cache_max    = max;
        settings.acl_cache_ttl_ms = 100;
        shard = (struct shard){ .settings = &settings, .access_epoch = 1 };
        shard.loop.now = now;
        notes          = NULL;
        role_claim(&shard.loop);
}

static void end(void)
{
        struct access_request request = { .notes = notes };

        access_forget(&request.notes);
        role_leave();
}

TEST(a_verdict_is_found_by_all_that_was_asked)
{
        begin(32);
        keep("a", 0, ACCESS_ALLOW);
        keep("a", 1, ACCESS_DENY);
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        EXPECT_EQ(find("a", 1), ACCESS_DENY);
        EXPECT_EQ(find("a", 2), ACCESS_LATER);
        EXPECT_EQ(find("b", 0), ACCESS_LATER);
        end();
}

TEST(the_least_recently_used_goes)
{
        begin(3);
        keep("a", 0, ACCESS_ALLOW);
        keep("b", 0, ACCESS_ALLOW);
        keep("c", 0, ACCESS_ALLOW);
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        keep("d", 0, ACCESS_ALLOW);
        EXPECT_EQ(find("b", 0), ACCESS_LATER);
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        EXPECT_EQ(find("c", 0), ACCESS_ALLOW);
        EXPECT_EQ(find("d", 0), ACCESS_ALLOW);
        end();
}

TEST(verdicts_end_by_time_and_by_new_rules)
{
        begin(3);
        keep("a", 0, ACCESS_ALLOW);
        shard.loop.now.mono_ms += 99;
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        shard.loop.now.mono_ms += 1;
        EXPECT_EQ(find("a", 0), ACCESS_LATER);
        keep("a", 0, ACCESS_ALLOW);
        shard.access_epoch++;
        EXPECT_EQ(find("a", 0), ACCESS_LATER);
        end();
}

TEST(who_decided_may_say_for_how_long)
{
        begin(3);
        keep_for("a", 0, ACCESS_ALLOW, 50);
        keep_for("b", 0, ACCESS_ALLOW, 0);
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        EXPECT_EQ(find("b", 0), ACCESS_LATER);
        shard.loop.now.mono_ms += 50;
        EXPECT_EQ(find("a", 0), ACCESS_LATER);
        end();
}

TEST(what_is_too_long_is_not_remembered)
{
        char topic[VERDICT_TOPIC_MAX + 2];

        memset(topic, 'x', sizeof topic);
        topic[VERDICT_TOPIC_MAX + 1] = '\0';
        begin(3);
        keep(topic, 0, ACCESS_ALLOW);
        EXPECT(notes == NULL);
        topic[VERDICT_TOPIC_MAX] = '\0';
        keep(topic, 0, ACCESS_ALLOW);
        EXPECT_EQ(find(topic, 0), ACCESS_ALLOW);
        end();
}

/* It is asked for again, no more. */
TEST(without_memory_nothing_is_remembered)
{
        static const int64_t allocations[] = { 0, 1, 1 };       /* note, then topic, then list */

        begin(3);
        for (size_t i = 0; i < sizeof allocations / sizeof allocations[0]; i++) {
                mem_fail_after(allocations[i]);
                keep("a", 0, ACCESS_ALLOW);
                mem_fail_after(-1);
                EXPECT_EQ(find("a", 0), ACCESS_LATER);
        }
        keep("a", 0, ACCESS_ALLOW);
        EXPECT_EQ(find("a", 0), ACCESS_ALLOW);
        end();
}

SUITE(verdicts, CASE(a_verdict_is_found_by_all_that_was_asked),
      CASE(the_least_recently_used_goes), CASE(verdicts_end_by_time_and_by_new_rules),
      CASE(what_is_too_long_is_not_remembered), CASE(who_decided_may_say_for_how_long),
      CASE(without_memory_nothing_is_remembered))
