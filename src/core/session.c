#include "core/session.h"

#include <assert.h>

#include "base/memory.h"
#include "core/alarm.h"
#include "core/publish.h"
#include "core/replay.h"
#include "core/review.h"
#include "core/session_end.h"

static void on_timer(struct loop *loop, struct timer *timer);
static void on_will_due(struct loop *loop, struct timer *timer);

static void session_check(const struct session *session)
{
        assert(session->magic == SESSION_MAGIC);
        assert(session->resend_left <= session->inflight.count);
        assert(session->peer == NULL || session->peer->session == session);
}

static bool set_text(struct str *to, struct str from)
{
        char *copy = mem_dup(from);

        if (copy == NULL)
                return false;
        mem_free((char *)to->ptr);
        *to = str_from(copy, from.len);
        return true;
}

static struct str subscription_key(const void *value)
{
        return subscription_name_of(value);
}

struct session *session_new(struct shard *shard, struct str client_id)
{
        struct session *session = slab_alloc(&shard->session_slab);

        if (session == NULL)
                return NULL;
        session->magic         = SESSION_MAGIC;
        session->shard         = shard;
        session->serial        = ++shard->serial;
        session->created_us    = shard->loop.now.wall_us;
        session->from          = hash_str(&shard->broker->key, client_id);
        session->timer.fire      = on_timer;
        session->will_timer.fire = on_will_due;
        map_init(&session->subscriptions, subscription_key, shard->broker->key);
        mqueue_init(&session->mqueue);
        list_init(&session->replays);
        list_init(&session->receipts);
        if (!set_text(&session->client_id, client_id) || !map_add(&shard->sessions, session)) {
                mem_free((char *)session->client_id.ptr);
                map_deinit(&session->subscriptions);
                slab_free(&shard->session_slab, session);
                return NULL;
        }
        review_enter(session);
        stat_change(&shard->stats.sessions, 1);
        metric_add(&shard->metrics.sessions_created, 1);
        return session;
}

bool session_name_user(struct session *session, struct str username)
{
        return set_text(&session->username, username);
}

struct session *session_find(struct shard *shard, struct str client_id)
{
        return map_find(&shard->sessions, client_id);
}

ON_SHARD static void evict_peer(struct session *session)
{
        struct peer *peer = session->peer;

        if (peer == NULL)
                return;
        peer->ops->evict(peer, REASON_SESSION_TAKEN_OVER); /* [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] */
        assert(peer->session == NULL);
        session->peer    = NULL;
        session->resumed = false;
        loop_timer_cancel(&session->shard->loop, &session->timer);
        metric_add(&session->shard->metrics.sessions_takenover, 1);
}

struct session *session_open(struct shard *shard, struct str client_id, struct str username,
                             bool clean_start, bool *present)
{
        struct session *session = session_find(shard, client_id);

        *present = false;
        if (session != NULL) {
                bool was_delayed = session->will_delay_s > 0;

                session_check(session);
                evict_peer(session);
                if (clean_start || session->expiry_s == 0) {    /* [MQTT5-4.1.0-2] */
                        session_end(session, REASON_SESSION_TAKEN_OVER);
                        session = NULL;
                } else if (session->will != NULL && !was_delayed) {
                        session_publish_will(session);          /* [MQTT-3.1.2-8] */
                } else {
                        session_drop_will(session);             /* back in time [MQTT5-3.1.3-9] */
                }
        }
        if (session != NULL) {
                loop_timer_cancel(&shard->loop, &session->timer);
                *present = true;
                metric_add(&shard->metrics.sessions_resumed, 1);
        } else {
                session = session_new(shard, client_id);
                if (session == NULL)
                        return NULL;
        }
        if (!session_name_user(session, username) && !*present) {
                session_free(session);
                return NULL;
        }
        if (!*present) {
                struct hook_args args = { .shard     = shard,
                                          .client_id = session->client_id,
                                          .username  = session->username };

                hooks_run(shard->broker->hooks, HOOK_SESSION_CREATED, &args);
        }
        return session;
}

void session_bind(struct session *session, struct peer *peer)
{
        session_check(session);
        assert(session->peer == NULL && peer->session == NULL);
        session->peer    = peer;
        session->resumed = false;
        session->connected_serial++;
        peer->session = session;
        session->disconnected_us = 0;
        journal_session(session);
}

