/* Packets out. */
#include "client/protocol.h"

#include <assert.h>

#include "client/mount.h"
#include "mqtt/encode.h"
#include "mqtt/writer.h"

/* Where each packet type that a server sends is counted, in struct metrics. */
#define SENT(TYPE, field) [PACKET_##TYPE] = offsetof(struct metrics, field)

static const size_t sent_metric[PACKET_TYPES] = {
        SENT(CONNACK, packets_connack),     SENT(PUBLISH, packets_publish_sent),
        SENT(PUBACK, packets_puback_sent),  SENT(PUBREC, packets_pubrec_sent),
        SENT(PUBREL, packets_pubrel_sent),  SENT(PUBCOMP, packets_pubcomp_sent),
        SENT(SUBACK, packets_suback),       SENT(UNSUBACK, packets_unsuback),
        SENT(PINGRESP, packets_pingresp),   SENT(DISCONNECT, packets_disconnect_sent),
        SENT(AUTH, packets_auth_sent),
};

enum { ALIAS_PROPERTY_BYTES = 3 };

/* The property section of a PUBLISH but for what the message brings. */
struct own_properties {
        char   bytes[5 + 5 * (SUBSCRIPTION_IDS_MAX + 1) + ALIAS_PROPERTY_BYTES];
        size_t len;
        bool   topic_left_out;          /* the client knows its alias */
};

/* A PUBLISH in the order of its parts; a large payload is referred to behind them. */
struct parts {
        struct str at[7];
        unsigned   count;
        char       topic_len[2];
};

static bool peer_publish(struct peer *peer, const struct delivery *delivery, uint16_t packet_id,
                         bool dup) ON_SHARD;
static void peer_release(struct peer *peer, uint16_t packet_id) ON_SHARD;
static enum congestion peer_congested(const struct peer *peer);
static void peer_evict(struct peer *peer, enum reason reason) ON_SHARD;
static void peer_refuse(struct peer *peer, enum reason reason, const char *why) ON_SHARD;
static struct access_note **peer_identify(struct peer *peer, struct access_request *request,
                                          char address[static ACCESS_ADDRESS_SIZE]) ON_SHARD;
static void put(struct client *c, enum packet_type type, size_t size) ON_SHARD;
static void sent(struct client *c, enum packet_type type) ON_SHARD;
static void own_properties(struct own_properties *own, const struct delivery *delivery,
                           uint64_t wall_us);
static uint64_t body_size(const struct client *c, const struct own_properties *own,
                          const struct delivery *delivery);
static bool bearable(const struct client *c, uint64_t body);
static void use_alias(struct client *c, struct own_properties *own,
                      const struct delivery *delivery) ON_SHARD;
static void write_publish(struct client *c, const struct delivery *delivery, uint16_t packet_id,
                          struct str head, const struct own_properties *own) ON_SHARD;
static void count_message(struct client *c, unsigned qos) ON_SHARD;

const struct peer_ops client_peer_ops = {
        .publish   = peer_publish,
        .release   = peer_release,
        .congested = peer_congested,
        .evict     = peer_evict,
        .refuse    = peer_refuse,
        .identify  = peer_identify,
};

/* There is a reason string only in a refusal, and only if it fits [MQTT5-3.2.2-19]; the user
 * property in a welcome goes where it does not [MQTT5-3.2.2-20]. */
void send_connack(struct client *c, struct connack_packet *connack)
{
        char  *to   = c->manager->scratch;
        size_t size = encode_connack(to, SCRATCH_BYTES, c->version, connack);

        if (size > c->packet_bytes_max && property_has(&connack->properties,
                                                       PROPERTY_REASON_STRING)) {
                connack->properties.present &= ~((uint64_t)1 << PROPERTY_REASON_STRING);
                size = encode_connack(to, SCRATCH_BYTES, c->version, connack);
        }
        put(c, PACKET_CONNACK, size);
}

bool connack_fits(struct client *c, struct connack_packet *connack)
{
        char *to = c->manager->scratch;

        if (encode_connack(to, SCRATCH_BYTES, c->version, connack) <= c->packet_bytes_max)
                return true;
        connack->properties.raw = (struct str){ 0 };
        return encode_connack(to, SCRATCH_BYTES, c->version, connack) <= c->packet_bytes_max;
}

