#include "core/journal.h"

#include "harness/world.h"
#include "unit.h"

enum { MESSAGES = 40000 };              /* more than one batch takes */
enum { LINGER_MS = 5, EXCHANGES = 50 };

static void say(struct transport *end, const char *bytes, size_t size)
{
        struct iovec part = { (void *)(uintptr_t)bytes, size };

        EXPECT_EQ(end->ops->write(end, &part, 1), size);
}

/* Whatever has come within store.interval: none of it waits for another one. */
TEST(relaxed_is_safe_after_its_interval)
{
        static const char subscriber[] = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s\x82\6\0\1\0\1t\1\xe0\0";
        static const char publisher[]  = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p";
        static const char message[]    = "\x32\6\0\1t\0\1a";
        struct settings   settings;
        struct world     *world;
        struct transport *ends[2];

        settings_init(&settings);
        settings.mqueue_max_length = 0;
        world = world_new(&(struct world_plan){
                .shards = 1, .settings = &settings, .durability = DURABILITY_RELAXED });
        EXPECT(world != NULL);
        ends[0] = world_connect(world, 0);
        say(ends[0], subscriber, sizeof subscriber - 1);
        EXPECT(world_run(world));
        ends[1] = world_connect(world, 0);
        say(ends[1], publisher, sizeof publisher - 1);
        for (unsigned i = 0; i < MESSAGES; i++)
                say(ends[1], message, sizeof message - 1);
        EXPECT(world_run(world));

        const struct shard *shard = world->broker.shards[0];

        EXPECT_EQ(stat_read(&shard->stats.queued), MESSAGES);
        EXPECT(!journal_idle(&shard->journal));
        EXPECT(world_advance(world, settings.store_interval_ms));
        EXPECT(journal_idle(&shard->journal), "all of it is in the store");
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
        world_free(world);
}

/* There is always one on its way, but none for as long as store.linger. */
TEST(what_is_acknowledged_before_it_lingered_is_not_written)
{
        static const char subscriber[] = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s\x82\6\0\1\0\1t\1";
        static const char publisher[]  = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p";
        static const char message[]    = "\x32\6\0\1t\0\1a";
        struct settings   settings;
        struct world     *world;
        struct transport *ends[2];
        uint64_t          commits;

        settings_init(&settings);
        settings.store_linger_ms = LINGER_MS;
        world = world_new(&(struct world_plan){
                .shards = 1, .settings = &settings, .durability = DURABILITY_STRICT });
        EXPECT(world != NULL);
        ends[0] = world_connect(world, 0);
        say(ends[0], subscriber, sizeof subscriber - 1);
        EXPECT(world_run(world) && world_advance(world, WORLD_STEP_MS));
        ends[1] = world_connect(world, 0);
        say(ends[1], publisher, sizeof publisher - 1);
        EXPECT(world_run(world));
        commits = stat_read(&world->broker.store->stats.commits);
        for (unsigned i = 0; i < EXCHANGES; i++) {
                const char ack[] = { 0x40, 2, 0, (char)(i + 1) };

                say(ends[1], message, sizeof message - 1);
                EXPECT(world_run(world));
                world_tick(world, 1);
                EXPECT(world_run(world));
                say(ends[0], ack, sizeof ack);
                EXPECT(world_run(world));
        }
        EXPECT_EQ(stat_read(&world->broker.store->stats.commits), commits);
        say(ends[1], message, sizeof message - 1);
        EXPECT(world_run(world));
        world_tick(world, LINGER_MS);
        EXPECT(world_run(world));
        EXPECT_EQ(stat_read(&world->broker.store->stats.commits), commits + 1);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
        world_free(world);
}

SUITE(journal, CASE(relaxed_is_safe_after_its_interval),
      CASE(what_is_acknowledged_before_it_lingered_is_not_written))