/* What the peer may have unacknowledged at once [MQTT-3.3.4-9] [MQTT5-4.9.0-1]. */
static uint32_t window_of(const struct session *session)
{
        uint32_t max = session->shard->settings->max_inflight;

        if (max == 0 || max > session->peer->receive_maximum)
                max = session->peer->receive_maximum;
        return max;
}

/* [MQTT5-4.9.0-2] */
bool session_has_room(const struct session *session)
{
        return session->peer != NULL && session->resumed && session->resend_left == 0 &&
               session->inflight.count < window_of(session);
}

/* `why`: of a drop, the reason's name. */
ON_SHARD static void tell(struct session *session, enum hook_point point, struct message *message,
                          const char *why)
{
        struct hooks *hooks = session->shard->broker->hooks;

        if (!hooks_watched(hooks, point))
                return;

        struct hook_args args = { .shard     = session->shard,
                                  .client_id = session->client_id,
                                  .username  = session->username,
                                  .message   = &message,
                                  .topic     = message_topic(message),
                                  .why       = why };

        hooks_run(hooks, point, &args);
}

ON_SHARD static void tell_dropped(struct session *session, struct message *message,
                                  const char *why)
{
        tell(session, HOOK_MESSAGE_DROPPED, message, why);
}

/* Its time has passed, and nobody has been sent it [MQTT-3.3.2-5]. */
ON_SHARD static bool has_expired(struct session *session, const struct delivery *delivery)
{
        if (!message_expired(delivery->message, session->shard->loop.now.wall_us))
                return false;
        metric_add(&session->shard->metrics.messages_dropped_expired, 1);
        tell_dropped(session, delivery->message, "expired");
        return true;
}

/* Rules have changed since it was queued, or let through a part only. */
ON_SHARD static bool is_held_in(struct session *session, const struct delivery *delivery)
{
        return (session->partly || session->revoked) && !review_lets_out(session, delivery);
}

/* What is in flight goes to the peer, first or again. False: it cannot be sent to this peer at all
 * [MQTT-3.1.2-25], or has waited too long for its record, or has lost its right meanwhile. */
ON_SHARD static bool send_entry(struct session *session, struct inflight_entry *entry)
{
        struct peer *peer  = session->peer;
        bool         again = !entry->fresh;

        if (!again &&
            (has_expired(session, &entry->delivery) || is_held_in(session, &entry->delivery)))
                return false;
        entry->fresh = false;
        if (!entry->released)
                return peer->ops->publish(peer, &entry->delivery, entry->packet_id, again) || again;
        peer->ops->release(peer, entry->packet_id);
        return true;
}

/* Sends (again) what is in flight, in the original order, as far as the peer's window goes: PUBREL
 * needs no room in it [MQTT-4.4.0-1]. What a member of a shared group was sent at QoS 2 is among it
 * [MQTT5-4.8.2-4]. What waits for its record holds up what would be sent for the first time behind
 * it, whichever of them is safe first [MQTT-4.6.0-6]. */
ON_SHARD static void resend(struct session *session)
{
        struct inflight_entry *entry = inflight_find(&session->inflight, session->resend_next);
        struct inflight_entry *held  = NULL, *next;

        for (; session->resend_left > 0; entry = next) {
                uint32_t sent = session->inflight.count - session->resend_left;

                assert(entry != NULL || held != NULL);
                if (entry == NULL)
                        break;
                next = inflight_next(&session->inflight, entry);
                if (entry->held && entry->fresh && held == NULL)
                        held = entry;
                if (!entry->unsent || (entry->fresh && held != NULL))
                        continue;
                if (!entry->released && sent >= session->peer->receive_maximum)
                        break;
                entry->unsent  = false;
                entry->sent_ms = session->shard->loop.now.mono_ms;
                session->resend_left--;
                if (!send_entry(session, entry))
                        inflight_remove(&session->inflight, entry);
        }
        entry                = held != NULL ? held : entry;
        session->resend_next = entry != NULL ? entry->packet_id : 0;
}

