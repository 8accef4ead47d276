#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/store/store_internal.h"
#include "unit.h"

static const struct guid first = { 1000, 0x10001 }, second = { 2000, 0x10001 };

/* A store without a loop, on a vault, within a transaction. */
struct bench {
        struct vault *vault;
        struct store *store;
};

static void bench_init(struct bench *b)
{
        b->vault         = vault_new();
        b->store         = mem_zalloc(sizeof *b->store);
        b->store->engine = engine_memory_open(b->vault);
        EXPECT_EQ(b->store->engine->ops->begin(b->store->engine), ENGINE_OK);
        b->store->last_body = (struct guid){ 0 };
}

static void bench_deinit(struct bench *b)
{
        b->store->engine->ops->close(b->store->engine);
        buffer_deinit(&b->store->scratch);
        mem_free(b->store);
        vault_free(b->vault);
}

/* What was damaged is what was committed. */
static void commit(struct bench *b)
{
        EXPECT_EQ(b->store->engine->ops->commit(b->store->engine), ENGINE_OK);
        EXPECT_EQ(b->store->engine->ops->begin(b->store->engine), ENGINE_OK);
        b->store->last_body = (struct guid){ 0 };
}

static void put(struct bench *b, uint64_t key, struct guid guid, bool again)
{
        struct message_parts parts   = { .topic = STR("t"), .guid = guid };
        struct record        record  = { RECORD_RETAINED, .retained = { guid } };
        struct message      *message = message_restore(&parts);
        struct buffer        value   = { .bytes = NULL };
        struct store_change *change;

        EXPECT(record_encode(&value, &record));
        change = mem_zalloc(sizeof *change + buffer_len(&value));
        change->verb      = STORE_PUT;
        change->key       = key;
        change->again     = again;
        change->message   = message;
        change->value_len = (uint32_t)buffer_len(&value);
        memcpy(change->value, buffer_str(&value).ptr, change->value_len);
        EXPECT_EQ(store_apply(b->store, change), ENGINE_OK);
        mem_free(change);
        buffer_deinit(&value);
        message_put(message);
}

static void take_away(struct bench *b, uint64_t key)
{
        struct store_change change = { .verb = STORE_REMOVE, .key = key };

        EXPECT_EQ(store_apply(b->store, &change), ENGINE_OK);
}

static enum engine_result get(struct bench *b, enum engine_table table, struct guid guid,
                              struct str *value)
{
        char key[ENGINE_GUID_KEY];

        engine_guid_key(guid, key);
        return b->store->engine->ops->get(b->store->engine, table, str_from(key, sizeof key),
                                          value);
}

/* 0: its body is not there; 1: it is, and nothing is said of how often it is referred to. */
static void expect_refs(struct bench *b, struct guid guid, uint32_t expected)
{
        struct str value = { 0 };
        uint32_t   refs  = 1;

        EXPECT_EQ(get(b, ENGINE_BODIES, guid, &value), expected > 0 ? ENGINE_OK : ENGINE_NONE);
        EXPECT_EQ(get(b, ENGINE_REFS, guid, &value), expected > 1 ? ENGINE_OK : ENGINE_NONE);
        if (expected > 1)
                memcpy(&refs, value.ptr, sizeof refs);
        EXPECT(expected == 0 || refs == expected, "%u, not %u", refs, expected);
}

static void damage(struct bench *b, enum engine_table table, struct guid guid)
{
        char key[ENGINE_GUID_KEY];

        commit(b);
        engine_guid_key(guid, key);
        EXPECT(vault_damage(b->vault, table, str_from(key, sizeof key), 0));
}

TEST(a_body_stays_as_long_as_a_record_refers_to_it)
{
        struct bench b;

        bench_init(&b);
        put(&b, 1024, first, false);
        expect_refs(&b, first, 1);
        put(&b, 1025, first, false);
        put(&b, 1026, first, false);
        expect_refs(&b, first, 3);
        put(&b, 1026, first, true);
        expect_refs(&b, first, 3);
        put(&b, 1026, second, true);
        expect_refs(&b, first, 2);
        expect_refs(&b, second, 1);
        put(&b, 1027, second, true);            /* said to be there, and is not */
        expect_refs(&b, second, 2);
        take_away(&b, 1024);
        take_away(&b, 1024);
        expect_refs(&b, first, 1);
        take_away(&b, 1025);
        expect_refs(&b, first, 0);
        take_away(&b, 1026);
        take_away(&b, 1027);
        expect_refs(&b, second, 0);
        bench_deinit(&b);
}

