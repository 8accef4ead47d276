/* Stores that are wrong in one way each: check says so, and compact puts right what can be. */
#include "store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "core/record.h"
#include "unit.h"

enum { OUTPUT_MAX = 8192, PATH_SIZE = 64 };
enum { ONE = 1024, KEPT = 1152, TO_ONE = 1280, TWO = 1408, TO_TWO = 1536, SPARE = 2048 };

static const struct guid lone = { 1000, 1 }, shared = { 2000, 1 }, other = { 3000, 1 };

struct bench {
        char           folder[PATH_SIZE];
        char           output[OUTPUT_MAX];
        struct engine *engine;
};

static void put(struct engine *engine, enum engine_table table, struct str key, struct str value)
{
        EXPECT_EQ(engine->ops->put(engine, table, key, value), ENGINE_OK);
}

static void put_record(struct engine *engine, uint64_t key, const struct record *record)
{
        struct buffer value = { .bytes = NULL };
        char          bytes[ENGINE_RECORD_KEY];

        engine_record_key(key, bytes);
        EXPECT(record_encode(&value, record));
        put(engine, ENGINE_RECORDS, str_from(bytes, sizeof bytes), buffer_str(&value));
        buffer_deinit(&value);
}

static void put_session(struct engine *engine, uint64_t key, const char *client)
{
        put_record(engine, key, &(struct record){ RECORD_SESSION,
                                                  .session.client_id = str_of(client) });
}

static void put_delivery(struct engine *engine, uint64_t key, uint64_t session, struct guid guid)
{
        put_record(engine, key, &(struct record){ RECORD_DELIVERY,
                                                  .delivery = { .session = session, .qos = 1,
                                                                .has_message = true,
                                                                .message = guid } });
}

static void put_body(struct engine *engine, struct guid guid)
{
        struct message_parts parts   = { .topic = STR("t"), .payload = STR("p"), .guid = guid };
        struct message      *message = message_restore(&parts);
        struct buffer        value   = { .bytes = NULL };
        char                 key[ENGINE_GUID_KEY];

        engine_guid_key(guid, key);
        EXPECT(body_encode(&value, message));
        put(engine, ENGINE_BODIES, str_from(key, sizeof key), buffer_str(&value));
        buffer_deinit(&value);
        message_put(message);
}

static void put_refs(struct engine *engine, struct guid guid, uint32_t refs)
{
        char key[ENGINE_GUID_KEY];

        engine_guid_key(guid, key);
        put(engine, ENGINE_REFS, str_from(key, sizeof key), str_from(&refs, sizeof refs));
}

static void remove_record(struct engine *engine, uint64_t key)
{
        char bytes[ENGINE_RECORD_KEY];

        engine_record_key(key, bytes);
        EXPECT_EQ(engine->ops->remove(engine, ENGINE_RECORDS, str_from(bytes, sizeof bytes)),
                  ENGINE_OK);
}

static void remove_guid(struct engine *engine, enum engine_table table, struct guid guid)
{
        char key[ENGINE_GUID_KEY];

        engine_guid_key(guid, key);
        EXPECT_EQ(engine->ops->remove(engine, table, str_from(key, sizeof key)), ENGINE_OK);
}

/* Two sessions that one message waits for, and a retained one. */
static void make_good(struct engine *engine)
{
        put_session(engine, ONE, "one");
        put_record(engine, KEPT, &(struct record){ RECORD_RETAINED, .retained = { lone } });
        put_delivery(engine, TO_ONE, ONE, shared);
        put_session(engine, TWO, "two");
        put_delivery(engine, TO_TWO, TWO, shared);
        put_body(engine, lone);
        put_body(engine, shared);
        put_refs(engine, shared, 2);
}

/* ---- what may be wrong ----------------------------------------------------------------------- */

static void nothing(struct engine *e) { (void)e; }
static void no_body(struct engine *e) { remove_guid(e, ENGINE_BODIES, lone); }
static void no_refs(struct engine *e) { remove_guid(e, ENGINE_REFS, shared); }
static void more_refs(struct engine *e) { put_refs(e, lone, 2); }
static void less_records(struct engine *e) { remove_record(e, TO_ONE); }
static void no_record(struct engine *e) { remove_record(e, KEPT); }
static void no_session(struct engine *e) { remove_record(e, ONE); }
static void session_twice(struct engine *e) { put_session(e, SPARE, "one"); }
static void refs_of_nothing(struct engine *e) { put_refs(e, other, 2); }

static void not_a_record(struct engine *e)
{
        char key[ENGINE_RECORD_KEY];

        engine_record_key(SPARE, key);
        put(e, ENGINE_RECORDS, str_from(key, sizeof key), STR("\1\1 no"));
}

static void not_a_body(struct engine *e)
{
        char key[ENGINE_GUID_KEY];

        engine_guid_key(lone, key);
        put(e, ENGINE_BODIES, str_from(key, sizeof key), STR("no"));
}

static void not_a_count(struct engine *e)
{
        char key[ENGINE_GUID_KEY];

        engine_guid_key(shared, key);
        put(e, ENGINE_REFS, str_from(key, sizeof key), STR("no"));
}

static void will_without_body(struct engine *e)
{
        put_record(e, ONE, &(struct record){ RECORD_SESSION,
                                             .session = { .client_id = STR("one"), .has_will = true,
                                                          .will = other } });
}

static void swallow(struct bench *b, int file)
{
        ssize_t got = pread(file, b->output, sizeof b->output - 1, 0);

        EXPECT(got >= 0);
        b->output[got] = '\0';
}