/* PUBACK, PUBREC, PUBREL and PUBCOMP: the id of the PUBLISH [MQTT3-2.3.1-6] [MQTT5-2.2.1-5] and the
 * bare reason. No acknowledgement of ours has a reason string or user properties, so they are too
 * long in none [MQTT5-3.4.2-2] [MQTT5-3.4.2-3] [MQTT5-3.5.2-2] [MQTT5-3.5.2-3] [MQTT5-3.6.2-2]
 * [MQTT5-3.6.2-3] [MQTT5-3.7.2-2] [MQTT5-3.7.2-3], and are kept from who declined them
 * [MQTT5-3.1.2-29]. */
void send_ack(struct client *c, enum packet_type type, uint16_t packet_id, enum reason reason)
{
        struct ack_packet ack;

        ack.packet_id = packet_id;
        ack.reason    = packet_reason_allowed(type, reason, PACKET_FROM_SERVER)
                                ? reason
                                : REASON_UNSPECIFIED_ERROR;
        properties_none(&ack.properties);

        put(c, type, encode_ack(c->manager->scratch, SCRATCH_BYTES, c->version, type, &ack));
}

/* SUBACK and UNSUBACK, as bare [MQTT5-3.9.2-1] [MQTT5-3.9.2-2] [MQTT5-3.11.2-1]
 * [MQTT5-3.11.2-2]. */
void send_suback(struct client *c, enum packet_type type, const struct suback_packet *s)
{
        put(c, type, encode_suback(c->manager->scratch, SCRATCH_BYTES, c->version, type, s));
}

void send_pingresp(struct client *c)
{
        put(c, PACKET_PINGRESP, encode_empty(c->manager->scratch, SCRATCH_BYTES, PACKET_PINGRESP));
}

/* Before 5.0 a server has no DISCONNECT to send. Its only property is the reason string, where
 * there is room [MQTT5-3.14.2-2] [MQTT5-3.14.2-3] [MQTT5-3.14.2-4]. */
void send_disconnect(struct client *c, enum reason reason, const char *why)
{
        if (c->version != MQTT_5)
                return;

        struct disconnect_packet d  = { .reason = reason };
        char                    *to = c->manager->scratch;

        if (!packet_reason_allowed(PACKET_DISCONNECT, reason, PACKET_FROM_SERVER))
                d.reason = REASON_UNSPECIFIED_ERROR;
        if (why != NULL && c->problem_info) {
                d.properties.reason_string = str_of(why);
                property_set(&d.properties, PROPERTY_REASON_STRING);
        }

        size_t size = encode_disconnect(to, SCRATCH_BYTES, c->version, &d);

        if (size > c->packet_bytes_max) {
                d.properties.present = 0;
                size                 = encode_disconnect(to, SCRATCH_BYTES, c->version, &d);
        }
        put(c, PACKET_DISCONNECT, size);
}

/* Without words, too [MQTT5-3.15.2-2] [MQTT5-3.15.2-3]. */
void send_auth(struct client *c, enum reason reason)
{
        struct auth_packet auth = { .reason = reason };

        auth.properties.auth_method = c->auth_method;
        property_set(&auth.properties, PROPERTY_AUTH_METHOD);
        if (c->asking->request.data_out.len > 0) {
                auth.properties.auth_data = c->asking->request.data_out;
                property_set(&auth.properties, PROPERTY_AUTH_DATA);
        }
        put(c, PACKET_AUTH, encode_auth(c->manager->scratch, SCRATCH_BYTES, &auth));
}

/* What is larger than the client bears is not sent [MQTT5-3.1.2-24], nor anything behind the last
 * word [MQTT5-3.14.4-1]. */
static void put(struct client *c, enum packet_type type, size_t size)
{
        assert(size <= SCRATCH_BYTES);
        if (c->state >= CLIENT_CLOSING || size == 0 || size > c->packet_bytes_max)
                return;
        output_write(&c->output, str_from(c->manager->scratch, size));
        sent(c, type);
}

static void sent(struct client *c, enum packet_type type)
{
        struct metrics *metrics = &c->shard->metrics;

        assert(sent_metric[type] != 0);
        metric_add((_Atomic uint64_t *)(void *)((char *)metrics + sent_metric[type]), 1);
        metric_add(&metrics->packets_sent, 1);
        client_dirty(c);
}