/* It comes once more with a record, and counts for those that referred to it before. */
TEST(a_damaged_body_is_made_whole_and_keeps_its_count)
{
        struct bench b;

        bench_init(&b);
        put(&b, 1024, first, false);
        put(&b, 1025, first, false);
        damage(&b, ENGINE_BODIES, first);
        put(&b, 1026, first, false);
        expect_refs(&b, first, 3);
        take_away(&b, 1024);
        take_away(&b, 1025);
        expect_refs(&b, first, 1);
        bench_deinit(&b);
}

/* Rather a body too many than a record without: check and compact count anew. */
TEST(with_a_damaged_count_no_body_is_lost)
{
        struct bench b;
        struct str   value;

        bench_init(&b);
        put(&b, 1024, first, false);
        put(&b, 1025, first, false);
        damage(&b, ENGINE_REFS, first);
        take_away(&b, 1024);
        EXPECT_EQ(get(&b, ENGINE_BODIES, first, &value), ENGINE_OK);
        bench_deinit(&b);
}

static void count_line(void *context, enum log_level level, struct str line)
{
        (void)level;
        *(unsigned *)context += line.len > 0;
}

TEST(what_is_set_aside_is_out_of_the_way_and_told)
{
        struct bench b;
        unsigned     lines = 0;
        char         key[ENGINE_RECORD_KEY], name[1 + ENGINE_RECORD_KEY] = { ENGINE_RECORDS };
        struct str   record = str_from(key, sizeof key), found, value;

        bench_init(&b);
        put(&b, 1024, first, false);
        engine_record_key(1024, key);
        memcpy(name + 1, key, sizeof key);
        commit(&b);
        EXPECT(vault_damage(b.vault, ENGINE_RECORDS, record, 3));
        EXPECT_EQ(b.store->engine->ops->next(b.store->engine, ENGINE_RECORDS, record, &found,
                                             &value), ENGINE_DAMAGED);
        log_set_sink(count_line, &lines);
        EXPECT_EQ(store_set_aside(b.store, ENGINE_RECORDS, found, value, "test"), ENGINE_OK);
        log_set_sink(NULL, NULL);
        EXPECT_EQ(lines, 1);
        EXPECT_EQ(b.store->port.stats.damaged, 1);
        EXPECT_EQ(b.store->engine->ops->get(b.store->engine, ENGINE_RECORDS, record, &value),
                  ENGINE_NONE);
        EXPECT_EQ(b.store->engine->ops->get(b.store->engine, ENGINE_ASIDE,
                                            str_from(name, sizeof name), &value), ENGINE_OK);
        EXPECT_EQ(value.len, 18);
        EXPECT_EQ(value.ptr[1], RECORD_RETAINED);
        bench_deinit(&b);
}

TEST(a_mark_follows_its_source)
{
        static const struct guid guids[] = { { 10, 0x10001 }, { 20, 0x20001 }, { 30, 0x10002 } };
        struct bench             b;
        const struct guid       *guid;

        bench_init(&b);
        EACH(guids, guid) {
                struct store_change change = { .verb = guid == guids ? STORE_PUT : STORE_MARK,
                                               .key  = 1024,
                                               .guid = *guid };

                EXPECT_EQ(store_apply(b.store, &change), ENGINE_OK);
        }
        EXPECT_EQ(b.store->next_marks.count, 2);
        EXPECT_EQ(marks_find(&b.store->next_marks, guids[0])->time_us, 30);
        EXPECT_EQ(marks_find(&b.store->next_marks, guids[1])->time_us, 20);
        EXPECT(marks_find(&b.store->next_marks, (struct guid){ 40, 0x30001 }) == NULL);
        bench_deinit(&b);
}

SUITE(apply, CASE(a_body_stays_as_long_as_a_record_refers_to_it),
      CASE(a_damaged_body_is_made_whole_and_keeps_its_count),
      CASE(with_a_damaged_count_no_body_is_lost),
      CASE(what_is_set_aside_is_out_of_the_way_and_told), CASE(a_mark_follows_its_source))