void session_resume(struct session *session)
{
        struct inflight_entry *entry = inflight_first(&session->inflight);

        session_check(session);
        assert(session->peer != NULL && !session->resumed);
        subscription_set_online(session, true);
        session->resumed     = true;
        session->resend_left = 0;
        session->resend_next = entry != NULL ? entry->packet_id : 0;
        for (; entry != NULL; entry = inflight_next(&session->inflight, entry)) {
                entry->unsent = !entry->held;
                session->resend_left += entry->unsent;
        }
        if (session->peer->may_retry && session->shard->settings->retry_interval_ms > 0)
                loop_timer(&session->shard->loop, &session->timer,
                           session->shard->settings->retry_interval_ms);
        session_pump(session);
}

/* To a peer that has not acknowledged it for that long. */
ON_SHARD static void retry(struct session *session)
{
        struct loop *loop  = &session->shard->loop;
        uint32_t     every = session->shard->settings->retry_interval_ms;

        if (every == 0)
                return;
        for (struct inflight_entry *entry = inflight_first(&session->inflight); entry != NULL;
             entry = inflight_next(&session->inflight, entry)) {
                if (entry->unsent || entry->held || loop->now.mono_ms - entry->sent_ms < every)
                        continue;
                entry->sent_ms = loop->now.mono_ms;
                send_entry(session, entry);
        }
        loop_timer(loop, &session->timer, every);
}

void session_unbind(struct session *session, bool publish_will)
{
        struct shard *shard = session->shard;

        session_check(session);
        assert(session->peer != NULL);
        session->peer->session = NULL;
        session->peer          = NULL;
        session->resumed       = false;
        session->resend_left   = 0;
        session->disconnected_us = shard->loop.now.wall_us;
        loop_timer_cancel(&shard->loop, &session->timer);
        subscription_set_online(session, false);
        replay_end_all(session);
        if (!publish_will)
                session_drop_will(session);
        if (session->expiry_s == 0) {
                session_end(session, REASON_NORMAL_DISCONNECTION);
                return;
        }
        journal_session(session);
        if (session->will != NULL && session->will_delay_s == 0)
                session_publish_will(session);
        else if (session->will != NULL)
                loop_timer(&shard->loop, &session->will_timer, session->will_delay_s * 1000ull);
        if (session->expiry_s != SESSION_NEVER_EXPIRES) /* [MQTT5-3.1.2-23] [MQTT5-4.1.0-2] */
                loop_timer(&shard->loop, &session->timer, session->expiry_s * 1000ull);
}

static void on_timer(struct loop *loop, struct timer *timer)
{
        struct session *session = list_entry(timer, struct session, timer);

        on_shard(loop);
        if (session->peer != NULL) {
                retry(session);
                return;
        }
        metric_add(&session->shard->metrics.sessions_expired, 1);
        session_end(session, REASON_SUCCESS);
}

static void on_will_due(struct loop *loop, struct timer *timer)
{
        on_shard(loop);
        session_publish_will(list_entry(timer, struct session, will_timer));
}

void session_set_will(struct session *session, struct message **will, uint32_t delay_s)
{
        session_drop_will(session);
        session->will         = TAKE(*will);
        session->will_epoch   = session->shard->access_epoch;
        session->will_delay_s = delay_s;
}

ON_SHARD static void enqueue(struct session *session, struct delivery *delivery)
{
        struct shard   *shard  = session->shard;
        uint32_t        before = session->mqueue.len;
        struct delivery lost;
        uint64_t        key;
        bool more = mqueue_push(&session->mqueue, shard->settings, delivery, &lost, &key);

        while (more) {
                metric_add(&shard->metrics.messages_dropped_queue, 1);
                if (lost.message != NULL)       /* else it is known by its key alone */
                        tell_dropped(session, lost.message, "queue_full");
                delivery_release(&lost);
                journal_remove_key(shard, key, false);
                more = mqueue_push(&session->mqueue, shard->settings, NULL, &lost, &key);
        }
        if (mqueue_has_back(&session->mqueue))
                journal_spill(session);
        stat_change(&shard->stats.queued, (int64_t)session->mqueue.len - before);
        if (mqueue_rose(&session->mqueue, shard->settings))
                alarm_tell(shard, SESSION_QUEUE_ALARM, session->client_id,
                           "the session's queue is above mqtt.mqueue.high_watermark");
}

