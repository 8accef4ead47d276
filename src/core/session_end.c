#include "core/session_end.h"

#include <assert.h>

#include "base/memory.h"
#include "core/alarm.h"
#include "core/due.h"
#include "core/pending.h"
#include "core/publish.h"
#include "core/replay.h"
#include "core/review.h"

/* Takes the will, which is published once [MQTT-3.1.2-10]. NULL: there is nothing to publish. */
ON_SHARD static struct message *take_will(struct session *session)
{
        loop_timer_cancel(&session->shard->loop, &session->will_timer);
        return TAKE(session->will);
}

/* Rules that are the same as when it was allowed have been asked. */
ON_SHARD static void leave(struct session *session, struct message *will, struct entry *entry)
{
        bool granted = session->superuser || session->granted;

        if (entry != NULL)
                entry->granted = granted;
        due_publish(session->shard, will, entry, granted,
                    session->will_epoch == session->shard->access_epoch);
}

void session_publish_will(struct session *session)
{
        struct message *will = take_will(session);

        if (will == NULL)
                return;

        /* The will's expiry counts from now, when it is published. */
        struct message_fields fields = {
                .topic     = message_topic(will),
                .payload   = message_payload(will),
                .qos       = will->qos,
                .retain    = will->retain,
                .client_id = message_client_id(will),
                .username  = message_username(will),
                .from      = will->from,
        };
        struct properties properties = { .raw = message_properties(will) };

        if (properties.raw.len > 0)     /* whichever they are: .raw is what is passed on */
                property_set(&properties, PROPERTY_USER_PROPERTY);      /* [MQTT5-3.1.3-10] */
        if (will->expires_us != 0) {
                property_set(&properties, PROPERTY_MESSAGE_EXPIRY);
                properties.message_expiry_s = (uint32_t)(will->expires_us / 1000000);
        }
        fields.properties = &properties;

        struct message *due   = message_stamp(session->shard, &fields);
        struct entry   *entry = NULL;

        if (due != NULL && session->durability != DURABILITY_MEMORY)
                entry = entry_of_pending(session->shard, due, session->shard->loop.now.wall_us,
                                         (struct str){ 0 });
        if (due != NULL)
                leave(session, due, entry);
        message_put(will);
        journal_session(session);               /* which has no will any more */
}

void session_drop_will(struct session *session)
{
        loop_timer_cancel(&session->shard->loop, &session->will_timer);
        message_put(TAKE(session->will));
}

/* Its publisher may send it again, since it was not told yet that it is safe: another member owes
 * to it as this one did, and a crash takes both back. */
ON_SHARD static bool is_unconfirmed(const struct delivery *delivery)
{
        return delivery->entry != NULL && !entry_is_confirmed(delivery->entry);
}

/* Else a message of its own, which is kept meanwhile. */
ON_SHARD static void pass_on(struct session *session, const struct subscription *subscription,
                             const struct delivery *delivery)
{
        struct shard         *shard   = session->shard;
        const struct message *message = delivery->message;
        const struct pending_to to    = { subscription_name_of(subscription),
                                          subscription->member };
        struct message       *copy;

        if (is_unconfirmed(delivery)) {
                publish_to_group(shard, to.name, to.except, message_get(delivery->message));
                return;
        }
        copy = message_renew(message, message_topic(message),
                             guid_next(&shard->guids, shard->loop.now.wall_us));
        if (copy == NULL)
                metric_add(&shard->metrics.messages_dropped_memory, 1);
        else if (session->durability != DURABILITY_MEMORY)
                pending_publish(shard, copy, &to);
        else
                publish_to_group(shard, to.name, to.except, copy);
}

/* Hands a message of a shared group to another member: those that this session has never been
 * sent, and QoS 1 that it has not acknowledged. QoS 2 in flight must not go to another
 * [MQTT-4.8.2-5]. */
ON_SHARD static void hand_over(struct session *session, const struct delivery *delivery)
{
        size_t               at = 0;
        struct subscription *subscription;

        if (delivery->share == 0 || delivery->message == NULL)
                return;
        while ((subscription = map_next(&session->subscriptions, &at)) != NULL) {
                if (subscription->share != delivery->share)
                        continue;
                atomic_store_explicit(&subscription->member->online, false, memory_order_relaxed);
                pass_on(session, subscription, delivery);
                entry_replace(delivery->entry);
                return;
        }
}

