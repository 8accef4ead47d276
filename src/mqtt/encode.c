/* Packets to bytes. */
#include "mqtt/encode.h"

#include <assert.h>

#include "base/limits.h"
#include "mqtt/encoding.h"

enum { SHORT_ACK_BYTES = 4 };

/* A packet being written: its fixed header is open until packet_end(). */
struct encoding {
        struct writer      writer;
        uint8_t           *start;
        struct open_length length;
};

static struct writer *packet_begin(struct encoding *e, void *to, size_t size, enum packet_type type,
                                   unsigned flags);
static size_t         packet_end(struct encoding *e);
static uint8_t        connect_flags(const struct connect_packet *connect);
static void           encode_will(struct writer *w, enum mqtt_version version,
                                  const struct will_fields *will);
static void           encode_login(struct writer *w, const struct connect_packet *connect);
static void           encode_reason(struct writer *w, enum packet_type type, enum reason reason,
                                    const struct properties *properties);

size_t encode_connect(void *to, size_t size, const struct connect_packet *connect)
{
        assert(connect->version == MQTT_5 || connect->has_username || !connect->has_password);

        struct encoding e;
        struct writer  *w      = packet_begin(&e, to, size, PACKET_CONNECT, 0);
        bool            bridge = connect->bridge && connect->version != MQTT_5;

        write_binary(w, connect->version == MQTT_3_1 ? STR("MQIsdp") : STR("MQTT"));
        write_u8(w, (uint8_t)(connect->version | (bridge ? 0x80 : 0)));
        write_u8(w, connect_flags(connect));
        write_u16(w, connect->keep_alive_s);
        if (connect->version == MQTT_5)
                encode_properties(w, PACKET_CONNECT, &connect->properties);
        write_binary(w, connect->client_id);
        encode_will(w, connect->version, &connect->will);
        encode_login(w, connect);
        return packet_end(&e);
}

size_t encode_connack(void *to, size_t size, enum mqtt_version version,
                      const struct connack_packet *connack)
{
        /* [MQTT5-3.2.2-6] [MQTT3-3.2.2-4] */
        assert(connack->reason == REASON_SUCCESS || !connack->session_present);
        if (version != MQTT_5 && reason_connack_v3(connack->reason) == CONNACK_V3_NONE)
                return 0;

        struct encoding e;
        struct writer  *w       = packet_begin(&e, to, size, PACKET_CONNACK, 0);
        bool            present = connack->session_present && version != MQTT_3_1;

        write_u8(w, present); /* [MQTT5-3.2.2-1] */
        if (version == MQTT_5) {
                assert(packet_reason_allowed(PACKET_CONNACK, connack->reason, PACKET_FROM_SERVER));
                write_u8(w, (uint8_t)connack->reason);
                encode_properties(w, PACKET_CONNACK, &connack->properties);
        } else {
                write_u8(w, reason_connack_v3(connack->reason));
        }
        return packet_end(&e);
}

size_t encode_publish(void *to, size_t size, enum mqtt_version version,
                      const struct publish_packet *publish)
{
        assert(publish->qos <= 2);                              /* [MQTT-3.3.1-4] */
        assert(publish->qos > 0 || !publish->dup);              /* [MQTT-3.3.1-2] */
        assert((publish->qos > 0) == (publish->packet_id > 0)); /* [MQTT-2.2.1-2] [MQTT-2.3.1-5] */

        unsigned flags = (unsigned)publish->dup << 3 | (unsigned)publish->qos << 1 |
                         (unsigned)publish->retain;
        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, PACKET_PUBLISH, flags);

        write_binary(w, publish->topic);
        if (publish->qos > 0)
                write_u16(w, publish->packet_id);
        if (version == MQTT_5)
                encode_properties(w, PACKET_PUBLISH, &publish->properties);
        write_bytes(w, publish->payload);
        return packet_end(&e);
}

static bool is_bare_success(const struct ack_packet *ack)
{
        return ack->reason == REASON_SUCCESS && ack->properties.present == 0 &&
               ack->properties.raw.len == 0;
}

/* The form that ends with the id: one goes out for each message above QoS 0. */
static size_t encode_short_ack(uint8_t *to, uint8_t first, uint16_t packet_id)
{
        to[0] = first;
        to[1] = 2;
        to[2] = (uint8_t)(packet_id >> 8);
        to[3] = (uint8_t)packet_id;
        return SHORT_ACK_BYTES;
}

