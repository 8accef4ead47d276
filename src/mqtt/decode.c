/* Bytes to packets: the fixed header, the table of packet types, and the small packets. CONNECT,
 * (UN)SUBSCRIBE and property sections have files of their own. */
#include "mqtt/decode.h"

#include <assert.h>

#include "mqtt/decoding.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"
#include "mqtt/writer.h"

typedef bool packet_decoder(struct decoding *d, struct packet *out);

struct packet_kind {
        packet_decoder *decode;         /* NULL: there is no such packet */
        uint16_t        flags;          /* bit n: the flags may have the value n */
        uint16_t        flags_3_1;      /* the same for MQTT 3.1 */
};

static packet_decoder decode_connack, decode_publish, decode_ack, decode_suback, decode_nothing,
        decode_disconnect, decode_auth;

/* [MQTT-2.1.3-1] [MQTT3-2.2.2-1] [MQTT-2.2.2-2] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
 * [MQTT-3.14.1-1] [MQTT-3.15.1-1]. In a PUBLISH all flags have a meaning, but there is no QoS 3
 * [MQTT-3.3.1-4] and no DUP at QoS 0 [MQTT-3.3.1-2]. MQTT 3.1 lets repeated PUBREL, SUBSCRIBE and
 * UNSUBSCRIBE say DUP (its section 2.1). */
enum {
        FLAGS_0000    = 1 << 0x0,
        FLAGS_0010    = 1 << 0x2,
        FLAGS_X010    = 1 << 0x2 | 1 << 0xA,
        FLAGS_PUBLISH = 0xFFFF & ~(3 << 0x6 | 3 << 0x8 | 3 << 0xE),
};

// clang-format off
static const struct packet_kind packet_kinds[PACKET_TYPES] = {
        [PACKET_CONNECT]     = { decode_connect,     FLAGS_0000,    FLAGS_0000    },
        [PACKET_CONNACK]     = { decode_connack,     FLAGS_0000,    FLAGS_0000    },
        [PACKET_PUBLISH]     = { decode_publish,     FLAGS_PUBLISH, FLAGS_PUBLISH },
        [PACKET_PUBACK]      = { decode_ack,         FLAGS_0000,    FLAGS_0000    },
        [PACKET_PUBREC]      = { decode_ack,         FLAGS_0000,    FLAGS_0000    },
        [PACKET_PUBREL]      = { decode_ack,         FLAGS_0010,    FLAGS_X010    },
        [PACKET_PUBCOMP]     = { decode_ack,         FLAGS_0000,    FLAGS_0000    },
        [PACKET_SUBSCRIBE]   = { decode_subscribe,   FLAGS_0010,    FLAGS_X010    },
        [PACKET_SUBACK]      = { decode_suback,      FLAGS_0000,    FLAGS_0000    },
        [PACKET_UNSUBSCRIBE] = { decode_unsubscribe, FLAGS_0010,    FLAGS_X010    },
        [PACKET_UNSUBACK]    = { decode_suback,      FLAGS_0000,    FLAGS_0000    },
        [PACKET_PINGREQ]     = { decode_nothing,     FLAGS_0000,    FLAGS_0000    },
        [PACKET_PINGRESP]    = { decode_nothing,     FLAGS_0000,    FLAGS_0000    },
        [PACKET_DISCONNECT]  = { decode_disconnect,  FLAGS_0000,    FLAGS_0000    },
        [PACKET_AUTH]        = { decode_auth,        FLAGS_0000,    0             },
};
// clang-format on

static bool check_frame(struct decoding *d, const struct frame *frame);
static bool check_end(struct decoding *d, const struct frame *frame);

enum frame_result frame_peek(struct str bytes, struct frame *out)
{
        const uint8_t *byte = (const uint8_t *)bytes.ptr;
        uint32_t       size = 0;

        *out = (struct frame){ 0 };
        if (bytes.len == 0)
                return FRAME_PARTIAL;
        out->type  = byte[0] >> 4;
        out->flags = byte[0] & 0xf;
        for (unsigned i = 1; i <= 4; i++) {
                if (i == bytes.len)
                        return FRAME_PARTIAL;
                size |= (uint32_t)(byte[i] & 0x7f) << 7 * (i - 1);
                if ((byte[i] & 0x80) == 0) {
                        out->header_size = (uint8_t)(i + 1);
                        out->body_size   = size;
                        return bytes.len - (i + 1) >= size ? FRAME_WHOLE : FRAME_PARTIAL;
                }
        }
        return FRAME_BAD;
}

