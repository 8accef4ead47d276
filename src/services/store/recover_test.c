/* Starts on stores that hold what they should not. */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/record.h"
#include "core/session.h"
#include "harness/world.h"
#include "unit.h"

enum { ONE = 1024, TO_ONE = 1152, AGAIN = 1280, LAST = 2000 * SHARDS_MAX };

static const struct guid guid = { 1000, 0x10001 };

static void put_value(struct engine *engine, struct str key, const struct record *record)
{
        struct buffer value = { .bytes = NULL };

        EXPECT(record_encode(&value, record));
        EXPECT_EQ(engine->ops->put(engine, ENGINE_RECORDS, key, buffer_str(&value)), ENGINE_OK);
        buffer_deinit(&value);
}

static void put(struct engine *engine, uint64_t key, const struct record *record)
{
        char bytes[ENGINE_RECORD_KEY];

        engine_record_key(key, bytes);
        put_value(engine, str_from(bytes, sizeof bytes), record);
}

static void put_released(struct engine *engine, uint64_t key, uint16_t packet_id)
{
        put(engine, key, &(struct record){ RECORD_DELIVERY,
                                           .delivery = { .session = ONE, .qos = 2, .released = true,
                                                         .packet_id = packet_id } });
}

static void put_session(struct engine *engine, uint64_t key, const char *client)
{
        put(engine, key, &(struct record){ RECORD_SESSION,
                                           .session = { .client_id = str_of(client),
                                                        .expiry_s = UINT32_MAX,
                                                        .durability = DURABILITY_STRICT } });
}

/* ---- what is found --------------------------------------------------------------------------- */

static void nothing(struct engine *engine) { (void)engine; }
static void same_id(struct engine *engine) { put_released(engine, AGAIN, 7); }
static void same_client(struct engine *engine) { put_session(engine, AGAIN, "one"); }
static void newest_of_all(struct engine *engine) { put_session(engine, UINT64_MAX, "two"); }

static void nobodys(struct engine *engine)
{
        put(engine, AGAIN, &(struct record){ RECORD_AWAITING, .awaiting = { 4096, 1 } });
}

static void without_body(struct engine *engine)
{
        put(engine, AGAIN, &(struct record){ RECORD_RETAINED, .retained = { guid } });
}

/* Behind "one", and of no key's length. */
static void no_key(struct engine *engine)
{
        put_value(engine, STR("\0\0\0\0\0\0\4\1x"),
                  &(struct record){ RECORD_AWAITING, .awaiting = { ONE, 1 } });
}

static void long_key(struct engine *engine)
{
        put_value(engine, STR("\0\0\0\0\0\0\4\1 of somebody else"),
                  &(struct record){ RECORD_AWAITING, .awaiting = { ONE, 1 } });
}

static void quiet(void *context, enum log_level level, struct str line)
{
        (void)context;
        (void)level;
        (void)line;
}

static void fill(struct vault *vault, void (*more)(struct engine *))
{
        struct engine *engine = engine_memory_open(vault);

        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
        put_session(engine, ONE, "one");
        put_released(engine, TO_ONE, 7);
        put_released(engine, LAST, 9);
        more(engine);
        EXPECT_EQ(engine->ops->commit(engine), ENGINE_OK);
        engine->ops->close(engine);
}

static struct world *start(struct vault *vault)
{
        static struct settings settings;
        struct world_plan      plan = { .shards = 1, .settings = &settings, .vault = vault,
                                        .durability = DURABILITY_STRICT };

        settings_init(&settings);
        return world_new(&plan);
}

static uint64_t damaged_in(const struct world *world)
{
        return world->broker.store->stats.damaged;
}

TEST(a_start_goes_on_without_what_it_cannot_use)
{
        static const struct row {
                void   (*more)(struct engine *);
                unsigned damaged, sessions;
        } rows[] = {
                { nothing, 0, 1 },
                { same_id, 1, 1 },
                { same_client, 1, 1 },
                { nobodys, 0, 1 },
                { without_body, 1, 1 },
                { no_key, 1, 1 },
                { newest_of_all, 0, 2 },
                { long_key, 1, 1 },
        };
        const struct row *row;

        log_set_sink(quiet, NULL);
        EACH(rows, row) {
                struct vault *vault = vault_new();
                bool          stays = row->more == long_key;

                fill(vault, row->more);
                for (unsigned again = 0; again < 2; again++) {
                        struct world   *world = start(vault);
                        struct session *session;

                        EXPECT(world != NULL, "row %td", row - rows);
                        role_claim(world->broker.loops[0]);
                        session = session_find(world->broker.shards[0], STR("one"));
                        EXPECT(session != NULL);
                        EXPECT(inflight_find(&session->inflight, 7) != NULL);
                        EXPECT(inflight_find(&session->inflight, 9) != NULL);
                        EXPECT_EQ(session->inflight.count, 2);
                        role_leave();
                        EXPECT_EQ(world->broker.shards[0]->stats.sessions, row->sessions);
                        EXPECT_EQ(damaged_in(world), again == 0 || stays ? row->damaged : 0);
                        world_free(world);
                }
                vault_free(vault);
        }
        log_set_sink(NULL, NULL);
}

