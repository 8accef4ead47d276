/* Are two decoded packets the same, wherever they lie? For fuzzers that encode what was decoded. */
#ifndef LINNET_FUZZ_SAME_PACKET_H
#define LINNET_FUZZ_SAME_PACKET_H

#include <assert.h>

#include "mqtt/packet.h"

/* The `nth` property of that kind in the section; false when there are fewer. */
static inline bool nth_property(struct str raw, enum property_id id, unsigned nth,
                                struct property *out)
{
        while (property_next(&raw, out)) {
                if (out->id == id && nth-- == 0)
                        return true;
        }
        return false;
}

/* Properties of different kinds may change places, those of one kind may not. */
static inline bool same_properties(const struct properties *a, const struct properties *b)
{
        if (a->present != b->present || a->raw.len != b->raw.len ||
            a->user_count != b->user_count ||
            a->subscription_id_count != b->subscription_id_count)
                return false;
        for (unsigned id = 0; id < PROPERTY_IDS; id++) {
                struct property p, q;

                for (unsigned n = 0; nth_property(a->raw, id, n, &p); n++) {
                        if (!property_has(a, id) || !nth_property(b->raw, id, n, &q) ||
                            !str_eq(p.bytes, q.bytes))
                                return false;
                        /* Long sections are quadratic work: their beginning will do. */
                        if (n == 16)
                                break;
                }
        }
        return true;
}

static inline bool same_will(const struct will_fields *a, const struct will_fields *b)
{
        return a->present == b->present && a->qos == b->qos && a->retain == b->retain &&
               str_eq(a->topic, b->topic) && str_eq(a->payload, b->payload) &&
               same_properties(&a->properties, &b->properties);
}

static inline bool same_connect(const struct connect_packet *a, const struct connect_packet *b)
{
        return a->version == b->version && a->bridge == b->bridge &&
               a->clean_start == b->clean_start && a->has_username == b->has_username &&
               a->has_password == b->has_password && a->keep_alive_s == b->keep_alive_s &&
               str_eq(a->client_id, b->client_id) && str_eq(a->username, b->username) &&
               str_eq(a->password, b->password) && same_will(&a->will, &b->will) &&
               same_properties(&a->properties, &b->properties);
}

static inline bool same_publish(const struct publish_packet *a, const struct publish_packet *b)
{
        return a->dup == b->dup && a->qos == b->qos && a->retain == b->retain &&
               a->packet_id == b->packet_id && str_eq(a->topic, b->topic) &&
               str_eq(a->payload, b->payload) && same_properties(&a->properties, &b->properties);
}

static inline bool same_packet(const struct packet *a, const struct packet *b)
{
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case PACKET_CONNECT:
                return same_connect(&a->connect, &b->connect);
        case PACKET_CONNACK:
                return a->connack.session_present == b->connack.session_present &&
                       a->connack.reason == b->connack.reason &&
                       same_properties(&a->connack.properties, &b->connack.properties);
        case PACKET_PUBLISH:
                return same_publish(&a->publish, &b->publish);
        case PACKET_PUBACK:
        case PACKET_PUBREC:
        case PACKET_PUBREL:
        case PACKET_PUBCOMP:
                return a->ack.packet_id == b->ack.packet_id && a->ack.reason == b->ack.reason &&
                       same_properties(&a->ack.properties, &b->ack.properties);
        case PACKET_SUBSCRIBE:
                return a->subscribe.packet_id == b->subscribe.packet_id &&
                       a->subscribe.count == b->subscribe.count &&
                       str_eq(a->subscribe.filters, b->subscribe.filters) &&
                       same_properties(&a->subscribe.properties, &b->subscribe.properties);
        case PACKET_SUBACK:
        case PACKET_UNSUBACK:
                return a->suback.packet_id == b->suback.packet_id &&
                       str_eq(a->suback.reasons, b->suback.reasons) &&
                       same_properties(&a->suback.properties, &b->suback.properties);
        case PACKET_UNSUBSCRIBE:
                return a->unsubscribe.packet_id == b->unsubscribe.packet_id &&
                       a->unsubscribe.count == b->unsubscribe.count &&
                       str_eq(a->unsubscribe.filters, b->unsubscribe.filters) &&
                       same_properties(&a->unsubscribe.properties, &b->unsubscribe.properties);
        case PACKET_PINGREQ:
        case PACKET_PINGRESP:
                return true;
        case PACKET_DISCONNECT:
                return a->disconnect.reason == b->disconnect.reason &&
                       same_properties(&a->disconnect.properties, &b->disconnect.properties);
        case PACKET_AUTH:
                return a->auth.reason == b->auth.reason &&
                       same_properties(&a->auth.properties, &b->auth.properties);
        case PACKET_TYPES:
                break;
        }
        assert(false);
        return false;
}

#endif
