/* A start on a store that is not as it should be. */
#include "core/record.h"

#include <string.h>

#include "base/log.h"
#include "core/session.h"
#include "harness/world.h"
#include "mqtt/encode.h"
#include "unit.h"

enum { MESSAGES = 3 };

static struct vault *vault;
static char          logged[4096];

static void keep_line(void *context, enum log_level level, struct str line)
{
        (void)context;
        (void)level;
        if (strlen(logged) + line.len + 2 < sizeof logged)
                snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%.*s\n",
                         STR_ARGS(line));
}

static struct world *begin(void)
{
        struct settings settings;
        struct world   *world;

        settings_init(&settings);
        settings.store_linger_ms = 0;
        world = world_new(&(struct world_plan){ .shards     = 1,
                                                .settings   = &settings,
                                                .durability = DURABILITY_STRICT,
                                                .vault      = vault });
        EXPECT(world != NULL);
        return world;
}

static struct transport *say(struct world *world, const char *bytes, size_t size)
{
        struct transport *end  = world_connect(world, 0);
        struct iovec      part = { (void *)(uintptr_t)bytes, size };

        EXPECT_EQ(end->ops->write(end, &part, 1), size);
        EXPECT(world_run(world));
        return end;
}

/* A session "s" with three queued messages and one retained, and then the end of the process. */
static void fill(void)
{
        static const char subscriber[] = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s\x82\6\0\1\0\1t\1\xe0\0";
        static const char publisher[]  = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p"
                                         "\x32\6\0\1t\0\1a\x32\6\0\1t\0\2b\x32\6\0\1t\0\3c"
                                         "\x33\6\0\1r\0\4r";
        struct world     *world;
        struct transport *ends[2];

        vault = vault_new();
        world = begin();
        ends[0] = say(world, subscriber, sizeof subscriber - 1);
        ends[1] = say(world, publisher, sizeof publisher - 1);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
        world_crash(world);
}

/* The key of the `nth` record of that kind; 0: there is none. */
static uint64_t key_of(enum record_kind kind, unsigned nth)
{
        struct engine *engine = engine_memory_open(vault);
        struct record  record;
        struct str     key, value;
        char           from[ENGINE_RECORD_KEY] = { 0 };
        uint64_t       found = 0;

        EXPECT(engine->ops->begin(engine) == ENGINE_OK);
        while (found == 0 && engine->ops->next(engine, ENGINE_RECORDS, str_from(from, sizeof from),
                                               &key, &value) == ENGINE_OK) {
                EXPECT(record_decode(value, &record), "a record that reads");
                if (record.kind == kind && nth-- == 0)
                        found = engine_record_key_of(key);
                engine_record_key(engine_record_key_of(key) + 1, from);
        }
        engine->ops->abort(engine);
        engine->ops->close(engine);
        return found;
}

TEST(a_damaged_record_is_set_aside_and_the_rest_starts)
{
        static const struct {
                enum record_kind kind;
                unsigned         sessions, queued, retained, damaged;
        } rows[] = {
                { RECORD_DELIVERY, 1, MESSAGES - 1, 1, 1 },
                { RECORD_RETAINED, 1, MESSAGES, 0, 1 },
                { RECORD_SESSION, 0, 0, 1, 2 + MESSAGES },      /* with all that was its */
        };

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char          key[ENGINE_RECORD_KEY];
                struct world *world;

                fill();
                engine_record_key(key_of(rows[i].kind, 0), key);
                EXPECT(vault_damage(vault, ENGINE_RECORDS, str_from(key, sizeof key), 3));
                logged[0] = '\0';
                log_set_sink(keep_line, NULL);
                world = begin();
                log_set_sink(NULL, NULL);

                const struct shard *shard = world->broker.shards[0];

                EXPECT_EQ(stat_read(&shard->stats.sessions), rows[i].sessions);
                EXPECT_EQ(stat_read(&shard->stats.queued), rows[i].queued);
                EXPECT_EQ(stat_read(&shard->stats.retained), rows[i].retained);
                EXPECT_EQ(stat_read(&world->broker.store->stats.damaged), rows[i].damaged);
                EXPECT(strstr(logged, "store.damaged") != NULL, "one line says so: %s", logged);
                world_free(world);

                world = begin();        /* it is known by now, and not told again */
                EXPECT_EQ(stat_read(&world->broker.store->stats.damaged), 0);
                world_free(world);
                vault_free(vault);
        }
}

SUITE(recover, CASE(a_damaged_record_is_set_aside_and_the_rest_starts))
