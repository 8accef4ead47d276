/* PUBLISH from a client. */
#include "client/protocol.h"

#include <assert.h>

#include "client/mount.h"
#include "core/pressure.h"
#include "core/publish.h"
#include "mqtt/topic.h"

static bool connection_allows(struct client *c, const struct publish_packet *p) ON_SHARD;
static bool resolve_topic(struct client *c, const struct publish_packet *p,
                          struct str *topic) ON_SHARD;
static bool limits_allow(struct client *c, const struct publish_packet *p,
                         struct str topic) ON_SHARD;
static bool window_allows(struct client *c, const struct publish_packet *p) ON_SHARD;
static bool memory_allows(struct client *c, const struct publish_packet *p) ON_SHARD;
static void answer(struct client *c, const struct publish_packet *p, enum reason reason) ON_SHARD;
static void deny(struct client *c, const struct publish_packet *p, enum reason reason) ON_SHARD;
static void publish_it(struct client *c, const struct publish_packet *p,
                       struct str topic) ON_SHARD;
static bool is_kept(struct client *c, const struct publish_packet *p,
                    struct str topic) ON_SHARD;
static void answer_when_safe(struct client *c, const struct publish_packet *p,
                             struct receipt *receipt, enum reason reason) ON_SHARD;
static void publish_unkept(struct client *c, const struct publish_packet *p) ON_SHARD;
static void count_message(struct client *c, unsigned qos) ON_SHARD;

void on_publish(struct client *c, const struct packet *packet)
{
        const struct publish_packet *p = &packet->publish;
        struct question              question = { .kind   = ACCESS_PUBLISH,
                                                  .qos    = p->qos,
                                                  .retain = p->retain };
        struct str                   topic;
        enum reason                  reason;
        uint32_t                     delay_s;

        if (!connection_allows(c, p) || !resolve_topic(c, p, &topic) || !window_allows(c, p))
                return;
        if (!topic_is_plain(topic) && topic_is_system(topic)) {
                publish_refuse(c, p, REASON_NOT_AUTHORIZED, "$SYS is the broker's own");
                return;
        }
        if (!limits_allow(c, p, topic))
                return;
        if (c->mount.ptr != NULL)
                topic = mount_topic(c, topic);
        if (topic.ptr == NULL) {
                publish_refuse(c, p, REASON_TOPIC_NAME_INVALID, "too long for its mountpoint");
                return;
        }
        question.topic = topic;
        if (!topic_is_plain(topic))
                topic_delayed(topic, &delay_s, &question.topic);
        if (!protocol_ask(c, 0, &question, &reason))
                return;
        count_message(c, p->qos);
        if (pressure_of(c->shard) != PRESSURE_NONE && !memory_allows(c, p))
                return;
        if (reason == REASON_SUCCESS && c->shard->journal.failing && is_kept(c, p, topic))
                publish_unkept(c, p);
        else if (reason == REASON_SUCCESS)
                publish_it(c, p, topic);
        else
                deny(c, p, reason);
}

/* The message is not published: its publisher is told, or what acl.deny_action says. */
static void deny(struct client *c, const struct publish_packet *p, enum reason reason)
{
        if (reason == REASON_NOT_AUTHORIZED && c->shard->settings->acl_deny_disconnects)
                client_fail(c, reason, "its PUBLISH was denied");
        else
                answer(c, p, reason);
}

/* An ack with the reason where there is one; at QoS 0 a topic that is refused is borne silently, as
 * at any QoS before 5.0 [MQTT3-3.3.5-2]. */
void publish_refuse(struct client *c, const struct publish_packet *p, enum reason reason,
                    const char *why)
{
        if (p->qos == 0 && reason == REASON_PAYLOAD_FORMAT_INVALID)
                client_refuse_packet(c, reason, why);
        else
                answer(c, p, reason);
}

/* What CONNACK announced [MQTT-3.2.2-11] [MQTT-3.2.2-14] [MQTT-3.3.4-6]. */
static bool connection_allows(struct client *c, const struct publish_packet *p)
{
        const struct settings *settings = c->shard->settings;

        if (p->qos > settings->max_qos) {
                client_refuse_packet(c, REASON_QOS_NOT_SUPPORTED, "QoS beyond the maximum");
        } else if (p->retain && !settings->retain_available) {
                client_refuse_packet(c, REASON_RETAIN_NOT_SUPPORTED, "retain is not available");
        } else if (c->version == MQTT_5 && property_has(&p->properties, PROPERTY_SUBSCRIPTION_ID)) {
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "a subscription identifier");
        } else {
                return true;
        }
        return false;
}

