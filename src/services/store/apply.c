/* One change after the other: records, the bodies that they refer to, and how often. */
#include "services/store/store_internal.h"

#include "base/log.h"
#include "base/memory.h"

/* A count that is damaged is one that never ends: rather a body too many than one too few. `linnet
 * store compact` counts anew. */
enum { REFS_UNKNOWN = 1 << 30 };

static enum engine_result get_refs(struct store *store, struct str key, uint32_t *refs)
{
        struct str         value;
        enum engine_result result;

        result = store->engine->ops->get(store->engine, ENGINE_REFS, key, &value);
        *refs  = result == ENGINE_NONE ? 1 : REFS_UNKNOWN;
        if (result == ENGINE_OK && value.len == sizeof *refs)
                memcpy(refs, value.ptr, sizeof *refs);
        return result == ENGINE_NONE || result == ENGINE_DAMAGED ? ENGINE_OK : result;
}

static enum engine_result put_refs(struct store *store, struct str key, uint32_t refs)
{
        enum engine_result result;

        if (refs > 1)
                return store->engine->ops->put(store->engine, ENGINE_REFS, key,
                                               str_from(&refs, sizeof refs));
        result = store->engine->ops->remove(store->engine, ENGINE_REFS, key);
        return result == ENGINE_NONE ? ENGINE_OK : result;
}

/* The body, unless it is there and whole: THERE. */
static enum engine_result add_body(struct store *store, struct str key,
                                   const struct message *message)
{
        const struct engine_ops *ops = store->engine->ops;
        struct str               body, there;
        enum engine_result       result;

        buffer_consume(&store->scratch, buffer_len(&store->scratch));
        if (!body_encode(&store->scratch, message))
                return ENGINE_FAILED;
        body   = buffer_str(&store->scratch);
        result = ops->add(store->engine, ENGINE_BODIES, key, body);
        if (result == ENGINE_THERE) {
                result = ops->get(store->engine, ENGINE_BODIES, key, &there);
                if (result == ENGINE_DAMAGED)   /* the others have use of it, too */
                        result = ops->put(store->engine, ENGINE_BODIES, key, body);
                if (result == ENGINE_OK)
                        result = ENGINE_THERE;
        }
        return result;
}

/* One more record refers to the message; the first one brings the body along. Records of one
 * message come one after the other: what was the last body is known to be there. */
static enum engine_result refer(struct store *store, const struct message *message)
{
        char               bytes[ENGINE_GUID_KEY];
        struct str         key    = str_from(bytes, sizeof bytes);
        enum engine_result result = ENGINE_THERE;
        uint32_t           refs;

        engine_guid_key(message->guid, bytes);
        if (guid_compare(store->last_body, message->guid) != 0)
                result = add_body(store, key, message);
        if (result == ENGINE_OK || result == ENGINE_THERE)
                store->last_body = message->guid;
        if (result != ENGINE_THERE)
                return result;
        result = get_refs(store, key, &refs);
        return result == ENGINE_OK ? put_refs(store, key, refs + 1) : result;
}

static enum engine_result unrefer(struct store *store, struct guid guid)
{
        char               bytes[ENGINE_GUID_KEY];
        struct str         key = str_from(bytes, sizeof bytes);
        enum engine_result result;
        uint32_t           refs;

        engine_guid_key(guid, bytes);
        result = get_refs(store, key, &refs);
        if (result != ENGINE_OK)
                return result;
        if (refs > 1)
                return put_refs(store, key, refs - 1);
        store->last_body = (struct guid){ 0 };
        result           = store->engine->ops->remove(store->engine, ENGINE_BODIES, key);
        return result == ENGINE_NONE ? ENGINE_OK : result;
}

/* What the record refers to before it is replaced or goes; *refers false: nothing. */
static enum engine_result look_before(struct store *store, struct str key, bool *refers,
                                      struct guid *guid)
{
        struct str         value;
        struct record      record;
        enum engine_result result =
                store->engine->ops->get(store->engine, ENGINE_RECORDS, key, &value);

        *refers = result == ENGINE_OK && record_decode(value, &record) &&
                  record_message(&record, guid);
        return result == ENGINE_NONE || result == ENGINE_DAMAGED ? ENGINE_OK : result;
}

