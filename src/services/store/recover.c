/* A start: one scan of the records, in the order in which they came to be. Sessions come before
 * what is theirs. Bodies are read for what lives in memory (in flight, retained, pending, wills)
 * and not for what is queued. */
#include "services/store/store_internal.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "core/alarm.h"
#include "core/pending.h"
#include "core/replay.h"
#include "core/session.h"

struct recovery {
        struct store *store;
        struct map    sessions;         /* key -> struct session */
        uint64_t      counts[RECORD_KINDS];
        uint64_t      dropped;          /* what nobody was acknowledged for, or is nobody's */
        struct guid   newest;
        struct buffer unwanted;         /* keys of records, 8 bytes each */
        struct buffer damaged;          /* a byte of length and a key each */
        bool          no_memory;
        bool          left;             /* what is not wanted is there still: the disk is full */
};

enum outcome { TAKEN, NOT_WANTED, DAMAGED, NO_MEMORY };

static struct str session_key_of(const void *value)
{
        return str_from(&((const struct session *)value)->kept.key, sizeof(uint64_t));
}

static struct session *session_of(const struct recovery *r, uint64_t key)
{
        return map_find(&r->sessions, str_from(&key, sizeof key));
}

static void note_guid(struct recovery *r, struct guid guid)
{
        if (guid.time_us > r->newest.time_us)
                r->newest = guid;
}

/* NULL and DAMAGED or NO_MEMORY, or the message. */
static struct message *read_body(struct recovery *r, struct guid guid, enum outcome *outcome)
{
        struct engine  *engine = r->store->engine;
        char            key[ENGINE_GUID_KEY];
        struct str      value;
        struct message *message;
        bool            damaged = true;

        note_guid(r, guid);
        engine_guid_key(guid, key);
        *outcome = DAMAGED;
        if (engine->ops->get(engine, ENGINE_BODIES, str_from(key, sizeof key), &value) != ENGINE_OK)
                return NULL;
        message  = body_decode(value, guid, &damaged);
        *outcome = message != NULL ? TAKEN : damaged ? DAMAGED : NO_MEMORY;
        if (message != NULL)
                message->from = hash_str(&r->store->broker->key, message_client_id(message));
        return message;
}

ON_SHARD static enum outcome take_session(struct recovery *r, struct shard *shard, uint64_t key,
                                          const struct record_session *record)
{
        struct message *will    = NULL;
        enum outcome    outcome = TAKEN;
        struct session *session;

        if (record->has_will)
                will = read_body(r, record->will, &outcome);
        if (outcome == NO_MEMORY)
                return NO_MEMORY;
        if (session_find(shard, record->client_id) != NULL) {
                message_put(will);
                return DAMAGED;
        }
        session = session_restore(shard, record, key, will);
        if (session == NULL || !map_add(&r->sessions, session))
                return NO_MEMORY;
        return TAKEN;
}

/* Of a QoS 2 message whose publisher was never told that it came: it will come again. */
static bool was_acknowledged(struct recovery *r, const struct record_delivery *delivery)
{
        return !delivery->origin_qos2 || delivery->released ||
               marks_cover(&r->store->marks, delivery->message);
}

/* Not in the queue: its packet id is in use, and the client may acknowledge it at once. */
ON_SHARD static enum outcome take_sent(struct recovery *r, struct session *session, uint64_t key,
                                       const struct record_delivery *delivery)
{
        enum outcome    outcome;
        struct message *message = read_body(r, delivery->message, &outcome);

        if (message == NULL)
                return outcome;
        return session_restore_sent(session, delivery, message, key) ? TAKEN : NO_MEMORY;
}

ON_SHARD static enum outcome take_delivery(struct recovery *r, struct session *session,
                                           uint64_t key, const struct record_delivery *delivery)
{
        if (delivery->has_message)
                note_guid(r, delivery->message);
        if (!was_acknowledged(r, delivery))
                return NOT_WANTED;
        if (inflight_find(&session->inflight, delivery->packet_id) != NULL)
                return DAMAGED;
        if (delivery->packet_id != 0 && !delivery->released)
                return take_sent(r, session, key, delivery);
        return session_restore_delivery(session, delivery, key) ? TAKEN : NO_MEMORY;
}