/* One of the commands, and what it prints. */
static int run(struct bench *b, char what)
{
        char           name[] = "/tmp/linnet-output-XXXXXX", why[256] = "";
        struct engine *engine = engine_lmdb_open(b->folder, true, why);
        int            file = mkostemp(name, O_CLOEXEC), out, code;

        EXPECT(engine != NULL && file >= 0, "%s", why);
        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
        fflush(stdout);
        out = dup(STDOUT_FILENO);
        dup2(file, STDOUT_FILENO);
        code = what == 'c' ? store_check(engine)
               : what == 'd' ? store_dump(engine)
                             : store_compact(engine, b->folder, false);
        fflush(stdout);
        dup2(out, STDOUT_FILENO);
        close(out);
        engine->ops->close(engine);
        swallow(b, file);
        close(file);
        unlink(name);
        return code;
}

static void bench_init(struct bench *b, void (*spoil)(struct engine *))
{
        char why[256] = "";

        *b = (struct bench){ .folder = "/tmp/linnet-store-XXXXXX" };
        EXPECT(mkdtemp(b->folder) != NULL);
        b->engine = engine_lmdb_open(b->folder, false, why);
        EXPECT(b->engine != NULL, "%s", why);
        EXPECT_EQ(b->engine->ops->begin(b->engine), ENGINE_OK);
        make_good(b->engine);
        spoil(b->engine);
        EXPECT_EQ(b->engine->ops->commit(b->engine), ENGINE_OK);
        b->engine->ops->close(b->engine);
}

static void bench_deinit(struct bench *b)
{
        static const char *const names[] = { "store/data.mdb", "store/lock", "store", "" };
        char                     name[PATH_SIZE + 32];
        const char *const       *each;

        EACH(names, each) {
                snprintf(name, sizeof name, "%s/%s", b->folder, *each);
                EXPECT(remove(name) == 0, "%s: nothing else was left", *each);
        }
}

TEST(check_says_what_is_wrong_and_compact_puts_it_right)
{
        static const struct row {
                void      (*spoil)(struct engine *);
                const char *says;
                unsigned    problems;
                unsigned    left;       /* of them, after compact: a start sees to these */
        } rows[] = {
                { nothing, "", 0, 0 },
                { no_body, "record 1152: its message 3E80000000000000001 is not there", 1, 0 },
                { no_refs, "message 7D00000000000000001: referred to 1 times by its count, by 2",
                  1, 0 },
                { more_refs, "referred to 2 times by its count, by 1 records", 1, 0 },
                { less_records, "referred to 2 times by its count, by 1 records", 1, 0 },
                { no_record, "message 3E80000000000000001: no record refers to it", 1, 0 },
                { no_session, "record 1280 (delivery): its session 1024 is not there", 1, 1 },
                { session_twice, "record 2048 (session): its client one has another session", 1,
                  1 },
                { refs_of_nothing, "referred to 2 times by its count, and by no record", 1, 0 },
                { not_a_record, "record 2048: not a record of this version", 1, 0 },
                { not_a_body, "message 3E80000000000000001: not a message of this version", 1, 0 },
                { not_a_count, "message 7D00000000000000001: its count of references is damaged", 1,
                  0 },
                { will_without_body, "record 1024: its message BB80000000000000001 is not there", 1,
                  0 },
        };
        const struct row *row;

        EACH(rows, row) {
                struct bench b;
                char         expected[64];

                bench_init(&b, row->spoil);
                EXPECT_EQ(run(&b, 'c'), row->problems > 0 ? STORE_PROBLEMS : STORE_CLEAN);
                EXPECT(strstr(b.output, row->says) != NULL, "'%s' is not in\n%s", row->says,
                       b.output);
                snprintf(expected, sizeof expected, "problems      %12u\n", row->problems);
                EXPECT(strstr(b.output, expected) != NULL, "%s", b.output);
                EXPECT(run(&b, 'p') == STORE_CLEAN, "%s", row->says);
                EXPECT(run(&b, 'c') == (row->left > 0 ? STORE_PROBLEMS : STORE_CLEAN), "%s%s",
                       row->says, b.output);
                bench_deinit(&b);
        }
}

static unsigned lines_with(const char *text, const char *what)
{
        unsigned count = 0;

        while ((text = strstr(text, what)) != NULL) {
                count++;
                text++;
        }
        return count;
}

TEST(dump_shows_what_is_wrong_too)
{
        static const struct row {
                void      (*spoil)(struct engine *);
                const char *shows;
                unsigned    times;
        } rows[] = {
                { nothing, "\"payload\":\"p\"", 3 },
                { nothing, "\"client_id\":\"two\"", 2 },
                { no_body, "\"missing\":true", 1 },
                { no_record, "{\"kind\":\"orphan\",\"message\":\"3E80000000000000001\"", 1 },
                { no_session, "\"session_missing\":1024", 1 },
                { not_a_record, "{\"kind\":\"damaged\",\"table\":\"records\",\"key\":2048,"
                                "\"bytes_base64\":\"AQEgbm8=\"}", 1 },
                { not_a_body, "\"damaged\":true,\"bytes_base64\":\"bm8=\"", 1 },
        };
        const struct row *row;

        EACH(rows, row) {
                struct bench b;

                bench_init(&b, row->spoil);
                EXPECT_EQ(run(&b, 'd'), STORE_CLEAN);
                EXPECT(lines_with(b.output, row->shows) == row->times, "%u times '%s':\n%s",
                       row->times, row->shows, b.output);
                bench_deinit(&b);
        }
}

SUITE(store, CASE(check_says_what_is_wrong_and_compact_puts_it_right),
      CASE(dump_shows_what_is_wrong_too))