/* What the broker would take from others, but not this size or shape of it. */
static bool limits_allow(struct client *c, const struct publish_packet *p, struct str topic)
{
        const struct settings *settings = c->shard->settings;

        if (topic.len >= settings->max_topic_levels &&          /* else it cannot have too many */
            topic_levels(topic) > settings->max_topic_levels)
                publish_refuse(c, p, REASON_TOPIC_NAME_INVALID, "beyond mqtt.max_topic_levels");
        else if (topic.len > settings->max_topic_bytes)
                publish_refuse(c, p, REASON_TOPIC_NAME_INVALID, "beyond mqtt.max_topic_bytes");
        else if (c->version == MQTT_5 && p->properties.user_count > settings->max_user_properties)
                publish_refuse(c, p, REASON_QUOTA_EXCEEDED, "beyond mqtt.max_user_properties");
        else
                return true;
        metric_add(&c->shard->metrics.messages_dropped_limit, 1);
        return false;
}

static bool resolve_topic(struct client *c, const struct publish_packet *p, struct str *topic)
{
        *topic = p->topic;
        if (c->version != MQTT_5 || !property_has(&p->properties, PROPERTY_TOPIC_ALIAS)) {
                if (topic->len > 0)
                        return true;
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "neither topic nor alias");
                return false;
        }

        uint16_t alias = p->properties.topic_alias;

        /* [MQTT-3.3.2-8] [MQTT5-3.3.2-12] */
        if (alias == 0 || alias > c->shard->settings->max_topic_alias) {
                client_refuse_packet(c, REASON_TOPIC_ALIAS_INVALID, "alias beyond the maximum");
                return false;
        }
        if (topic->len == 0) {
                *topic = alias_get(&c->aliases, alias);
                if (topic->ptr != NULL)
                        return true;
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "nobody set this alias");
                return false;
        }
        if (alias_set(&c->aliases, alias, *topic))
                return true;
        client_lost(c, "no memory");
        return false;
}

/* PUBREC once more, but not before the message is safe. */
ON_SHARD static void receive_again(struct client *c, const struct publish_packet *p)
{
        struct receipt *receipt = receipt_find(c->peer.session, p->packet_id);

        if (receipt == NULL)
                reply_ack(c, PACKET_PUBREC, p->packet_id, REASON_SUCCESS, true);
        else if (receipt->done == NULL)         /* an earlier connection of the client had it */
                protocol_wait(reply_ack(c, PACKET_PUBREC, p->packet_id, REASON_SUCCESS, false),
                              receipt);
}

/* At QoS 2 an id that was not released yet is the same message again [MQTT-4.3.3-10], and more of
 * them than were announced are too many [MQTT-3.3.4-7]. */
static bool window_allows(struct client *c, const struct publish_packet *p)
{
        struct awaiting_rel   *awaiting = &c->peer.session->awaiting_rel;
        const struct settings *settings = c->shard->settings;
        uint32_t               max      = settings->max_awaiting_rel;
        uint64_t               now_ms   = client_now_ms(c);
        uint32_t               unacked  = awaiting->count + c->replies.pubacks;
        uint64_t               key;

        if (p->qos == 0)
                return true;
        if (p->qos == 1 && c->version != MQTT_5)
                return true;            /* nobody has told it how many it may send */
        if (p->qos == 2 && awaiting_rel_has(awaiting, p->packet_id)) {
                receive_again(c, p);
                return false;
        }
        if (unacked < (max > 0 ? max : UINT16_MAX))
                return true;
        if (settings->await_rel_timeout_ms > 0 && now_ms > settings->await_rel_timeout_ms &&
            awaiting_rel_expire(awaiting, now_ms - settings->await_rel_timeout_ms, &key)) {
                journal_remove_key(c->shard, key, false);
                return true;    /* an id whose PUBREL never came made room */
        }
        if (p->qos == 2)
                metric_add(&c->shard->metrics.messages_qos2_dropped, 1);
        client_refuse_packet(c, REASON_RECEIVE_MAXIMUM_EXCEEDED,
                             "beyond mqtt.session.max_awaiting_rel");
        return false;
}