static bool peer_publish(struct peer *peer, const struct delivery *delivery, uint16_t packet_id,
                         bool dup)
{
        struct client        *c   = list_entry(peer, struct client, peer);
        struct own_properties own;      /* its bytes matter to MQTT 5.0 alone */

        own.len            = 0;
        own.topic_left_out = false;
        assert(c->magic == CLIENT_MAGIC);
        assert((delivery->qos > 0) == (packet_id > 0)); /* [MQTT-2.2.1-2] */
        if (c->state != CLIENT_CONNECTED)
                return true;

        if (c->version == MQTT_5) {
                own_properties(&own, delivery, c->shard->loop.now.wall_us);
                use_alias(c, &own, delivery);
        }

        /* Whether the publisher had sent it before is none of it [MQTT-3.3.1-1] [MQTT-3.3.1-3]
         * [MQTT-4.3.1-1]. */
        uint8_t  flags = (uint8_t)((dup && delivery->qos > 0) << 3 | delivery->qos << 1 |
                                   delivery->retain);
        uint64_t body  = body_size(c, &own, delivery);
        char     head[5];

        if (!bearable(c, body)) {       /* [MQTT5-3.1.2-24] [MQTT-3.1.2-25] */
                metric_add(&c->shard->metrics.messages_dropped_large, 1);
                return false;
        }

        size_t head_len = encode_publish_head(head, flags, (uint32_t)body);

        write_publish(c, delivery, packet_id, str_from(head, head_len), &own);
        count_message(c, delivery->qos);
        sent(c, PACKET_PUBLISH);
        if (c->limiter != NULL)
                limiter_sent(c, head_len + body);
        return true;
}

/* As the client knows it. */
static struct str topic_for(const struct client *c, const struct message *m)
{
        return c->mount.ptr == NULL ? message_topic(m) : mount_strip(c->mount, message_topic(m));
}

static uint64_t body_size(const struct client *c, const struct own_properties *own,
                          const struct delivery *delivery)
{
        const struct message *m     = delivery->message;
        uint64_t              topic = own->topic_left_out ? 0 : topic_for(c, m).len;
        uint64_t              body  = 2 + topic + (delivery->qos > 0 ? 2 : 0) + m->payload_len;
        uint64_t              len   = own->len + m->properties_len;

        return c->version == MQTT_5 ? body + varint_size((uint32_t)len) + len : body;
}

static bool bearable(const struct client *c, uint64_t body)
{
        return body <= PACKET_BYTES_MAX &&
               1 + varint_size((uint32_t)body) + body <= c->packet_bytes_max;
}

/* The alias in the topic's place, or beside it when the client is first told [MQTT-3.1.2-26]. It
 * is not told in a packet that would be too large with it, let alone in one that is not sent. */
static void use_alias(struct client *c, struct own_properties *own,
                      const struct delivery *delivery)
{
        struct str topic = topic_for(c, delivery->message);
        uint16_t   alias = alias_find_sent(&c->aliases, topic);
        size_t     len   = own->len;

        if (alias == 0 && !alias_may_send(&c->aliases, topic))
                return;
        own->topic_left_out = alias > 0;
        own->len            = len + ALIAS_PROPERTY_BYTES;
        if (alias == 0 && bearable(c, body_size(c, own, delivery)))
                alias = alias_send(&c->aliases, topic);
        if (alias == 0) {
                own->len = len;
                return;
        }

        struct writer w = writer_of(own->bytes + len, ALIAS_PROPERTY_BYTES);

        write_u8(&w, PROPERTY_TOPIC_ALIAS);
        write_u16(&w, alias);
        assert(!w.failed);
}

/* The expiry that is left and the identifiers of the subscriptions that matched. */
static void own_properties(struct own_properties *own, const struct delivery *delivery,
                           uint64_t wall_us)
{
        const struct message *m = delivery->message;
        struct writer         w = writer_of(own->bytes, sizeof own->bytes);

        if (m->expires_us != 0) {       /* [MQTT-3.3.2-6] */
                write_u8(&w, PROPERTY_MESSAGE_EXPIRY);
                write_u32(&w, message_expired(m, wall_us) ? 0 : message_expiry_left_s(m, wall_us));
        }
        own->len = (size_t)((char *)w.pos - own->bytes);
        if (delivery->id != 0)          /* [MQTT-3.3.4-3] */
                own->len += encode_subscription_id(own->bytes + own->len,
                                                   sizeof own->bytes - own->len, delivery->id);
        for (unsigned i = 0; i < delivery->more_count; i++)
                own->len += encode_subscription_id(own->bytes + own->len,
                                                   sizeof own->bytes - own->len,
                                                   delivery->more_ids[i]);
}