/* The damage may be in the key: nothing is numbered behind it. */
TEST(new_keys_follow_the_newest_that_is_whole)
{
        struct vault *vault = vault_new();
        struct world *world;
        char          key[ENGINE_RECORD_KEY];

        fill(vault, newest_of_all);
        engine_record_key(UINT64_MAX, key);
        EXPECT(vault_damage(vault, ENGINE_RECORDS, str_from(key, sizeof key), 5));
        log_set_sink(quiet, NULL);
        world = start(vault);
        log_set_sink(NULL, NULL);
        EXPECT(world != NULL);
        EXPECT_EQ(damaged_in(world), 1);
        EXPECT_EQ(world->broker.shards[0]->journal.next_key, LAST / SHARDS_MAX + 1);
        world_free(world);
        vault_free(vault);
}

static uint64_t records_in(struct vault *vault)
{
        struct engine *engine = engine_memory_open(vault);
        struct str     key, value;
        uint64_t       count = 0;

        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
        while (engine->ops->walk(engine, ENGINE_RECORDS, count == 0, &key, &value) == ENGINE_OK)
                count++;
        engine->ops->abort(engine);
        engine->ops->close(engine);
        return count;
}

TEST(a_start_on_a_full_disk_goes_on_and_tidies_when_there_is_room)
{
        struct vault *vault = vault_new();
        struct world *world;

        fill(vault, nobodys);
        log_set_sink(quiet, NULL);
        vault_fill_after(vault, 0);
        world = start(vault);
        EXPECT(world != NULL);
        EXPECT(world_run(world));
        EXPECT_EQ(world->broker.shards[0]->stats.sessions, 1);
        EXPECT_EQ(records_in(vault), 4);
        vault_fill_after(vault, UINT64_MAX);
        EXPECT(world_advance(world, 2000));
        EXPECT_EQ(records_in(vault), 3);
        log_set_sink(NULL, NULL);
        world_free(world);
        vault_free(vault);
}

/* As many as there is room for, of brokers that had other names. */
static void foreign_marks(struct engine *engine)
{
        struct record record = { RECORD_MARKS, .marks = { .count = RECORD_MARKS_MAX } };

        for (unsigned i = 0; i < RECORD_MARKS_MAX; i++)
                record.marks.newest[i] = (struct guid){ 1000, (uint64_t)(i + 1) << 16 };
        put(engine, RECORD_KEY_MARKS, &record);
}

static void say(struct world *world, const char *bytes, size_t size, struct transport **end)
{
        struct iovec part = { (void *)(uintptr_t)bytes, size };

        *end = world_connect(world, 0);
        EXPECT_EQ((*end)->ops->write(*end, &part, 1), size);
        EXPECT(world_run(world));
        EXPECT(world_advance(world, 1000));
}

/* Were there no room for its source's mark, what it acknowledged would be dropped at the next
 * start. */
TEST(old_marks_make_room_for_new_ones)
{
        static const char subscriber[] = "\x10\x0d\0\4MQTT\4\0\0\0\0\1s\x82\6\0\1\0\1t\2";
        static const char publisher[]  = "\x10\x0d\0\4MQTT\4\0\0\0\0\1p\x34\6\0\1t\0\1a";
        struct vault     *vault = vault_new();
        struct world     *world;
        struct transport *ends[2];

        fill(vault, foreign_marks);
        for (unsigned again = 0; again < 2; again++) {
                world = start(vault);
                EXPECT(world != NULL);
                say(world, subscriber, sizeof subscriber - 1, &ends[0]);
                say(world, publisher, sizeof publisher - 1, &ends[1]);
                ends[0]->ops->free(ends[0]);
                ends[1]->ops->free(ends[1]);
                world_crash(world);
        }
        world = start(vault);
        EXPECT(world != NULL);
        role_claim(world->broker.loops[0]);
        EXPECT_EQ(session_find(world->broker.shards[0], STR("s"))->inflight.count, 1);
        role_leave();
        EXPECT_EQ(world->broker.store->stats.damaged, 0);
        world_free(world);
        vault_free(vault);
}

SUITE(recover, CASE(a_start_goes_on_without_what_it_cannot_use),
      CASE(new_keys_follow_the_newest_that_is_whole),
      CASE(a_start_on_a_full_disk_goes_on_and_tidies_when_there_is_room),
      CASE(old_marks_make_room_for_new_ones))
