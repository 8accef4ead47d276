/* MQTT 5.0 properties: which there are, and a packet's properties taken apart.
 *
 * Decoding gives a `struct properties`: which are present, the value of each that may stand once,
 * and the raw bytes of the whole section for those that may stand many times (user properties,
 * subscription identifiers), which are walked with an iterator. Everything is a view of the packet.
 *
 * The value of a property that is not present is unspecified, not its default: ask property_has()
 * first. So a packet without properties costs four stores.
 */
#ifndef LINNET_MQTT_PROPERTY_H
#define LINNET_MQTT_PROPERTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum property_id {
#define PROPERTY(id, name, type, where, times) PROPERTY_##name = (id),
#include "mqtt/property.tbl.h"
        PROPERTY_IDS = 0x2B
};

enum property_type {
        PROPERTY_TYPE_NONE, PROPERTY_TYPE_BYTE, PROPERTY_TYPE_TWO, PROPERTY_TYPE_FOUR,
        PROPERTY_TYPE_VARINT, PROPERTY_TYPE_STRING, PROPERTY_TYPE_BINARY, PROPERTY_TYPE_PAIR
};

struct properties {
        uint64_t   present;             /* bit n: the property of id n stands at least once */
        struct str raw;                 /* the whole section behind its length, valid as decoded */
        uint16_t   user_count;          /* user properties in it */
        uint16_t   subscription_id_count;

        uint32_t   message_expiry_s;
        uint32_t   session_expiry_s;
        uint32_t   will_delay_s;
        uint32_t   maximum_packet_size;
        uint32_t   subscription_id;     /* the first */
        uint16_t   server_keep_alive_s;
        uint16_t   receive_maximum;
        uint16_t   topic_alias_maximum;
        uint16_t   topic_alias;
        uint8_t    payload_format;
        uint8_t    request_problem_info;
        uint8_t    request_response_info;
        uint8_t    maximum_qos;
        uint8_t    retain_available;
        uint8_t    wildcard_available;
        uint8_t    subscription_id_available;
        uint8_t    shared_available;
        struct str content_type;
        struct str response_topic;
        struct str correlation_data;
        struct str assigned_client_id;
        struct str auth_method;
        struct str auth_data;
        struct str response_info;
        struct str server_reference;
        struct str reason_string;
};

static inline bool property_has(const struct properties *p, enum property_id id)
{
        return (p->present >> id & 1) != 0;
}

/* No property is present. The values are left as they are: who reads one asks property_has() first,
 * and a packet without properties costs nothing. */
static inline void properties_none(struct properties *out)
{
        out->present               = 0;
        out->raw                   = (struct str){ 0 };
        out->user_count            = 0;
        out->subscription_id_count = 0;
}

static inline void property_set(struct properties *p, enum property_id id)
{
        p->present |= (uint64_t)1 << id;
}

/* One property as it stands in the raw section. */
struct property {
        enum property_id id;
        struct str       bytes;         /* its own, identifier included */
        uint32_t         number;        /* BYTE, TWO, FOUR, VARINT */
        struct str       name;          /* PAIR */
        struct str       value;         /* STRING, BINARY, PAIR */
};

/* Cuts the next property off *raw, which must be a section that was decoded or encoded here; false
 * at the end. */
bool property_next(struct str *raw, struct property *out);

enum property_type property_type(enum property_id id);  /* NONE for an unknown id */
const char        *property_name(enum property_id id);  /* "session_expiry"; NULL if unknown */

#endif