/* Out to the peer, with room for it. Above QoS 0 it stays in flight under its id until the peer has
 * acknowledged it [MQTT3-4.3.2-1] [MQTT3-4.3.3-1] [MQTT5-4.3.2-2] [MQTT5-4.3.2-3] [MQTT5-4.3.3-2]
 * [MQTT5-4.3.3-3], and no longer expires [MQTT5-4.3.3-7]. */
ON_SHARD static void transmit(struct session *session, struct delivery *delivery)
{
        struct peer *peer = session->peer;

        tell(session, HOOK_MESSAGE_DELIVERED, delivery->message, NULL);
        if (delivery->qos == 0) {
                peer->ops->publish(peer, delivery, 0, false);
                delivery_release(delivery);
                return;
        }

        struct inflight_entry *entry = inflight_add(&session->inflight, delivery);

        if (entry == NULL) {
                metric_add(&session->shard->metrics.messages_dropped_memory, 1);
                tell_dropped(session, delivery->message, "no_memory");
                delivery_release(delivery);
                return;
        }
        entry->sent_ms = session->shard->loop.now.mono_ms;
        entry->fresh   = true;
        if (entry->delivery.entry != NULL &&
            !entry_send(entry->delivery.entry, entry->packet_id))
                entry->held = true;
        else if (!send_entry(session, entry))
                inflight_remove(&session->inflight, entry);
}

ON_SHARD static void drop_qos0(struct session *session, struct delivery *delivery,
                               enum congestion congestion)
{
        struct metrics *metrics = &session->shard->metrics;
        bool            limited = congestion == PEER_LIMITED;

        metric_add(limited ? &metrics->messages_dropped_rate : &metrics->messages_dropped_slow, 1);
        tell_dropped(session, delivery->message, limited ? "rate_limited" : "slow_consumer");
        delivery_release(delivery);
}

void session_deliver(struct session *session, struct delivery *delivery)
{
        struct shard *shard = session->shard;
        struct peer  *peer  = session->peer;

        session_check(session);
        if (has_expired(session, delivery)) {
                delivery_release(delivery);
                return;
        }
        entry_of_delivery(session, delivery);
        if (peer == NULL || !session->resumed) {                /* [MQTT3-3.1.2-5] */
                if (delivery->qos > 0 || shard->settings->mqueue_store_qos0)
                        enqueue(session, delivery);
                else
                        delivery_release(delivery);
        } else if (delivery->qos == 0) {
                if (!list_empty(&session->mqueue.ages[0])) {
                        enqueue(session, delivery);     /* behind its elders [MQTT-4.6.0-5] */
                        session_pump(session);
                        return;
                }
                enum congestion congestion = peer->ops->congested(peer);

                if (congestion == PEER_FREE) {
                        transmit(session, delivery);
                        return;
                }
                drop_qos0(session, delivery, congestion);
        } else if (session->mqueue.len == 0 && session_has_room(session) &&
                   !peer->ops->congested(peer)) {               /* [MQTT-4.6.0-6] */
                transmit(session, delivery);
        } else {
                enqueue(session, delivery);
        }
}

/* What may go now: anything while the window has room, QoS 0 in any case [MQTT5-3.3.4-10]
 * [MQTT5-4.9.0-3]. */
static bool next_waiting(struct session *session, struct delivery *out)
{
        return session_has_room(session) ? mqueue_pop(&session->mqueue, out)
                                         : mqueue_pop_qos0(&session->mqueue, out);
}

/* Something in flight has not been sent yet. */
static bool has_fresh(struct session *session)
{
        const struct inflight_entry *entry = inflight_first(&session->inflight);

        while (entry != NULL && !entry->fresh)
                entry = inflight_next(&session->inflight, entry);
        return entry != NULL;
}

/* Asks the store for what is next in the queue and not in memory. */
ON_SHARD static void load(struct session *session)
{
        struct store_port *store = session->shard->broker->store;
        struct store_load  load  = { .shard   = session->shard->loop.config.id,
                                     .session = session->serial };

        load.count = mqueue_to_load(&session->mqueue, load.keys, STORE_LOAD_MAX);
        if (load.count == 0)
                return;
        if (store->ops->load(store, &load))
                list_push_back(&session->shard->journal.loading, &session->in_loading);
        else
                session->mqueue.loading = false;        /* no memory: the next pump asks again */
}