size_t encode_ack(void *to, size_t size, enum mqtt_version version, enum packet_type type,
                  const struct ack_packet *ack)
{
        assert(type >= PACKET_PUBACK && type <= PACKET_PUBCOMP);
        assert(ack->packet_id > 0);

        const unsigned  flags = type == PACKET_PUBREL ? 2 : 0;  /* [MQTT-3.6.1-1] */
        struct encoding e;
        struct writer  *w;

        if (size >= SHORT_ACK_BYTES && (version != MQTT_5 || is_bare_success(ack)))
                return encode_short_ack(to, (uint8_t)(type << 4 | flags), ack->packet_id);
        w = packet_begin(&e, to, size, type, flags);
        write_u16(w, ack->packet_id);
        if (version == MQTT_5)
                encode_reason(w, type, ack->reason, &ack->properties);
        return packet_end(&e);
}

static uint8_t subscribe_options(enum mqtt_version version, const struct subscribe_item *item)
{
        assert(item->qos <= 2 && item->retain_handling <= 2);

        if (version != MQTT_5)
                return item->qos;
        return (uint8_t)(item->qos | (unsigned)item->no_local << 2 |
                         (unsigned)item->retain_as_published << 3 | item->retain_handling << 4);
}

size_t encode_subscribe(void *to, size_t size, enum mqtt_version version,
                        const struct subscribe_request *subscribe)
{
        /* [MQTT5-3.8.3-2] [MQTT3-3.8.3-3] */
        assert(subscribe->packet_id > 0 && subscribe->count > 0);

        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, PACKET_SUBSCRIBE, 2); /* [MQTT-3.8.1-1] */

        write_u16(w, subscribe->packet_id);
        if (version == MQTT_5)
                encode_properties(w, PACKET_SUBSCRIBE, subscribe->properties);
        for (unsigned i = 0; i < subscribe->count; i++) {
                write_binary(w, subscribe->items[i].filter);
                write_u8(w, subscribe_options(version, &subscribe->items[i]));
        }
        return packet_end(&e);
}

/* Old clients know one refusal only [MQTT3-3.9.3-2], and no codes in UNSUBACK. */
static void encode_reasons_v3(struct writer *w, enum packet_type type, struct str reasons)
{
        if (type == PACKET_UNSUBACK)
                return;
        for (size_t i = 0; i < reasons.len; i++) {
                uint8_t reason = (uint8_t)reasons.ptr[i];

                write_u8(w, reason_is_error(reason) ? 0x80 : reason);
        }
}

static bool reasons_allowed(enum packet_type type, struct str reasons)
{
        for (size_t i = 0; i < reasons.len; i++) {
                if (!packet_reason_allowed(type, (uint8_t)reasons.ptr[i], PACKET_FROM_SERVER))
                        return false;
        }
        return true;
}

size_t encode_suback(void *to, size_t size, enum mqtt_version version, enum packet_type type,
                     const struct suback_packet *suback)
{
        assert(type == PACKET_SUBACK || type == PACKET_UNSUBACK);
        assert(suback->packet_id > 0);

        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, type, 0);

        write_u16(w, suback->packet_id);
        if (version == MQTT_5) {
                /* [MQTT5-3.9.3-2] [MQTT-3.11.3-2] */
                assert(reasons_allowed(type, suback->reasons));
                encode_properties(w, type, &suback->properties);
                write_bytes(w, suback->reasons);
        } else {
                encode_reasons_v3(w, type, suback->reasons);
        }
        return packet_end(&e);
}

size_t encode_unsubscribe(void *to, size_t size, enum mqtt_version version,
                          const struct unsubscribe_request *unsubscribe)
{
        /* [MQTT-3.10.1-1] [MQTT-3.10.3-2] */
        assert(unsubscribe->packet_id > 0 && unsubscribe->count > 0);

        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, PACKET_UNSUBSCRIBE, 2);

        write_u16(w, unsubscribe->packet_id);
        if (version == MQTT_5)
                encode_properties(w, PACKET_UNSUBSCRIBE, unsubscribe->properties);
        for (unsigned i = 0; i < unsubscribe->count; i++)
                write_binary(w, unsubscribe->filters[i]);
        return packet_end(&e);
}

size_t encode_empty(void *to, size_t size, enum packet_type type)
{
        assert(type == PACKET_PINGREQ || type == PACKET_PINGRESP);

        struct encoding e;

        packet_begin(&e, to, size, type, 0);
        return packet_end(&e);
}