static void publish_it(struct client *c, const struct publish_packet *p, struct str topic)
{
        struct shard               *shard   = c->shard;
        struct session             *session = c->peer.session;
        const struct message_fields fields  = {
                .topic      = topic,
                .payload    = p->payload,
                .qos        = p->qos,
                .retain     = p->retain,
                .properties = c->version == MQTT_5 ? &p->properties : NULL,
                .client_id  = c->client_id,
                .username   = c->username,
                .from       = session->from,
                .wall_us    = shard->loop.now.wall_us,
                .guid       = guid_next(&shard->guids, shard->loop.now.wall_us),
        };
        struct message *message = message_new(&fields);
        struct receipt *receipt = NULL;
        bool            good    = message != NULL;

        if (good && p->qos == 2)
                good = awaiting_rel_add(&session->awaiting_rel, p->packet_id, client_now_ms(c));
        if (good && is_kept(c, p, topic)) {
                bool exact = p->qos == 2 && session->durability != DURABILITY_MEMORY;

                receipt = receipt_open(shard, message, exact ? session : NULL, p->packet_id);
                good    = receipt != NULL;
        }
        if (!good) {
                message_put(message);
                metric_add(&shard->metrics.messages_dropped_memory, 1);
                client_fail(c, REASON_SERVER_BUSY, "no memory");        /* [MQTT3-4.8.0-2] */
                return;
        }

        unsigned routes = publish(shard, message);

        answer_when_safe(c, p, receipt,
                         routes > 0 ? REASON_SUCCESS : REASON_NO_MATCHING_SUBSCRIBERS);
}

/* Something may have to be kept of it before it is acknowledged. */
static bool is_kept(struct client *c, const struct publish_packet *p, struct str topic)
{
        const struct broker *broker = c->shard->broker;

        if (p->qos == 0 || c->shard->journal.closed)
                return false;
        if (p->qos == 2 && c->peer.session->durability != DURABILITY_MEMORY)
                return true;            /* its packet id is */
        return c->durability == DURABILITY_STRICT &&
               (p->retain || str_starts(topic, STR("$delayed/")) ||
                atomic_load_explicit(&broker->kept_sessions, memory_order_relaxed) > 0);
}

static void answer_when_safe(struct client *c, const struct publish_packet *p,
                             struct receipt *receipt, enum reason reason)
{
        enum packet_type   type = p->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
        enum receipt_state state;

        if (receipt == NULL) {
                answer(c, p, reason);
                return;
        }
        state = receipt_close(receipt, NULL, NULL);
        if (state == RECEIPT_LOST) {
                session_pubrel(c->peer.session, p->packet_id);  /* refused: the id is free */
                publish_unkept(c, p);
        } else if (state == RECEIPT_WAITS &&
                   (receipt->exact || c->durability == DURABILITY_STRICT)) {
                protocol_wait(reply_ack(c, type, p->packet_id, reason, false), receipt);
        } else {                        /* relaxed: at QoS 1 at once, kept in its time */
                answer(c, p, reason);
        }
}

/* What cannot be kept is not acknowledged: the client has it still. */
static void publish_unkept(struct client *c, const struct publish_packet *p)
{
        if (c->version == MQTT_5)
                answer(c, p, REASON_QUOTA_EXCEEDED);
        else
                client_fail(c, REASON_QUOTA_EXCEEDED, "its message cannot be kept just now");
}

/* Whoever publishes now is slowed down; at the limit, its message is refused. */
static bool memory_allows(struct client *c, const struct publish_packet *p)
{
        client_slow_down(c);
        if (pressure_of(c->shard) != PRESSURE_HARD)
                return true;
        metric_add(&c->shard->metrics.messages_refused_memory, 1);
        if (p->qos > 0)
                publish_unkept(c, p);
        return false;
}

/* [MQTT-3.3.4-1]. The id of QoS 1 is remembered no longer than this takes [MQTT3-4.3.2-2]
 * [MQTT5-4.3.2-4] [MQTT5-4.3.2-5]; that of QoS 2 until PUBREL, unless it was refused
 * [MQTT3-4.3.3-2] [MQTT5-4.3.3-8] [MQTT5-4.3.3-9]. */
static void answer(struct client *c, const struct publish_packet *p, enum reason reason)
{
        if (p->qos == 1)
                reply_ack(c, PACKET_PUBACK, p->packet_id, reason, true);
        else if (p->qos == 2)
                reply_ack(c, PACKET_PUBREC, p->packet_id, reason, true);
}

static void count_message(struct client *c, unsigned qos)
{
        struct metrics   *metrics  = &c->shard->metrics;
        _Atomic uint64_t *of_qos[] = { &metrics->messages_qos0_received,
                                       &metrics->messages_qos1_received,
                                       &metrics->messages_qos2_received };

        metric_add(&metrics->messages_received, 1);
        metric_add(of_qos[qos], 1);
}