ON_SHARD static enum outcome take_awaiting(struct session *session, uint64_t key,
                                           const struct record_awaiting *awaiting)
{
        uint64_t now_ms = session->shard->loop.now.mono_ms;

        if (awaiting_rel_has(&session->awaiting_rel, awaiting->packet_id))
                return NOT_WANTED;
        if (!awaiting_rel_add(&session->awaiting_rel, awaiting->packet_id, now_ms))
                return NO_MEMORY;
        awaiting_rel_set_key(&session->awaiting_rel, awaiting->packet_id, key);
        return TAKEN;
}

ON_SHARD static enum outcome take_of_session(struct recovery *r, struct session *session,
                                             uint64_t key, const struct record *record)
{
        if (record->kind == RECORD_DELIVERY)
                return take_delivery(r, session, key, &record->delivery);
        if (record->kind == RECORD_AWAITING)
                return take_awaiting(session, key, &record->awaiting);
        return subscription_restore(session, record->subscription.name,
                                    &record->subscription.options, key)
                       ? TAKEN
                       : NO_MEMORY;
}

ON_SHARD static enum outcome take_message(struct shard *shard, uint64_t key,
                                          const struct record *record, struct message *message)
{
        bool good;

        if (record->kind == RECORD_PENDING)
                return pending_restore(shard, message, key, &record->pending) ? TAKEN : NO_MEMORY;
        if (message_expired(message, shard->loop.now.wall_us)) {
                message_put(message);
                return NOT_WANTED;
        }
        good = retain_restore(shard, message, key);
        message_put(message);
        return good ? TAKEN : NO_MEMORY;
}

/* Its session has ended, and it was to be removed with a later batch; unless the session's record
 * is among the damaged ones: then it is kept aside with it. */
static enum outcome orphan(const struct recovery *r)
{
        bool damaged = atomic_load_explicit(&r->store->port.stats.damaged,
                                            memory_order_relaxed) > 0;

        return damaged ? DAMAGED : NOT_WANTED;
}

/* Where the record belongs, with the role of that shard. */
static enum outcome take_at_home(struct recovery *r, uint64_t key, const struct record *record)
{
        struct broker  *broker  = r->store->broker;
        struct session *session = session_of(r, record_session(record));
        struct message *message = NULL;
        struct shard   *shard   = NULL;
        enum outcome    outcome = TAKEN;
        struct guid     guid;

        if (record->kind == RECORD_SESSION) {
                shard = broker->shards[broker_home(broker, record->session.client_id)];
        } else if (record_session(record) != 0) {
                if (session == NULL)
                        return orphan(r);
                shard = session->shard;
        } else if (record_message(record, &guid)) {
                message = read_body(r, guid, &outcome);
                if (message == NULL)
                        return outcome;
                shard = broker->shards[broker_home(broker, message_topic(message))];
        } else {
                return DAMAGED;
        }
        role_claim(&shard->loop);
        if (record->kind == RECORD_SESSION)
                outcome = take_session(r, shard, key, &record->session);
        else if (message != NULL)
                outcome = take_message(shard, key, record, message);
        else
                outcome = take_of_session(r, session, key, record);
        role_leave();
        return outcome;
}

static enum outcome take(struct recovery *r, uint64_t key, struct str value)
{
        struct record record;
        enum outcome  outcome;

        if (!record_decode(value, &record))
                return DAMAGED;
        if (record.kind == RECORD_MARKS)
                r->store->marks = record.marks;
        outcome = record.kind == RECORD_MARKS ? TAKEN : take_at_home(r, key, &record);
        if (outcome == TAKEN)
                r->counts[record.kind]++;
        else if (outcome == NOT_WANTED)
                LOG(DEBUG, "store.dropped", F_TEXT("kind", record_kind_name(record.kind)),
                    F_U64("key", key));
        return outcome;
}