size_t encode_disconnect(void *to, size_t size, enum mqtt_version version,
                         const struct disconnect_packet *disconnect)
{
        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, PACKET_DISCONNECT, 0);

        if (version == MQTT_5)
                encode_reason(w, PACKET_DISCONNECT, disconnect->reason, &disconnect->properties);
        return packet_end(&e);
}

size_t encode_auth(void *to, size_t size, const struct auth_packet *auth)
{
        assert(packet_reason_allowed(PACKET_AUTH, auth->reason, PACKET_FROM_ANYONE));

        struct encoding e;
        struct writer  *w = packet_begin(&e, to, size, PACKET_AUTH, 0); /* [MQTT-3.15.1-1] */

        if (auth->reason != REASON_SUCCESS || !properties_empty(&auth->properties)) {
                write_u8(w, (uint8_t)auth->reason);
                encode_properties(w, PACKET_AUTH, &auth->properties);
        }
        return packet_end(&e);
}

size_t encode_publish_head(void *to, uint8_t flags, uint32_t body_size)
{
        assert(flags <= 0xf && body_size <= PACKET_BYTES_MAX);

        uint8_t *at = to;

        *at++ = (uint8_t)(PACKET_PUBLISH << 4 | flags);
        for (; body_size >= 128; body_size >>= 7)
                *at++ = (uint8_t)(body_size | 0x80);
        *at++ = (uint8_t)body_size;
        return (size_t)(at - (uint8_t *)to);
}

struct open_length length_open(struct writer *w)
{
        return (struct open_length){ writer_take(w, 1) };
}

void length_close(struct writer *w, struct open_length length)
{
        if (w->failed)
                return;

        size_t size = (size_t)(w->pos - length.at) - 1;

        if (size > PACKET_BYTES_MAX) {
                w->failed = true;
                return;
        }

        unsigned      more = varint_size((uint32_t)size) - 1;
        struct writer at   = writer_of(length.at, 1 + more);

        if (more > 0) {
                if (writer_take(w, more) == NULL)
                        return;
                memmove(length.at + 1 + more, length.at + 1, size);
        }
        write_varint(&at, (uint32_t)size); /* [MQTT-1.5.5-1] */
}

static struct writer *packet_begin(struct encoding *e, void *to, size_t size, enum packet_type type,
                                   unsigned flags)
{
        e->start  = to;
        e->writer = writer_of(to, size);
        write_u8(&e->writer, (uint8_t)((unsigned)type << 4 | flags));
        e->length = length_open(&e->writer);
        return &e->writer;
}

static size_t packet_end(struct encoding *e)
{
        length_close(&e->writer, e->length);
        return e->writer.failed ? 0 : (size_t)(e->writer.pos - e->start);
}

static uint8_t connect_flags(const struct connect_packet *connect)
{
        const struct will_fields *will  = &connect->will;
        unsigned                  flags = 0;

        flags |= (unsigned)connect->clean_start << 1;
        flags |= (unsigned)connect->has_password << 6;
        flags |= (unsigned)connect->has_username << 7;
        if (will->present) {
                assert(will->qos <= 2); /* [MQTT5-3.1.2-12] [MQTT3-3.1.2-14] */
                flags |= 1u << 2 | (unsigned)will->qos << 3 | (unsigned)will->retain << 5;
        }
        return (uint8_t)flags;
}

static void encode_will(struct writer *w, enum mqtt_version version, const struct will_fields *will)
{
        if (!will->present)
                return;
        if (version == MQTT_5)
                encode_properties(w, 0, &will->properties);
        write_binary(w, will->topic);
        write_binary(w, will->payload);
}

static void encode_login(struct writer *w, const struct connect_packet *connect)
{
        if (connect->has_username)
                write_binary(w, connect->username);
        if (connect->has_password)
                write_binary(w, connect->password);
}

/* The shortest form: success without properties says nothing, a reason without properties leaves
 * their length out (sections 3.4.2.1 and 3.14.2.2.1). */
static void encode_reason(struct writer *w, enum packet_type type, enum reason reason,
                          const struct properties *properties)
{
        bool empty = properties_empty(properties);

        assert(packet_reason_allowed(type, reason, PACKET_FROM_ANYONE));
        if (reason == REASON_SUCCESS && empty)
                return;
        write_u8(w, (uint8_t)reason);
        if (!empty)
                encode_properties(w, type, properties);
}
