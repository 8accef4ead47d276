/* Queued messages that go back to memory. */
#include "services/store/store_internal.h"

#include "base/log.h"

enum found { FOUND, GONE, RECORD_DAMAGED, BODY_DAMAGED };

/* The record under the key, and its message. GONE: removed meanwhile, or the engine fails. */
static enum found read_one(struct store *store, uint64_t record_key, struct str *value,
                           struct message **message)
{
        struct engine     *engine = store->engine;
        char               key[ENGINE_RECORD_KEY], guid_key[ENGINE_GUID_KEY];
        enum engine_result result;
        struct record      record;
        struct guid        guid;
        struct str         body;
        bool               damaged = false;

        *value   = (struct str){ 0 };
        *message = NULL;
        engine_record_key(record_key, key);
        result = engine->ops->get(engine, ENGINE_RECORDS, str_from(key, sizeof key), value);
        if (result != ENGINE_OK) {
                *value = (struct str){ 0 };
                return result == ENGINE_DAMAGED ? RECORD_DAMAGED : GONE;
        }
        if (!record_decode(*value, &record) || !record_message(&record, &guid))
                return RECORD_DAMAGED;
        engine_guid_key(guid, guid_key);
        result = engine->ops->get(engine, ENGINE_BODIES, str_from(guid_key, sizeof guid_key),
                                  &body);
        if (result != ENGINE_OK)
                return result == ENGINE_DAMAGED || result == ENGINE_NONE ? BODY_DAMAGED : GONE;
        *message = body_decode(body, guid, &damaged);
        return damaged ? BODY_DAMAGED : FOUND;
}

/* The body of a record that is well; another record of it may have set it aside before: the record
 * is then. */
static enum engine_result set_body_aside(struct store *store, uint64_t record_key, struct str key,
                                         struct str value)
{
        struct engine      *engine = store->engine;
        struct store_change change = { .verb = STORE_REMOVE, .key = record_key };
        char                guid_key[ENGINE_GUID_KEY];
        struct record       record;
        struct guid         guid;
        struct str          body;
        enum engine_result  result;

        if (!record_decode(value, &record) || !record_message(&record, &guid))
                return ENGINE_FAILED;
        engine_guid_key(guid, guid_key);
        result = engine->ops->get(engine, ENGINE_BODIES, str_from(guid_key, sizeof guid_key),
                                  &body);
        if (result == ENGINE_NONE)
                return store_set_aside(store, ENGINE_RECORDS, key, value, "its message is gone");
        if (result != ENGINE_OK && result != ENGINE_DAMAGED)
                return result;
        result = store_set_aside(store, ENGINE_BODIES, str_from(guid_key, sizeof guid_key), body,
                                 "a queued message does not read");
        return result == ENGINE_OK ? store_apply(store, &change) : result;
}

static enum engine_result set_aside(struct store *store, uint64_t record_key, enum found found)
{
        struct engine     *engine = store->engine;
        char               bytes[ENGINE_RECORD_KEY];
        struct str         key = str_from(bytes, sizeof bytes), value;
        enum engine_result result;

        engine_record_key(record_key, bytes);
        result = engine->ops->get(engine, ENGINE_RECORDS, key, &value);
        if (result != ENGINE_OK && result != ENGINE_DAMAGED)
                return result;
        return found == BODY_DAMAGED
                       ? set_body_aside(store, record_key, key, value)
                       : store_set_aside(store, ENGINE_RECORDS, key, value, "it does not read");
}

/* The session forgets what is not to be had, and the store sets it aside. */
void store_load_now(struct store *store, const struct store_load *load)
{
        struct engine     *engine = store->engine;
        struct str         values[STORE_LOAD_MAX];
        struct message    *messages[STORE_LOAD_MAX];
        enum found         found[STORE_LOAD_MAX];
        enum engine_result result  = ENGINE_OK;
        bool               damaged = false;

        if (engine->ops->begin(engine) != ENGINE_OK) {
                struct store_load nothing = { .shard = load->shard, .session = load->session };

                /* With nothing read the session asks again when it is pumped next. */
                LOG(ERROR, "store.unreadable", F_TEXT("reason", engine->why));
                journal_tell_loaded(store->broker->shards[load->shard], &nothing, values, messages);
                return;
        }
        for (uint32_t i = 0; i < load->count; i++) {
                found[i] = read_one(store, load->keys[i], &values[i], &messages[i]);
                damaged |= found[i] == RECORD_DAMAGED || found[i] == BODY_DAMAGED;
        }
        if (!journal_tell_loaded(store->broker->shards[load->shard], load, values, messages))
                for (uint32_t i = 0; i < load->count; i++)
                        message_put(messages[i]);
        for (uint32_t i = 0; i < load->count && damaged && result == ENGINE_OK; i++)
                if (found[i] == RECORD_DAMAGED || found[i] == BODY_DAMAGED)
                        result = set_aside(store, load->keys[i], found[i]);
        if (!damaged || result != ENGINE_OK)
                engine->ops->abort(engine);
        else if (engine->ops->commit(engine) != ENGINE_OK)
                LOG(ERROR, "store.unwritten", F_TEXT("reason", engine->why));
}
