/* CONNECT, of any version. */
#include "mqtt/decoding.h"

#include <assert.h>

#include "mqtt/topic.h"

enum {
        CONNECT_RESERVED    = 0x01,
        CONNECT_CLEAN_START = 0x02,
        CONNECT_WILL        = 0x04,
        CONNECT_WILL_QOS    = 0x18,
        CONNECT_WILL_RETAIN = 0x20,
        CONNECT_PASSWORD    = 0x40,
        CONNECT_USERNAME    = 0x80,

        LEVEL_BRIDGE = 0x80, /* Mosquitto's mark, with levels 3 and 4 */
};

static bool decode_protocol(struct decoding *d, struct connect_packet *out);
static bool check_flags(struct decoding *d, uint8_t flags);
static bool decode_will(struct decoding *d, uint8_t flags, struct will_fields *out);
static bool decode_login(struct decoding *d, uint8_t flags, struct connect_packet *out);

bool decode_connect(struct decoding *d, struct packet *out)
{
        struct connect_packet *c = &out->connect;

        if (!decode_protocol(d, c))
                return false;

        uint8_t flags = read_u8(&d->reader);

        c->clean_start  = (flags & CONNECT_CLEAN_START) != 0;
        c->keep_alive_s = read_u16(&d->reader);
        /* In this order [MQTT-3.1.3-1], the identifier always [MQTT-3.1.3-3]. */
        return check_flags(d, flags) && decode_properties(d, PACKET_CONNECT, &c->properties) &&
               decode_string(d, &c->client_id) && /* [MQTT-3.1.3-4] */
               decode_will(d, flags, &c->will) && decode_login(d, flags, c) &&
               (!c->will.present || check_payload(d, &c->will.properties, c->will.payload));
}

/* The version to go on with; where it is none of ours, the nearest, so that an answer can be sent
 * in a form that its sender may understand. */
static enum mqtt_version version_near(unsigned level)
{
        return level <= MQTT_3_1 ? MQTT_3_1 : level == MQTT_3_1_1 ? MQTT_3_1_1 : MQTT_5;
}

static bool decode_protocol(struct decoding *d, struct connect_packet *out)
{
        struct str   name  = read_binary(&d->reader);
        uint8_t      level = read_u8(&d->reader);
        unsigned     plain = level & ~(unsigned)LEVEL_BRIDGE;
        struct str   want  = plain == MQTT_3_1 ? STR("MQIsdp") : STR("MQTT");

        if (d->reader.failed)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "");
        out->version = version_near(plain);
        out->bridge  = level != plain;
        d->version   = out->version;
        /* [MQTT-3.1.2-1] [MQTT-3.1.2-2] */
        if (plain != (unsigned)out->version || level == (LEVEL_BRIDGE | MQTT_5) ||
            !str_eq(name, want))
                return decode_refuse(d, REASON_UNSUPPORTED_PROTOCOL_VERSION,
                                     "not MQTT 3.1, 3.1.1 or 5.0");
        return true;
}

/* MQTT 3.1 leaves the reserved bit unused and has the will's bits disregarded without a will. */
static bool check_flags(struct decoding *d, uint8_t flags)
{
        bool will   = (flags & CONNECT_WILL) != 0;
        bool strict = d->version != MQTT_3_1;

        if (strict && (flags & CONNECT_RESERVED)) /* [MQTT-3.1.2-3] */
                return decode_refuse(d, REASON_MALFORMED_PACKET, "the reserved flag is set");
        /* [MQTT5-3.1.2-11] [MQTT5-3.1.2-13] [MQTT3-3.1.2-13] [MQTT3-3.1.2-15] */
        if (strict && !will && (flags & (CONNECT_WILL_QOS | CONNECT_WILL_RETAIN)))
                return decode_refuse(d, REASON_MALFORMED_PACKET,
                                     "QoS or retain of a will, but no will");
        /* [MQTT5-3.1.2-12] [MQTT3-3.1.2-14] */
        if (will && (flags & CONNECT_WILL_QOS) == CONNECT_WILL_QOS)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "the will has QoS 3");
        if (d->version != MQTT_5 && (flags & CONNECT_PASSWORD) && !(flags & CONNECT_USERNAME))
                return decode_refuse(d, REASON_PROTOCOL_ERROR, /* [MQTT3-3.1.2-22] */
                                     "a password without a user name");
        return true;
}

/* [MQTT-3.1.2-9] */
static bool decode_will(struct decoding *d, uint8_t flags, struct will_fields *out)
{
        out->present = (flags & CONNECT_WILL) != 0;
        out->qos     = out->present ? flags >> 3 & 3 : 0;
        out->retain  = out->present && (flags & CONNECT_WILL_RETAIN) != 0;
        out->topic   = (struct str){ 0 };
        out->payload = (struct str){ 0 };
        properties_none(&out->properties);
        if (!out->present)
                return true;
        if (!decode_properties(d, PLACE_WILL, &out->properties) || !decode_string(d, &out->topic))
                return false; /* [MQTT5-3.1.3-11] [MQTT3-3.1.3-10] */
        out->payload = read_binary(&d->reader);
        if (!topic_name_valid(out->topic)) /* [MQTT-4.7.3-1] */
                return decode_refuse(d, REASON_TOPIC_NAME_INVALID,
                                     "the will topic is not a topic name");
        return true;
}

/* MQTT 3.1, section 3.1: the remaining length takes precedence over the flags of user name and
 * password, for clients that are older still. */
static bool login_follows(const struct decoding *d, uint8_t flags, uint8_t flag)
{
        return (flags & flag) != 0 && (d->version != MQTT_3_1 || reader_left(&d->reader) > 0);
}

static bool decode_login(struct decoding *d, uint8_t flags, struct connect_packet *out)
{
        out->username     = (struct str){ 0 };
        out->password     = (struct str){ 0 };
        out->has_username = login_follows(d, flags, CONNECT_USERNAME);
        if (out->has_username && !decode_string(d, &out->username))
                return false; /* [MQTT-3.1.3-12] [MQTT3-3.1.3-11] */
        out->has_password = login_follows(d, flags, CONNECT_PASSWORD);
        if (out->has_password)
                out->password = read_binary(&d->reader);
        return !d->reader.failed || decode_refuse(d, REASON_MALFORMED_PACKET, "");
}