/* Nothing is changed during the scan: what is to go is noted. */
static bool note(struct recovery *r, enum outcome outcome, struct str key)
{
        const uint64_t unwanted = engine_record_key_of(key);
        const char     len      = (char)key.len;

        if (outcome == NOT_WANTED)
                return buffer_append(&r->unwanted, str_from(&unwanted, sizeof unwanted));
        if (outcome == DAMAGED && key.len > ENGINE_GUID_KEY) {  /* none of ours: it stays there */
                LOG(ERROR, "store.damaged", F_TEXT("table", engine_table_name(ENGINE_RECORDS)),
                    F_TEXT("why", "its key is too long"));
                atomic_fetch_add_explicit(&r->store->port.stats.damaged, 1, memory_order_relaxed);
                return true;
        }
        return outcome == TAKEN || (buffer_append(&r->damaged, str_from(&len, 1)) &&
                                    buffer_append(&r->damaged, key));
}

/* A damaged one's key may be the damage: nothing is numbered behind it. */
static enum engine_result scan(struct recovery *r)
{
        const struct engine_ops *ops = r->store->engine->ops;

        for (bool first = true;; first = false) {
                struct str         key, value;
                enum outcome       outcome = DAMAGED;
                enum engine_result result  = ops->walk(r->store->engine, ENGINE_RECORDS, first,
                                                       &key, &value);

                if (result == ENGINE_NONE)
                        return ENGINE_OK;
                if (result != ENGINE_OK && result != ENGINE_DAMAGED)
                        return result;
                if (result == ENGINE_OK && key.len == ENGINE_RECORD_KEY) {
                        r->store->newest_key = engine_record_key_of(key);
                        outcome              = take(r, r->store->newest_key, value);
                }
                if (outcome == NO_MEMORY || !note(r, outcome, key)) {
                        r->no_memory = true;
                        return ENGINE_FAILED;
                }
        }
}

/* ---- what goes ------------------------------------------------------------------------------- */

static enum engine_result remove_unwanted(struct recovery *r)
{
        struct str         rest   = buffer_str(&r->unwanted);
        enum engine_result result = ENGINE_OK;

        for (; rest.len > 0 && result == ENGINE_OK; rest = str_skip(rest, sizeof(uint64_t))) {
                struct store_change change = { .verb = STORE_REMOVE };

                memcpy(&change.key, rest.ptr, sizeof change.key);
                result = store_apply(r->store, &change);
        }
        return result;
}

static enum engine_result set_damaged_aside(struct recovery *r)
{
        struct engine     *engine = r->store->engine;
        enum engine_result result = ENGINE_OK;
        struct str         key, value;

        for (struct str rest = buffer_str(&r->damaged); rest.len > 0 && result == ENGINE_OK;
             rest            = str_skip(rest, 1 + key.len)) {
                key    = str_from(rest.ptr + 1, (size_t)rest.ptr[0]);
                result = engine->ops->get(engine, ENGINE_RECORDS, key, &value);
                if (result == ENGINE_OK || result == ENGINE_DAMAGED)
                        result = store_set_aside(r->store, ENGINE_RECORDS, key, value,
                                                 "the record or its message does not read");
        }
        return result;
}

/* On a disk that is full what is not wanted goes with the first batch that can be written, before
 * or with any mark that would make it wanted; what is damaged stays for the next start to find. */
static void leave_for_later(struct recovery *r)
{
        struct shard *shard = r->store->broker->shards[0];
        uint64_t      key;

        LOG(WARNING, "store.full", F_TEXT("reason", r->store->engine->why),
            F_TEXT("hint", "what must be kept is refused until there is room"));
        role_claim(&shard->loop);
        for (struct str rest = buffer_str(&r->unwanted); rest.len > 0;
             rest            = str_skip(rest, sizeof key)) {
                memcpy(&key, rest.ptr, sizeof key);
                journal_remove_key(shard, key, false);
        }
        role_leave();
}

/* Ends the transaction. */
static enum engine_result tidy(struct recovery *r)
{
        const struct engine_ops *ops    = r->store->engine->ops;
        enum engine_result       result = remove_unwanted(r);