static enum engine_result apply_put(struct store *store, const struct store_change *change,
                                    struct str key)
{
        enum engine_result result   = ENGINE_OK;
        bool               referred = false, refers = change->message != NULL;
        struct guid        before   = { 0 };

        if (change->again)
                result = look_before(store, key, &referred, &before);
        if (referred && refers && guid_compare(before, change->message->guid) == 0)
                referred = refers = false;              /* the same as before */
        if (result == ENGINE_OK)
                result = store->engine->ops->put(store->engine, ENGINE_RECORDS, key,
                                                 str_from(change->value, change->value_len));
        if (result == ENGINE_OK && refers)
                result = refer(store, change->message);
        if (result == ENGINE_OK && referred)
                result = unrefer(store, before);
        return result;
}

static enum engine_result apply_remove(struct store *store, struct str key)
{
        bool               referred = false;
        struct guid        before   = { 0 };
        enum engine_result result   = look_before(store, key, &referred, &before);

        if (result == ENGINE_OK)
                result = store->engine->ops->remove(store->engine, ENGINE_RECORDS, key);
        if (result == ENGINE_NONE)
                result = ENGINE_OK;
        if (result == ENGINE_OK && referred)
                result = unrefer(store, before);
        return result;
}

struct guid *marks_find(struct record_marks *marks, struct guid guid)
{
        for (uint32_t i = 0; i < marks->count; i++)
                if (marks->newest[i].origin >> 16 == guid.origin >> 16)
                        return &marks->newest[i];
        return NULL;
}

static void apply_mark(struct record_marks *marks, struct guid guid)
{
        struct guid *mark = marks_find(marks, guid);

        if (mark != NULL)
                *mark = guid;
        else if (marks->count < RECORD_MARKS_MAX)       /* one per shard, and that of the start */
                marks->newest[marks->count++] = guid;
}

bool marks_cover(struct record_marks *marks, struct guid guid)
{
        const struct guid *own = marks_find(marks, guid);
        const struct guid *all = marks_find(marks, (struct guid){ 0 });

        return (own != NULL && guid_compare(guid, *own) <= 0) ||
               (all != NULL && guid.time_us <= all->time_us);
}

enum engine_result store_apply(struct store *store, const struct store_change *change)
{
        char       bytes[ENGINE_RECORD_KEY];
        struct str key = str_from(bytes, sizeof bytes);

        engine_record_key(change->key, bytes);
        switch (change->verb) {
        case STORE_PUT:
                if (change->guid.time_us != 0)
                        apply_mark(&store->next_marks, change->guid);
                return apply_put(store, change, key);
        case STORE_REMOVE:
                return apply_remove(store, key);
        case STORE_MARK:
                apply_mark(&store->next_marks, change->guid);
                break;
        }
        return ENGINE_OK;
}

/* Its key tells the table, too. */
enum engine_result store_set_aside(struct store *store, enum engine_table table, struct str key,
                                   struct str value, const char *why)
{
        char               name[ENGINE_ASIDE_KEY];
        struct str         aside = engine_aside_key(table, key, name);
        enum engine_result result;

        if (key.len > ENGINE_GUID_KEY)
                return ENGINE_FAILED;
        key = str_skip(aside, 1);               /* a copy: the first change ends the view */
        LOG(ERROR, "store.damaged", F_TEXT("table", engine_table_name(table)),
            F_U64("key", table == ENGINE_RECORDS ? engine_record_key_of(key)
                                                 : engine_guid_of(key).time_us),
            F_TEXT("why", why), F_TEXT("hint", "it was set aside; linnet store dump shows it"));
        atomic_fetch_add_explicit(&store->port.stats.damaged, 1, memory_order_relaxed);
        buffer_consume(&store->scratch, buffer_len(&store->scratch));
        if (!buffer_append(&store->scratch, value))
                return ENGINE_FAILED;
        result = store->engine->ops->remove(store->engine, table, key);
        if (result == ENGINE_OK)
                result = store->engine->ops->put(store->engine, ENGINE_ASIDE, aside,
                                                 buffer_str(&store->scratch));
        return result;
}
