/* What is stored fits together: no record names what is not there, none is there twice, and a body
 * is counted as often as it is referred to. When everybody has gone, only the marks are left. */
#include <stdlib.h>
#include <string.h>

#include "core/record.h"
#include "sim.h"

struct walk {
        struct sim    *sim;
        struct engine *engine;
        struct buffer  sessions;        /* keys */
        struct buffer  names;           /* hashes of what there may be only one of */
        struct buffer  bodies;          /* guids that records refer to */
        unsigned       records;
        bool           good;
};

static int compare_hashes(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static int compare_guids(const void *a, const void *b)
{
        return guid_compare(*(const struct guid *)a, *(const struct guid *)b);
}

static bool fail(struct walk *walk, const char *what, uint64_t key)
{
        walk->good = sim_fail(walk->sim, "stored: %s, key %llu", what, (unsigned long long)key);
        return false;
}

static bool keep(struct walk *walk, struct buffer *in, const void *bytes, size_t size)
{
        return buffer_append(in, str_from(bytes, size)) || fail(walk, "no memory", 0);
}

/* There may be one such name of a kind within its owner. */
static bool name(struct walk *walk, enum record_kind kind, uint64_t owner, struct str text)
{
        const struct hash_key key  = { owner, kind };
        uint64_t              hash = hash_str(&key, text);

        return keep(walk, &walk->names, &hash, sizeof hash);
}

/* Sessions are younger than nothing of theirs, so theirs has been seen. */
static bool has_session(struct walk *walk, uint64_t session)
{
        struct str keys = buffer_str(&walk->sessions);

        return bsearch(&session, keys.ptr, keys.len / sizeof session, sizeof session,
                       compare_hashes) != NULL;
}

static bool see_named(struct walk *walk, uint64_t key, const struct record *record)
{
        uint16_t id = record->awaiting.packet_id;

        switch (record->kind) {
        case RECORD_SESSION:
                return keep(walk, &walk->sessions, &key, sizeof key) &&
                       name(walk, RECORD_SESSION, 0, record->session.client_id);
        case RECORD_SUBSCRIPTION:
                return (has_session(walk, record->subscription.session) ||
                        fail(walk, "a subscription of nobody", key)) &&
                       name(walk, RECORD_SUBSCRIPTION, record->subscription.session,
                            record->subscription.name);
        case RECORD_AWAITING:
                return (has_session(walk, record->awaiting.session) ||
                        fail(walk, "a packet id of nobody", key)) &&
                       name(walk, RECORD_AWAITING, record->awaiting.session,
                            str_from(&id, sizeof id));
        case RECORD_DELIVERY:
                id = record->delivery.packet_id;
                return (has_session(walk, record->delivery.session) ||
                        fail(walk, "a delivery of nobody", key)) &&
                       (id == 0 || name(walk, RECORD_DELIVERY, record->delivery.session,
                                        str_from(&id, sizeof id)));
        case RECORD_RETAINED:
        case RECORD_PENDING:
        case RECORD_MARKS:
        case RECORD_KINDS:
                break;
        }
        return true;
}

/* One message a topic. */
static bool see_retained(struct walk *walk, uint64_t key, struct guid guid)
{
        char            body_key[ENGINE_GUID_KEY];
        bool            damaged = false, good = false;
        struct message *message = NULL;
        struct str      body;

        engine_guid_key(guid, body_key);
        if (walk->engine->ops->get(walk->engine, ENGINE_BODIES,
                                   str_from(body_key, sizeof body_key), &body) == ENGINE_OK)
                message = body_decode(body, guid, &damaged);
        if (message == NULL)
                return fail(walk, "a retained message without its body", key);
        good = name(walk, RECORD_RETAINED, 0, message_topic(message));
        message_put(message);
        return good;
}

static bool see_record(struct walk *walk, uint64_t key, struct str value)
{
        struct record record;
        struct guid   guid;

        if (!record_decode(value, &record))
                return fail(walk, "undecodable", key);
        walk->records += record.kind != RECORD_MARKS;
        return see_named(walk, key, &record) &&
               (record.kind != RECORD_RETAINED ||
                see_retained(walk, key, record.retained.message)) &&
               (!record_message(&record, &guid) || keep(walk, &walk->bodies, &guid, sizeof guid));
}

static bool each(struct walk *walk, enum engine_table table,
                 bool (*see)(struct walk *walk, struct str key, struct str value))
{
        char               from[ENGINE_GUID_KEY + 2] = { 0 };
        size_t             len                       = 0;
        struct str         key, value;
        enum engine_result result;

        for (;;) {
                result = walk->engine->ops->next(walk->engine, table, str_from(from, len), &key,
                                                 &value);
                if (result == ENGINE_NONE)
                        return true;
                if (result != ENGINE_OK || key.len + 1 > sizeof from)
                        return fail(walk, "damaged", table);
                memcpy(from, key.ptr, key.len);
                from[key.len] = 0;      /* behind it, and before any other */
                len           = key.len + 1;
                if (!see(walk, key, value))
                        return false;
        }
}

static bool on_record(struct walk *walk, struct str key, struct str value)
{
        return see_record(walk, engine_record_key_of(key), value);
}

static uint32_t count_refs(const struct walk *walk, struct guid guid)
{
        struct str         all   = buffer_str(&walk->bodies);
        size_t             count = all.len / sizeof guid;
        const struct guid *first = (const void *)all.ptr;
        const struct guid *found = count > 0 ? bsearch(&guid, first, count, sizeof guid,
                                                       compare_guids)
                                             : NULL;
        uint32_t           refs  = 0;

        if (found == NULL)
                return 0;
        while (found > first && guid_compare(found[-1], guid) == 0)
                found--;
        for (; found < first + count && guid_compare(*found, guid) == 0; found++)
                refs++;
        return refs;
}

static bool on_body(struct walk *walk, struct str key, struct str value)
{
        struct guid    guid    = engine_guid_of(key);
        bool           damaged = false;
        struct message *message = body_decode(value, guid, &damaged);
        uint32_t        refs    = count_refs(walk, guid), said = 1;
        struct str      count;

        if (message == NULL)
                return fail(walk, "a body does not read", guid.time_us);
        message_put(message);
        if (refs == 0)
                return fail(walk, "a body that nobody refers to", guid.time_us);
        if (walk->engine->ops->get(walk->engine, ENGINE_REFS, key, &count) == ENGINE_OK &&
            count.len == sizeof said)
                memcpy(&said, count.ptr, sizeof said);
        return said == refs || fail(walk, "a body is miscounted", guid.time_us);
}

static bool on_refs(struct walk *walk, struct str key, struct str value)
{
        struct guid guid = engine_guid_of(key);

        (void)value;
        return count_refs(walk, guid) > 1 || fail(walk, "a count of nothing", guid.time_us);
}

static bool on_aside(struct walk *walk, struct str key, struct str value)
{
        (void)key;
        (void)value;
        return fail(walk, "something was set aside", 0);
}

static bool bodies_are_there(struct walk *walk)
{
        struct str all = buffer_str(&walk->bodies), value;

        for (; all.len > 0; all = str_skip(all, sizeof(struct guid))) {
                char        key[ENGINE_GUID_KEY];
                struct guid guid;

                memcpy(&guid, all.ptr, sizeof guid);
                engine_guid_key(guid, key);
                if (walk->engine->ops->get(walk->engine, ENGINE_BODIES, str_from(key, sizeof key),
                                           &value) != ENGINE_OK)
                        return fail(walk, "a record without its body", guid.time_us);
        }
        return true;
}

static bool names_are_single(struct walk *walk)
{
        struct str      all   = buffer_str(&walk->names);
        size_t          count = all.len / sizeof(uint64_t);
        uint64_t       *hash  = (void *)(uintptr_t)all.ptr;

        if (count > 0)
                qsort(hash, count, sizeof *hash, compare_hashes);
        for (size_t i = 1; i < count; i++)
                if (hash[i - 1] == hash[i])
                        return fail(walk, "two of a name", i);
        return true;
}

static void walk_all(struct walk *walk)
{
        struct str bodies;

        if (!each(walk, ENGINE_RECORDS, on_record) || !names_are_single(walk))
                return;
        bodies = buffer_str(&walk->bodies);
        if (bodies.len > 0)
                qsort((void *)(uintptr_t)bodies.ptr, bodies.len / sizeof(struct guid),
                      sizeof(struct guid), compare_guids);
        walk->good = walk->good && bodies_are_there(walk) && each(walk, ENGINE_BODIES, on_body) &&
                     each(walk, ENGINE_REFS, on_refs) && each(walk, ENGINE_ASIDE, on_aside);
}

bool check_vault(struct sim *sim, bool empty)
{
        struct walk walk = { .sim = sim, .good = true };

        if (sim->vault == NULL)
                return true;
        walk.engine = engine_memory_open(sim->vault);
        if (walk.engine == NULL)
                return sim_fail(sim, "no memory");
        walk_all(&walk);
        walk.engine->ops->close(walk.engine);
        buffer_deinit(&walk.sessions);
        buffer_deinit(&walk.names);
        buffer_deinit(&walk.bodies);
        if (walk.good && empty && walk.records > 0)
                return sim_fail(sim, "everybody has gone, but %u records are left", walk.records);
        return walk.good;
}
