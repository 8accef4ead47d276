/* The fifteen control packets of MQTT as data (MQTT 5.0 chapter 3; 3.1.1 and 3.1 are subsets).
 *
 * A packet is a tagged union of views: its strings lie in the bytes it was decoded from and die
 * with them, at the latest when the handler returns. Encoding takes the same structs.
 */
#ifndef LINNET_MQTT_PACKET_H
#define LINNET_MQTT_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "mqtt/property.h"
#include "mqtt/reason.h"

enum packet_type {                      /* the numbers are the wire's */
        PACKET_CONNECT = 1,
        PACKET_CONNACK,
        PACKET_PUBLISH,
        PACKET_PUBACK,
        PACKET_PUBREC,
        PACKET_PUBREL,
        PACKET_PUBCOMP,
        PACKET_SUBSCRIBE,
        PACKET_SUBACK,
        PACKET_UNSUBSCRIBE,
        PACKET_UNSUBACK,
        PACKET_PINGREQ,
        PACKET_PINGRESP,
        PACKET_DISCONNECT,
        PACKET_AUTH,
        PACKET_TYPES
};

enum mqtt_version { MQTT_3_1 = 3, MQTT_3_1_1 = 4, MQTT_5 = 5 };

struct will_fields {
        bool              present;
        uint8_t           qos;
        bool              retain;
        struct str        topic;
        struct str        payload;
        struct properties properties;
};

struct connect_packet {
        enum mqtt_version  version;
        bool               bridge;              /* high bit of the level: Mosquitto's bridges */
        bool               clean_start;
        bool               has_username;
        bool               has_password;
        uint16_t           keep_alive_s;
        struct str         client_id;
        struct str         username;
        struct str         password;
        struct will_fields will;
        struct properties  properties;
};

struct connack_packet {
        bool              session_present;
        enum reason       reason;               /* v3: decoded from and encoded as a return code */
        struct properties properties;
};

struct publish_packet {
        bool              dup;
        uint8_t           qos;
        bool              retain;
        uint16_t          packet_id;            /* 0 at QoS 0 */
        struct str        topic;                /* empty when an alias stands for it */
        struct str        payload;
        struct properties properties;
};

struct ack_packet {                             /* PUBACK, PUBREC, PUBREL, PUBCOMP */
        uint16_t          packet_id;
        enum reason       reason;
        struct properties properties;
};

struct subscribe_packet {
        uint16_t          packet_id;
        unsigned          count;                /* of filters: 1 to SUBSCRIBE_FILTERS_MAX */
        struct str        filters;              /* walked with subscribe_next() */
        struct properties properties;
};

struct subscribe_item {
        struct str filter;
        uint8_t    qos;
        bool       no_local;
        bool       retain_as_published;
        uint8_t    retain_handling;             /* 0 send, 1 send if new, 2 do not send */
};

struct suback_packet {                          /* SUBACK and UNSUBACK */
        uint16_t          packet_id;
        struct str        reasons;              /* a byte a filter; empty in UNSUBACK before 5.0 */
        struct properties properties;
};

struct unsubscribe_packet {
        uint16_t          packet_id;
        unsigned          count;
        struct str        filters;              /* walked with unsubscribe_next() */
        struct properties properties;
};

struct disconnect_packet {
        enum reason       reason;
        struct properties properties;
};

struct auth_packet {
        enum reason       reason;
        struct properties properties;
};

struct packet {
        enum packet_type type;
        uint32_t         size;                  /* of the whole packet on the wire, in bytes */
        union {
                struct connect_packet     connect;
                struct connack_packet     connack;
                struct publish_packet     publish;
                struct ack_packet         ack;
                struct subscribe_packet   subscribe;
                struct suback_packet      suback;
                struct unsubscribe_packet unsubscribe;
                struct disconnect_packet  disconnect;
                struct auth_packet        auth;
        };
};

/* Cut the next filter off *filters, which was decoded before; false at the end. */
bool subscribe_next(struct str *filters, struct subscribe_item *out);
bool unsubscribe_next(struct str *filters, struct str *filter);

const char *packet_name(enum packet_type type);         /* "PUBLISH"; static storage */

/* May a packet of MQTT 5.0 give this reason? For SUBACK and UNSUBACK, one of theirs. `from` is who
 * sends it, or ANYONE where that is not known: decode() serves both sides. */
enum {
        PACKET_FROM_CLIENT = 1,
        PACKET_FROM_SERVER = 2,
        PACKET_FROM_ANYONE = PACKET_FROM_CLIENT | PACKET_FROM_SERVER,
};

bool packet_reason_allowed(enum packet_type type, enum reason reason, unsigned from);

#endif