        if (result == ENGINE_OK)
                result = set_damaged_aside(r);
        if (result == ENGINE_OK)
                result = ops->commit(r->store->engine);
        else
                ops->abort(r->store->engine);
        if (result != ENGINE_FULL)
                return result;
        leave_for_later(r);
        r->left = true;
        return ENGINE_OK;
}

/* What is left was acknowledged: one mark says so for all sources, or those of brokers of other
 * names, and of shards that there are no more, would fill the room there is. It goes with the next
 * batch; not while there is what is not wanted, which would be by that mark. */
static void renew_marks(struct recovery *r)
{
        struct record_marks *marks = &r->store->marks;

        for (uint32_t i = 0; i < marks->count; i++)
                note_guid(r, marks->newest[i]);
        if (r->left)
                return;
        *marks = (struct record_marks){ .count = r->newest.time_us != 0 };
        marks->newest[0].time_us = r->newest.time_us;
        r->store->new_marks      = true;
}

/* New keys and guids follow the newest that are stored, even when the clock has stepped back. */
static void go_on_behind(struct recovery *r)
{
        struct broker *broker = r->store->broker;

        for (unsigned i = 0; i < broker->shard_count; i++) {
                struct shard *shard = broker->shards[i];

                if (shard->journal.next_key <= r->store->newest_key / SHARDS_MAX)
                        shard->journal.next_key = r->store->newest_key / SHARDS_MAX + 1;
                if (shard->guids.last_us < r->newest.time_us + 1)
                        shard->guids.last_us = r->newest.time_us + 1;
        }
}

/* Told in the first turn, when there is somebody to hear of it. */
static void tell_damage(const struct store *store)
{
        struct shard *shard = store->broker->shards[0];

        if (atomic_load_explicit(&store->port.stats.damaged, memory_order_relaxed) == 0)
                return;
        role_claim(&shard->loop);
        alarm_tell(shard, "store_damaged", str_of(store->broker->node_name),
                   "records could not be read and were set aside");
        role_leave();
}

static bool give_up(const struct recovery *r)
{
        LOG(ERROR, "store.unusable",
            F_TEXT("reason", r->no_memory ? "out of memory" : r->store->engine->why),
            F_TEXT("hint", "nothing was changed; linnet store check looks at it"));
        return false;
}

static enum engine_result read_all(struct recovery *r)
{
        struct engine     *engine = r->store->engine;
        enum engine_result result = engine->ops->begin(engine);

        if (result != ENGINE_OK)
                return result;
        map_init(&r->sessions, session_key_of, r->store->broker->key);
        result = scan(r);
        map_deinit(&r->sessions);
        if (result == ENGINE_OK)
                result = tidy(r);
        else
                engine->ops->abort(engine);
        if (result == ENGINE_OK)
                engine->ops->rest(engine);
        return result;
}

bool store_recover(struct store *store)
{
        struct engine     *engine = store->engine;
        struct recovery    r      = { .store = store };
        enum engine_result result = read_all(&r);

        r.dropped = buffer_len(&r.unwanted) / sizeof(uint64_t);
        buffer_deinit(&r.unwanted);
        buffer_deinit(&r.damaged);
        if (result != ENGINE_OK)
                return give_up(&r);
        renew_marks(&r);
        go_on_behind(&r);
        tell_damage(store);
        atomic_store_explicit(&store->port.stats.disk_bytes, engine->ops->bytes(engine),
                              memory_order_relaxed);
        LOG(INFO, "store.open", F_TEXT("engine", engine->ops->name),
            F_U64("sessions", r.counts[RECORD_SESSION]),
            F_U64("subscriptions", r.counts[RECORD_SUBSCRIPTION]),
            F_U64("queued", r.counts[RECORD_DELIVERY]),
            F_U64("retained", r.counts[RECORD_RETAINED]),
            F_U64("pending", r.counts[RECORD_PENDING]), F_U64("dropped", r.dropped),
            F_U64("damaged", atomic_load_explicit(&store->port.stats.damaged,
                                                  memory_order_relaxed)));
        return true;
}
