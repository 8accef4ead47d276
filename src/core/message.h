/* One PUBLISH as all its receivers share it: immutable from message_new() on, counted. What differs
 * per receiver (packet id, dup, QoS, subscription identifiers, alias) is not in it.
 *
 * Its bytes lie as the wire wants them, so that delivering is copying:
 *
 *      | topic length, topic | properties that are passed on | payload | client id | user name |
 */
#ifndef LINNET_CORE_MESSAGE_H
#define LINNET_CORE_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/str.h"
#include "mqtt/packet.h"

struct receipt;

struct message {
        _Atomic uint32_t refs;
        uint32_t         properties_len;
        uint32_t         payload_len;
        uint16_t         topic_len;
        uint16_t         client_id_len;
        uint16_t         username_len;
        uint8_t          qos;
        bool             retain;                /* the publisher's flag */
        bool             local_only;            /* from the broker itself: "$SYS" */
        uint64_t         expires_us;            /* wall clock; 0: never */
        uint64_t         from;                  /* hash of the publisher's id; 0: the broker */
        struct guid      guid;
        struct receipt  *receipt;               /* of one that must not be lost; else NULL */
        char             bytes[];
};

struct message_fields {
        struct str               topic;
        struct str               payload;
        uint8_t                  qos;
        bool                     retain;
        const struct properties *properties;    /* NULL: none; what is not passed on is left out */
        struct str               client_id;     /* of the publisher; empty: the broker */
        struct str               username;
        uint64_t                 from;
        uint64_t                 wall_us;       /* now: message expiry counts from here */
        struct guid              guid;
};

/* A message as a store has it: properties as they are passed on, the expiry as a time. */
struct message_parts {
        struct str  topic, properties, payload, client_id, username;
        unsigned    qos;
        bool        retain;
        uint64_t    expires_us;
        struct guid guid;
};

/* Both: one reference, the caller's. NULL without memory. */
struct message *message_restore(const struct message_parts *parts);
struct message *message_new(const struct message_fields *fields);

/* The same message under another topic, QoS or retain flag, for whoever rewrites it on its way: it
 * takes the receipt over, and must go in its place. NULL without memory. */
struct message *message_copy(struct message *message, struct str topic, uint8_t qos, bool retain);

/* A message of its own with the same content and publisher under `topic`. NULL without memory. */
struct message *message_renew(const struct message *message, struct str topic, struct guid guid);

void message_free(struct message *message);     /* message_put()'s */

static inline struct str message_topic(const struct message *m)
{
        return str_from(m->bytes + 2, m->topic_len);
}

static inline struct str message_properties(const struct message *m)
{
        return str_from(m->bytes + 2 + m->topic_len, m->properties_len);
}

static inline struct str message_payload(const struct message *m)
{
        return str_from(m->bytes + 2 + m->topic_len + m->properties_len, m->payload_len);
}

static inline struct str message_client_id(const struct message *m)
{
        return str_from(m->bytes + 2 + m->topic_len + m->properties_len + m->payload_len,
                        m->client_id_len);
}

static inline struct str message_username(const struct message *m)
{
        return str_from(message_client_id(m).ptr + m->client_id_len, m->username_len);
}

/* What it costs a queue that holds it, in bytes. */
static inline size_t message_size(const struct message *m)
{
        return sizeof *m + 2 + m->topic_len + m->properties_len + m->payload_len;
}

static inline bool message_expired(const struct message *m, uint64_t wall_us)
{
        return m->expires_us != 0 && m->expires_us <= wall_us;
}

/* The remaining interval that is passed on, rounded up to whole seconds [MQTT-3.3.2-6]. */
static inline uint32_t message_expiry_left_s(const struct message *m, uint64_t wall_us)
{
        return (uint32_t)((m->expires_us - wall_us + 999999) / 1000000);
}

static inline struct message *message_get(struct message *m)
{
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
        return m;
}

static inline void message_put(struct message *m)
{
        if (m != NULL && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
                message_free(m);
}

#endif
