/* Sessions that outlive the process: how they are kept, and how their messages come back. */
#include "core/session.h"

#include <assert.h>

#include "base/memory.h"
#include "core/record.h"

/* Whoever publishes looks at it first: without such sessions nothing need be kept for them. */
static void count_kept(struct session *session)
{
        atomic_fetch_add_explicit(&session->shard->broker->kept_sessions, 1, memory_order_relaxed);
}

void session_keep(struct session *session, enum durability durability)
{
        struct journal      *journal = &session->shard->journal;
        struct subscription *subscription;
        size_t               at = 0;

        if (journal->closed || session->durability >= durability)
                return;

        bool kept = session->durability != DURABILITY_MEMORY;

        session->durability = durability;
        if (kept)
                return;
        count_kept(session);
        journal_session(session);               /* first: the others name its key */
        while ((subscription = map_next(&session->subscriptions, &at)) != NULL)
                journal_subscription(subscription);
        for (struct inflight_entry *entry = inflight_first(&session->inflight); entry != NULL;
             entry = inflight_next(&session->inflight, entry))
                if (!entry->released && entry_of_delivery(session, &entry->delivery) &&
                    entry->delivery.entry != NULL)
                        entry->delivery.entry->packet_id = entry->packet_id;
        mqueue_each(&session->mqueue, entry_of_delivery, session);
}

/* What is left of an interval that began at a time of the wall clock, which may have stepped
 * since. */
static uint64_t left_ms(uint64_t since_us, uint64_t interval_s, uint64_t now_us)
{
        uint64_t passed_ms = now_us > since_us ? (now_us - since_us) / 1000 : 0;

        return interval_s * 1000 > passed_ms ? interval_s * 1000 - passed_ms : 0;
}

/* The connections of a process that died end when the next one begins. */
ON_SHARD static void wait_for_client(struct session *session, const struct record_session *record)
{
        struct loop *loop   = &session->shard->loop;
        uint64_t     now_us = loop->now.wall_us;

        session->disconnected_us = record->disconnected_us != 0 ? record->disconnected_us : now_us;
        if (record->disconnected_us == 0)
                journal_session(session);
        if (session->will != NULL)
                loop_timer(loop, &session->will_timer,
                           left_ms(session->disconnected_us, record->will_delay_s, now_us));
        if (record->expiry_s != SESSION_NEVER_EXPIRES)
                loop_timer(loop, &session->timer,
                           left_ms(session->disconnected_us, record->expiry_s, now_us));
}

struct session *session_restore(struct shard *shard, const struct record_session *record,
                                uint64_t key, struct message *will)
{
        struct session *session = session_find(shard, record->client_id) == NULL
                                          ? session_new(shard, record->client_id)
                                          : NULL;

        if (session == NULL || !session_name_user(session, record->username)) {
                message_put(will);
                return NULL;
        }
        session->kept         = (struct kept){ .key = key, .kind = KEPT_SESSION, .posted = true };
        session->created_us   = record->created_us;
        session->expiry_s     = record->expiry_s;
        session->durability   = (enum durability)record->durability < shard->broker->store->level
                                        ? (enum durability)record->durability
                                        : shard->broker->store->level;
        session->will         = will;
        session->will_delay_s = record->will_delay_s;
        session->superuser    = record->superuser;
        session->revoked      = true;   /* nothing stored says what has ended before */
        session->granted      = record->granted;
        if (session->durability != DURABILITY_MEMORY)
                count_kept(session);
        if (will != NULL)
                will->from = session->from;
        wait_for_client(session, record);
        return session;
}

/* PUBREC had come: PUBREL is owed, and no message any more. */
ON_SHARD static bool restore_released(struct session *session, const struct record_delivery *d,
                                      uint64_t key)
{
        struct delivery        delivery = { .qos = 2 };
        struct inflight_entry *entry    = NULL;

        if (entry_adopt_delivery(session, &delivery, key) == NULL)
                return false;
        delivery.entry->released  = true;
        delivery.entry->packet_id = d->packet_id;
        entry = inflight_restore(&session->inflight, &delivery, d->packet_id);
        if (entry == NULL) {
                entry_leave(TAKE(delivery.entry));
                return false;
        }
        entry->released = true;
        return true;
}

bool session_restore_delivery(struct session *session, const struct record_delivery *d,
                              uint64_t key)
{
        const struct mqueue_spilled spilled = {
                .key = key, .size = d->size, .qos = d->qos, .shared = d->shared
        };

        if (d->released)
                return restore_released(session, d, key);
        if (!mqueue_restore(&session->mqueue, &spilled, d->priority))
                return false;
        stat_change(&session->shard->stats.queued, 1);
        return true;
}

/* The shared subscription that may have brought it; 0: there is none any more. */
static uint32_t share_of(const struct session *session, struct str topic)
{
        struct subscription *subscription;
        size_t               at = 0;

        while ((subscription = map_next(&session->subscriptions, &at)) != NULL)
                if (subscription->share != 0 &&
                    topic_matches(route_filter(subscription->route), topic))
                        return subscription->share;
        return 0;
}

/* What is in the record and not in the message. False without memory. */
static bool delivery_of(const struct session *session, const struct record_delivery *d,
                        struct message *message, struct delivery *out)
{
        bool good = true;

        *out = (struct delivery){ .message = message, .qos = d->qos, .retain = d->retain };
        if (d->shared)
                out->share = share_of(session, message_topic(message));
        for (uint32_t i = 0; i < d->id_count; i++)
                good &= delivery_add_id(out, d->ids[i]);
        return good;
}

/* The delivery as it was when its record was made, and takes the message. False without memory. */
ON_SHARD static bool remake(struct session *session, uint64_t key, const struct record_delivery *d,
                            struct message *message, struct delivery *out)
{
        message->from = hash_str(&session->shard->broker->key, message_client_id(message));
        if (!delivery_of(session, d, message, out) ||
            entry_adopt_delivery(session, out, key) == NULL) {
                delivery_release(out);
                return false;
        }
        out->entry->packet_id = d->packet_id;
        out->entry->priority  = d->priority;
        return true;
}

bool session_restore_sent(struct session *session, const struct record_delivery *d,
                          struct message *message, uint64_t key)
{
        struct delivery delivery;

        if (!remake(session, key, d, message, &delivery))
                return false;
        if (inflight_restore(&session->inflight, &delivery, d->packet_id) != NULL)
                return true;
        entry_leave(TAKE(delivery.entry));
        delivery_release(&delivery);
        return false;
}

ON_SHARD static bool take_back(struct session *session, uint64_t key, const struct record *record,
                               struct message *message)
{
        struct delivery delivery;

        if (!remake(session, key, &record->delivery, message, &delivery))
                return false;
        if (mqueue_loaded(&session->mqueue, key, &delivery))
                return true;
        entry_leave(TAKE(delivery.entry));
        delivery_release(&delivery);
        return false;
}

bool session_load(struct session *session, uint64_t key, const struct record *record,
                  struct message *message)
{
        if (!mqueue_wants(&session->mqueue, key)) {     /* dropped meanwhile */
                message_put(message);
        } else if (message != NULL && record->kind == RECORD_DELIVERY) {
                return take_back(session, key, record, message);
        } else {
                message_put(message);
                mqueue_lost(&session->mqueue, key);
                stat_change(&session->shard->stats.queued, -1);
                metric_add(&session->shard->metrics.messages_dropped_damaged, 1);
        }
        return true;
}

void session_loads_end(struct session *session)
{
        session->mqueue.loading = false;
        list_remove(&session->in_loading);
        session_pump(session);
}