/* Every acknowledgement asks, and nearly always in vain. */
static bool has_waiting(const struct session *session)
{
        return session->resend_left > 0 || session->mqueue.len > 0 || session->mqueue.alarmed ||
               session->revoked || !list_empty(&session->replays);
}

void session_pump(struct session *session)
{
        struct delivery delivery;

        session_check(session);
        if (session->busy || session->peer == NULL || !session->resumed || !has_waiting(session))
                return;
        session->busy = true;
        resend(session);
        while (!session->peer->ops->congested(session->peer) &&
               next_waiting(session, &delivery)) {
                stat_change(&session->shard->stats.queued, -1);
                if (has_expired(session, &delivery) || is_held_in(session, &delivery))
                        delivery_release(&delivery);
                else
                        transmit(session, &delivery);
        }
        session->revoked = session->revoked && (session->mqueue.len > 0 || has_fresh(session));
        if (session->mqueue.spilled > 0)
                load(session);
        if (mqueue_fell(&session->mqueue, session->shard->settings))
                alarm_tell(session->shard, SESSION_QUEUE_ALARM, session->client_id, NULL);
        if (session->mqueue.len == 0)
                replay_pump(session);
        session->busy = false;
}

/* An entry leaves the window. */
ON_SHARD static void finish(struct session *session, struct inflight_entry *entry)
{
        if (entry->unsent)
                session->resend_left--;
        if (session->resend_next == entry->packet_id)
                session->resend_next = entry->next;
        inflight_remove(&session->inflight, entry);
        session_pump(session);
}

bool session_puback(struct session *session, uint16_t packet_id)
{
        struct inflight_entry *entry = inflight_find(&session->inflight, packet_id);

        if (entry == NULL || entry->released || entry->delivery.qos != 1)
                return false;

        /* With an error, too: nobody else is offered it [MQTT5-4.4.0-2] [MQTT5-4.8.2-6]. */
        tell(session, HOOK_MESSAGE_ACKED, entry->delivery.message, NULL);
        finish(session, entry);
        return true;
}

enum pubrec session_pubrec(struct session *session, uint16_t packet_id, enum reason reason)
{
        struct inflight_entry *entry = inflight_find(&session->inflight, packet_id);

        if (entry == NULL || (!entry->released && (entry->delivery.qos != 2 || entry->held)))
                return PUBREC_UNKNOWN;
        if (!entry->released) {
                tell(session, HOOK_MESSAGE_ACKED, entry->delivery.message, NULL);
                if (entry->delivery.entry != NULL && !entry_release(entry->delivery.entry))
                        entry->held = true;
                delivery_strip(&entry->delivery);       /* never sent again [MQTT5-4.3.3-6] */
                entry->released = true;
                entry->sent_ms  = session->shard->loop.now.mono_ms;     /* of PUBREL from now on */
        }
        if (reason_is_error(reason)) {
                finish(session, entry); /* the exchange has ended, the id is free [MQTT5-4.4.0-2] */
                return PUBREC_KNOWN;
        }
        return entry->held ? PUBREC_LATER : PUBREC_KNOWN;
}

bool session_pubrel(struct session *session, uint16_t packet_id)
{
        uint64_t key;

        if (!awaiting_rel_remove(&session->awaiting_rel, packet_id, &key))
                return false;
        if (key == 0)                   /* it was released before it was kept */
                receipt_release(session, packet_id);
        journal_remove_key(session->shard, key, false);
        return true;
}

/* The first time it reaches a peer: like what is sent again, in its turn and as the window
 * allows. */
void session_go_on(struct session *session, uint16_t packet_id)
{
        struct inflight_entry *entry = inflight_find(&session->inflight, packet_id);

        assert(entry != NULL && entry->held);
        entry->held = false;
        if (session->peer == NULL || !session->resumed)
                return;
        entry->unsent = true;
        session->resend_left++;
        session->resend_next = session->inflight.first;
        session_pump(session);
}

/* Until then PUBREL is owed [MQTT5-4.3.3-5]. */
bool session_pubcomp(struct session *session, uint16_t packet_id)
{
        struct inflight_entry *entry = inflight_find(&session->inflight, packet_id);

        if (entry == NULL || !entry->released)
                return false;
        finish(session, entry);
        return true;
}