bool decode(const struct frame *frame, struct str body, enum mqtt_version version,
            struct packet *out, struct decode_error *error)
{
        assert(body.len == frame->body_size);
        assert(version >= MQTT_3_1 && version <= MQTT_5);

        struct decoding d = {
                .reader  = reader_of(body),
                .version = version,
                .flags   = frame->flags,
                .error   = error,
        };

        out->type = frame->type;
        out->size = frame->header_size + frame->body_size;
        if (frame->type == PACKET_CONNECT)
                out->connect.version = MQTT_3_1_1; /* until it is read */
        return check_frame(&d, frame) && packet_kinds[frame->type].decode(&d, out) &&
               check_end(&d, frame);
}

bool decode_string(struct decoding *d, struct str *out)
{
        *out = read_binary(&d->reader);
        if (d->reader.failed || !utf8_valid(*out))
                return decode_refuse(d, REASON_MALFORMED_PACKET, "a string is not UTF-8");
        return true;
}

bool check_payload(struct decoding *d, const struct properties *properties, struct str payload)
{
        if (property_has(properties, PROPERTY_PAYLOAD_FORMAT) && properties->payload_format == 1 &&
            !utf8_valid_payload(payload))
                return decode_refuse(d, REASON_PAYLOAD_FORMAT_INVALID,
                                     "the payload is not the UTF-8 that its format says");
        return true;
}

static bool check_frame(struct decoding *d, const struct frame *frame)
{
        assert((unsigned)frame->type < PACKET_TYPES && frame->flags <= 0xf);

        const struct packet_kind *kind  = &packet_kinds[frame->type];
        unsigned                  flags = d->version == MQTT_3_1 ? kind->flags_3_1 : kind->flags;

        if (kind->decode == NULL)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "there is no packet type 0");
        if (frame->type == PACKET_AUTH && d->version != MQTT_5)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "there is no AUTH before MQTT 5.0");
        if ((flags >> frame->flags & 1) != 0)
                return true;
        if (frame->type == PACKET_PUBLISH)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "QoS 3, or DUP at QoS 0");
        return decode_refuse(d, REASON_MALFORMED_PACKET, "the reserved flags are wrong");
}

/* The version of a CONNECT is known only now. Before 5.0 nothing is said of lengths that are longer
 * than they need to be. */
static bool check_end(struct decoding *d, const struct frame *frame)
{
        if (d->reader.failed)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "");
        if (reader_left(&d->reader) > 0)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "bytes follow its last field");
        if (frame->header_size > 2 && d->version == MQTT_5 &&
            frame->header_size != 1 + varint_size(frame->body_size)) /* [MQTT-1.5.5-1] */
                return decode_refuse(d, REASON_MALFORMED_PACKET,
                                     "the remaining length takes more bytes than it needs");
        return true;
}

static bool check_topic(struct decoding *d, const struct publish_packet *p)
{
        if (p->topic.len == 0 && d->version == MQTT_5) /* section 3.3.2.1 */
                return property_has(&p->properties, PROPERTY_TOPIC_ALIAS) ||
                       decode_refuse(d, REASON_PROTOCOL_ERROR, "neither topic nor topic alias");
        if (!utf8_valid(p->topic)) /* [MQTT-3.3.2-1] */
                return decode_refuse(d, REASON_MALFORMED_PACKET, "the topic is not UTF-8");
        if (!topic_name_valid(p->topic)) /* [MQTT-3.3.2-2] */
                return decode_refuse(d, REASON_TOPIC_NAME_INVALID, "the topic is not a topic name");
        return true;
}

static bool decode_publish(struct decoding *d, struct packet *out)
{
        struct publish_packet *p = &out->publish;

        p->dup       = (d->flags & 8) != 0;
        p->qos       = d->flags >> 1 & 3;
        p->retain    = (d->flags & 1) != 0;
        p->topic     = read_binary(&d->reader);
        p->packet_id = p->qos > 0 ? read_u16(&d->reader) : 0; /* [MQTT-2.2.1-2] [MQTT-2.3.1-5] */
        if (!decode_properties(d, PACKET_PUBLISH, &p->properties))
                return false;
        p->payload = reader_rest(&d->reader);
        if (d->reader.failed)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "");
        if (p->qos > 0 && p->packet_id == 0) /* [MQTT-2.2.1-3] [MQTT-2.2.1-4] [MQTT-2.3.1-1] */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "the packet identifier is 0");
        return check_topic(d, p) && check_payload(d, &p->properties, p->payload);
}