/* A member that is to leave, and its session. */
struct leaving_member {
        struct session            *session;
        const struct subscription *subscription;
};

static bool is_of_another(void *context, const struct delivery *delivery)
{
        return delivery->share != ((const struct leaving_member *)context)->subscription->share;
}

UNCHECKED static void pass_on_queued(void *context, struct delivery *delivery)
{
        const struct leaving_member *member = context;

        stat_change(&member->session->shard->stats.queued, -1);
        hand_over(member->session, delivery);
        delivery_release(delivery);
}

void session_hand_over(struct session *session, const struct subscription *subscription)
{
        struct leaving_member member = { session, subscription };

        if (subscription->share != 0)
                mqueue_sift(&session->mqueue, is_of_another, pass_on_queued, &member);
}

ON_SHARD static void hand_over_all(struct session *session)
{
        struct mqueue_spilled spilled;
        struct delivery       delivery;

        for (struct inflight_entry *entry = inflight_first(&session->inflight); entry != NULL;
             entry = inflight_next(&session->inflight, entry))
                if (entry->delivery.qos == 1)
                        hand_over(session, &entry->delivery);
        while (mqueue_pop_spilled(&session->mqueue, &spilled)) {
                stat_change(&session->shard->stats.queued, -1);
                if (spilled.shared)     /* known by its key alone: nobody can be given it */
                        metric_add(&session->shard->metrics.messages_dropped_queue, 1);
                journal_remove_key(session->shard, spilled.key, false);
        }
        while (mqueue_pop(&session->mqueue, &delivery)) {
                stat_change(&session->shard->stats.queued, -1);
                hand_over(session, &delivery);
                delivery_release(&delivery);
        }
}

/* Retained messages are not the session's and stay [MQTT3-3.1.2-7]. */
void session_end(struct session *session, enum reason why)
{
        struct shard    *shard = session->shard;
        struct hook_args args  = { .shard     = shard,
                                   .client_id = session->client_id,
                                   .username  = session->username,
                                   .reason    = why };

        assert(session->peer == NULL);          /* [MQTT-4.1.0-1] [MQTT3-4.1.0-2] */
        hand_over_all(session);
        if (mqueue_fell(&session->mqueue, shard->settings))
                alarm_tell(shard, SESSION_QUEUE_ALARM, session->client_id, NULL);
        replay_end_all(session);
        subscription_remove_all(session);
        session_publish_will(session);          /* due at the session's end at the latest */
        hooks_run(shard->broker->hooks, HOOK_SESSION_TERMINATED, &args);
        metric_add(&shard->metrics.sessions_terminated, 1);
        session_free(session);
}

/* Messages that it published at QoS 2 and that are not safe yet go on without it. */
ON_SHARD static void forget_receipts(struct session *session)
{
        struct list *link;

        while ((link = list_pop(&session->receipts)) != NULL)
                list_entry(link, struct receipt, in_session)->session = NULL;
}

void session_free(struct session *session)
{
        struct shard *shard = session->shard;
        uint64_t      key;

        assert(session->magic == SESSION_MAGIC && session->peer == NULL);
        map_remove(&shard->sessions, session->client_id);
        review_leave(session);
        stat_change(&shard->stats.sessions, -1);
        session_drop_will(session);
        loop_timer_cancel(&shard->loop, &session->timer);
        replay_end_all(session);
        subscription_remove_all(session);
        map_deinit(&session->subscriptions);
        inflight_deinit(&session->inflight);
        stat_change(&shard->stats.queued, -(int64_t)session->mqueue.len);
        mqueue_deinit(&session->mqueue);
        forget_receipts(session);
        while (awaiting_rel_pop(&session->awaiting_rel, &key))
                journal_remove_key(shard, key, true);   /* with the session, and no earlier: one
                                                         * that comes back without them would take
                                                         * what is sent again for new */
        if (list_linked(&session->in_spilling))
                list_remove(&session->in_spilling);
        if (list_linked(&session->in_loading))
                list_remove(&session->in_loading);
        journal_forget(shard, &session->kept, true);    /* what is handed over is its still */
        if (session->durability != DURABILITY_MEMORY)
                atomic_fetch_sub_explicit(&shard->broker->kept_sessions, 1, memory_order_relaxed);
        mem_free((char *)session->client_id.ptr);
        mem_free((char *)session->username.ptr);
        session->magic = 0;
        slab_free(&shard->session_slab, session);
}
