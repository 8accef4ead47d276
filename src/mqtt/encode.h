/* Packets to bytes, for servers and clients, all three versions. Pure: into memory of the caller.
 *
 * Every function returns the size of the packet in bytes, or 0 when `size` bytes do not suffice or
 * a string is too long for the wire. Properties are written for version 5 only: those marked
 * present from their members, then what else stands in `.raw`, verbatim: user properties and
 * subscription identifiers, which have no members to be written from, and whatever is not marked
 * present. So what was decoded can be encoded again, and a section in .raw alone is copied.
 *
 * What the caller may not ask for (QoS 3, a reason that the packet cannot give) is asserted. That
 * strings are UTF-8 and topics are topics is the caller's to know.
 */
#ifndef LINNET_MQTT_ENCODE_H
#define LINNET_MQTT_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "mqtt/packet.h"

struct subscribe_request {
        uint16_t                     packet_id;
        unsigned                     count;             /* at least 1 */
        const struct subscribe_item *items;
        const struct properties     *properties;        /* NULL: none */
};

struct unsubscribe_request {
        uint16_t                 packet_id;
        unsigned                 count;                 /* at least 1 */
        const struct str        *filters;
        const struct properties *properties;            /* NULL: none */
};

size_t encode_connect(void *to, size_t size, const struct connect_packet *connect);

/* 0, too, where the reason has no return code in that version. */
size_t encode_connack(void *to, size_t size, enum mqtt_version version,
                      const struct connack_packet *connack);
size_t encode_publish(void *to, size_t size, enum mqtt_version version,
                      const struct publish_packet *publish);
size_t encode_ack(void *to, size_t size, enum mqtt_version version, enum packet_type type,
                  const struct ack_packet *ack);
size_t encode_subscribe(void *to, size_t size, enum mqtt_version version,
                        const struct subscribe_request *subscribe);
size_t encode_suback(void *to, size_t size, enum mqtt_version version, enum packet_type type,
                     const struct suback_packet *suback);
size_t encode_unsubscribe(void *to, size_t size, enum mqtt_version version,
                          const struct unsubscribe_request *unsubscribe);
size_t encode_empty(void *to, size_t size, enum packet_type type);      /* PINGREQ, PINGRESP */
size_t encode_disconnect(void *to, size_t size, enum mqtt_version version,
                         const struct disconnect_packet *disconnect);
size_t encode_auth(void *to, size_t size, const struct auth_packet *auth);

/* Appends one encoded user property to `to`; returns its size or 0. For building .raw sections. */
size_t encode_user_property(void *to, size_t size, struct str name, struct str value);
size_t encode_subscription_id(void *to, size_t size, uint32_t id);

/* The head of a PUBLISH as the broker's hot path writes it: everything before the topic. `flags`
 * are the lower four bits of the first byte, `body_size` the remaining length. At most 5 bytes. */
size_t encode_publish_head(void *to, uint8_t flags, uint32_t body_size);

#endif