/* The reason that a CONNACK gives as `code`; false when it cannot give that. */
static bool connack_reason(enum mqtt_version version, uint8_t code, enum reason *out)
{
        static const uint8_t v3_reasons[] = {
                REASON_SUCCESS,
                REASON_UNSUPPORTED_PROTOCOL_VERSION,
                REASON_CLIENT_IDENTIFIER_NOT_VALID,
                REASON_SERVER_UNAVAILABLE,
                REASON_BAD_USER_NAME_OR_PASSWORD,
                REASON_NOT_AUTHORIZED,
        };

        if (version == MQTT_5) {
                *out = code;
                return packet_reason_allowed(PACKET_CONNACK, code, PACKET_FROM_SERVER);
        }
        *out = code < sizeof(v3_reasons) ? v3_reasons[code] : REASON_UNSPECIFIED_ERROR;
        return code < sizeof(v3_reasons);
}

static bool decode_connack(struct decoding *d, struct packet *out)
{
        struct connack_packet *c     = &out->connack;
        uint8_t                flags = read_u8(&d->reader);

        if (!connack_reason(d->version, read_u8(&d->reader), &c->reason)) /* [MQTT-3.2.2-8] */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "not a reason for CONNACK");
        if (d->version == MQTT_3_1)
                flags = 0; /* "reserved, not used" there */
        if (flags > 1)     /* [MQTT5-3.2.2-1] */
                return decode_refuse(d, REASON_MALFORMED_PACKET, "the reserved flags are wrong");
        c->session_present = flags == 1;
        if (c->session_present && c->reason != REASON_SUCCESS) /* [MQTT5-3.2.2-6] [MQTT3-3.2.2-4] */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "refused, yet a session is present");
        return decode_properties(d, PACKET_CONNACK, &c->properties);
}

/* The end of acks, DISCONNECT and AUTH: a reason and properties. What is not there means success
 * and none; AUTH cannot have a reason without properties. */
static bool decode_reason(struct decoding *d, enum packet_type type, enum reason *reason,
                          struct properties *properties)
{
        *reason = REASON_SUCCESS;
        properties_none(properties);
        if (d->version != MQTT_5 || reader_left(&d->reader) == 0)
                return true;
        *reason = read_u8(&d->reader);
        if (!packet_reason_allowed(type, *reason, PACKET_FROM_ANYONE))
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "not a reason for this packet");
        if (type != PACKET_AUTH && reader_left(&d->reader) == 0)
                return true;
        return decode_properties(d, type, properties);
}

static bool decode_ack(struct decoding *d, struct packet *out)
{
        out->ack.packet_id = read_u16(&d->reader);
        if (out->ack.packet_id == 0) /* nothing has the identifier 0 */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "the packet identifier is 0");
        return decode_reason(d, out->type, &out->ack.reason, &out->ack.properties);
}

static bool suback_code_known(enum mqtt_version version, enum packet_type type, uint8_t code)
{
        if (version == MQTT_5)
                return packet_reason_allowed(type, code, PACKET_FROM_ANYONE);
        return code <= 2 || code == 0x80; /* [MQTT3-3.9.3-2] */
}

static bool decode_suback(struct decoding *d, struct packet *out)
{
        struct suback_packet *s = &out->suback;

        s->packet_id = read_u16(&d->reader);
        s->reasons   = (struct str){ 0 };
        if (s->packet_id == 0)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "the packet identifier is 0");
        if (!decode_properties(d, out->type, &s->properties))
                return false;
        if (out->type == PACKET_UNSUBACK && d->version != MQTT_5)
                return true;
        s->reasons = reader_rest(&d->reader);
        if (s->reasons.len == 0)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "no reason in it");
        for (size_t i = 0; i < s->reasons.len; i++) {
                if (!suback_code_known(d->version, out->type, (uint8_t)s->reasons.ptr[i]))
                        return decode_refuse(d, REASON_PROTOCOL_ERROR,
                                             "not a reason for this packet");
        }
        return true;
}

static bool decode_nothing(struct decoding *d, struct packet *out)
{
        (void)d, (void)out;
        return true;
}

static bool decode_disconnect(struct decoding *d, struct packet *out)
{
        struct disconnect_packet *p = &out->disconnect;

        return decode_reason(d, PACKET_DISCONNECT, &p->reason, &p->properties);
}

/* The standard asks for a method in every AUTH, and lets one without any properties leave out
 * everything (section 3.15.2): only that form goes without. */
static bool decode_auth(struct decoding *d, struct packet *out)
{
        struct auth_packet *a     = &out->auth;
        bool                empty = reader_left(&d->reader) == 0;

        if (!decode_reason(d, PACKET_AUTH, &a->reason, &a->properties))
                return false;
        if (!empty && !property_has(&a->properties, PROPERTY_AUTH_METHOD))
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "AUTH without a method");
        return true;
}
