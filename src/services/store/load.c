/* Queued messages that go back to memory. */
#include "services/store/store_internal.h"

#include "base/log.h"

/* The record under the key, and its message. False: the one or the other is not to be had. */
static bool read_one(struct store *store, uint64_t record_key, struct str *value,
                     struct message **message)
{
        struct engine *engine = store->engine;
        char           key[ENGINE_RECORD_KEY], guid_key[ENGINE_GUID_KEY];
        struct record  record;
        struct guid    guid;
        struct str     body;
        bool           damaged = false;

        *value   = (struct str){ 0 };
        *message = NULL;
        engine_record_key(record_key, key);
        if (engine->ops->get(engine, ENGINE_RECORDS, str_from(key, sizeof key), value) !=
                    ENGINE_OK ||
            !record_decode(*value, &record) || !record_message(&record, &guid))
                return false;
        engine_guid_key(guid, guid_key);
        if (engine->ops->get(engine, ENGINE_BODIES, str_from(guid_key, sizeof guid_key), &body) !=
            ENGINE_OK)
                return false;
        *message = body_decode(body, guid, &damaged);
        return *message != NULL || !damaged;
}

/* What is not to be had stays where it is for `linnet store check`: the session forgets it. */
void store_load_now(struct store *store, const struct store_load *load)
{
        struct engine  *engine = store->engine;
        struct str      values[STORE_LOAD_MAX];
        struct message *messages[STORE_LOAD_MAX];

        if (engine->ops->begin(engine) != ENGINE_OK) {
                struct store_load nothing = { .shard = load->shard, .session = load->session };

                /* With nothing read the session asks again when it is pumped next. */
                LOG(ERROR, "store.unreadable", F_TEXT("reason", engine->why));
                journal_tell_loaded(store->broker->shards[load->shard], &nothing, values, messages);
                return;
        }
        for (uint32_t i = 0; i < load->count; i++) {
                if (read_one(store, load->keys[i], &values[i], &messages[i]))
                        continue;
                LOG(ERROR, "store.damaged", F_U64("key", load->keys[i]),
                    F_TEXT("why", "a queued message cannot be read"));
                atomic_fetch_add_explicit(&store->port.stats.damaged, 1, memory_order_relaxed);
        }
        if (!journal_tell_loaded(store->broker->shards[load->shard], load, values, messages))
                for (uint32_t i = 0; i < load->count; i++)
                        message_put(messages[i]);
        engine->ops->abort(engine);
}