static void add_part(struct parts *parts, const void *bytes, size_t len)
{
        if (len > 0)
                parts->at[parts->count++] = str_from(bytes, len);
}

/* The topic with its length: as it lies in the message, unless a mountpoint is taken off. */
static void add_topic(struct parts *parts, const struct message *m, struct str topic)
{
        if (topic.len == m->topic_len) {
                add_part(parts, m->bytes, 2 + topic.len);
                return;
        }
        parts->topic_len[0] = (char)(topic.len >> 8);
        parts->topic_len[1] = (char)topic.len;
        add_part(parts, parts->topic_len, sizeof parts->topic_len);
        add_part(parts, topic.ptr, topic.len);
}

static void write_publish(struct client *c, const struct delivery *delivery, uint16_t packet_id,
                          struct str head, const struct own_properties *own)
{
        struct message *m       = delivery->message;
        struct str      payload = message_payload(m);
        struct parts    parts;
        char            middle[6];
        struct writer   w = writer_of(middle, sizeof middle);

        parts.count = 0;
        if (packet_id > 0)
                write_u16(&w, packet_id);
        if (c->version == MQTT_5)
                write_varint(&w, (uint32_t)(own->len + m->properties_len));
        assert(!w.failed);
        add_part(&parts, head.ptr, head.len);
        if (own->topic_left_out)
                add_part(&parts, "\0", 2);
        else
                add_topic(&parts, m, topic_for(c, m));
        add_part(&parts, middle, (size_t)((char *)w.pos - middle));
        if (c->version == MQTT_5) {
                add_part(&parts, own->bytes, own->len);
                add_part(&parts, message_properties(m).ptr, m->properties_len);
        }
        if (payload.len < OUTPUT_REFERENCE_BYTES)
                add_part(&parts, payload.ptr, payload.len);
        output_write_parts(&c->output, parts.at, parts.count);
        if (payload.len >= OUTPUT_REFERENCE_BYTES)
                output_refer(&c->output, m, payload);
}

static void count_message(struct client *c, unsigned qos)
{
        struct metrics   *metrics = &c->shard->metrics;
        _Atomic uint64_t *of_qos[] = { &metrics->messages_qos0_sent, &metrics->messages_qos1_sent,
                                       &metrics->messages_qos2_sent };

        metric_add(&metrics->messages_sent, 1);
        metric_add(of_qos[qos], 1);
}

static void peer_release(struct peer *peer, uint16_t packet_id)
{
        struct client *c = list_entry(peer, struct client, peer);

        send_ack(c, PACKET_PUBREL, packet_id, REASON_SUCCESS);
}

static enum congestion peer_congested(const struct peer *peer)
{
        const struct client *c =
                (const struct client *)(const void *)((const char *)peer -
                                                      offsetof(struct client, peer));

        if (limiter_holds(c->limiter))
                return PEER_LIMITED;
        return c->output.bytes > c->shard->settings->output_high_bytes ? PEER_SLOW : PEER_FREE;
}

/* Whoever evicts has taken the session already [MQTT3-3.1.4-2] [MQTT5-3.1.4-3]. */
static void peer_evict(struct peer *peer, enum reason reason)
{
        struct client *c = list_entry(peer, struct client, peer);

        peer->session = NULL;
        client_fail(c, reason, NULL);
}

static void peer_refuse(struct peer *peer, enum reason reason, const char *why)
{
        client_fail(list_entry(peer, struct client, peer), reason, why);
}

static struct access_note **peer_identify(struct peer *peer, struct access_request *request,
                                          char address[static ACCESS_ADDRESS_SIZE])
{
        struct client *c = list_entry(peer, struct client, peer);

        asking_identify(c, request, address);
        request->notes = *asking_notes(c);
        return asking_notes(c);
}
