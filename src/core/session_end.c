#include "core/session_end.h"

#include <assert.h>

#include "base/memory.h"
#include "core/alarm.h"
#include "core/publish.h"
#include "core/replay.h"

void session_publish_will(struct session *session)
{
        struct message *will = TAKE(session->will);     /* [MQTT-3.1.2-10] */

        loop_timer_cancel(&session->shard->loop, &session->will_timer);
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
        publish_fields(session->shard, &fields);
        message_put(will);
}

void session_drop_will(struct session *session)
{
        loop_timer_cancel(&session->shard->loop, &session->will_timer);
        message_put(TAKE(session->will));
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
                struct subscription_name name;

                if (subscription->share != delivery->share ||
                    !subscription_name_parse(subscription_name_of(subscription), &name))
                        continue;
                atomic_store_explicit(&subscription->member->online, false, memory_order_relaxed);
                if (publish_redispatch(session->shard, subscription, name.group,
                                       message_get(delivery->message)))
                        metric_add(&session->shard->metrics.messages_redispatched, 1);
                return;
        }
}

ON_SHARD static void hand_over_all(struct session *session)
{
        struct delivery delivery;

        for (struct inflight_entry *entry = inflight_first(&session->inflight); entry != NULL;
             entry = inflight_next(&session->inflight, entry))
                if (entry->delivery.qos == 1)
                        hand_over(session, &entry->delivery);
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

void session_free(struct session *session)
{
        struct shard *shard = session->shard;

        assert(session->magic == SESSION_MAGIC && session->peer == NULL);
        map_remove(&shard->sessions, session->client_id);
        stat_change(&shard->stats.sessions, -1);
        session_drop_will(session);
        loop_timer_cancel(&shard->loop, &session->expiry);
        loop_timer_cancel(&shard->loop, &session->retry);
        replay_end_all(session);
        subscription_remove_all(session);
        map_deinit(&session->subscriptions);
        inflight_deinit(&session->inflight);
        stat_change(&shard->stats.queued, -(int64_t)session->mqueue.len);
        mqueue_deinit(&session->mqueue);
        awaiting_rel_deinit(&session->awaiting_rel);
        mem_free((char *)session->client_id.ptr);
        mem_free((char *)session->username.ptr);
        session->magic = 0;
        mem_free(session);
}
