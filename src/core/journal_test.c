#include "core/journal.h"

#include "base/log.h"
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
        EXPECT(world_advance(world, WORLD_STEP_MS));    /* CONNACK is waited for */
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
        EXPECT(world_run(world) && world_advance(world, WORLD_STEP_MS));        /* CONNACK */
        EXPECT(world_advance(world, WORLD_STEP_MS));                            /* SUBACK */
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

static void count_line(void *context, enum log_level level, struct str line)
{
        (void)level;
        (void)line;
        ++*(unsigned *)context;
}

static struct world *start_on(struct vault *vault)
{
        struct settings settings;

        settings_init(&settings);
        settings.sys_interval_ms = 0;
        return world_new(&(struct world_plan){ .shards = 1, .settings = &settings,
                                               .vault = vault, .durability = DURABILITY_STRICT });
}

/* After a restart what is queued is in the store only. */
TEST(what_cannot_be_read_is_asked_for_again_in_its_time)
{
        static const char subscriber[] = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s\x82\6\0\1\0\1t\1\xe0\0";
        static const char again[]      = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s";
        static const char publisher[]  = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p\x32\6\0\1t\0\1a";
        static const char other[]      = "\x10\x0d\0\4MQTT\4\0\0\0\0\1o";
        struct vault     *vault        = vault_new();
        struct world     *world        = start_on(vault);
        unsigned          lines        = 0;
        struct transport *end, *first;

        EXPECT(world != NULL);
        end = world_connect(world, 0);
        say(end, subscriber, sizeof subscriber - 1);
        EXPECT(world_run(world) && world_advance(world, WORLD_STEP_MS));
        end->ops->free(end);
        end = world_connect(world, 0);
        say(end, publisher, sizeof publisher - 1);
        EXPECT(world_run(world) && world_advance(world, WORLD_STEP_MS));
        end->ops->free(end);
        world_crash(world);

        world = start_on(vault);
        EXPECT(world != NULL);
        vault_shut(vault, true);
        log_set_sink(count_line, &lines);
        first = world_connect(world, 0);
        say(first, other, sizeof other - 1);
        EXPECT(world_run(world) && world_advance(world, WORLD_STEP_MS));
        EXPECT(world->broker.shards[0]->journal.failing, "so that nobody waits for a commit");
        end = world_connect(world, 0);
        say(end, again, sizeof again - 1);
        EXPECT(world_run(world), "it is not asked for in every turn");
        EXPECT(lines > 0 && lines < 10, "%u lines", lines);
        log_set_sink(NULL, NULL);
        vault_shut(vault, false);
        EXPECT_EQ(stat_read(&world->broker.shards[0]->stats.queued), 1);
        EXPECT(world_advance(world, 1000));
        EXPECT_EQ(stat_read(&world->broker.shards[0]->stats.queued), 0);
        end->ops->free(end);
        first->ops->free(first);
        world_free(world);
        vault_free(vault);
}

SUITE(journal, CASE(relaxed_is_safe_after_its_interval),
      CASE(what_is_acknowledged_before_it_lingered_is_not_written),
      CASE(what_cannot_be_read_is_asked_for_again_in_its_time))
