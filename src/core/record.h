/* What outlives the process, as bytes: small index records, and the bodies of messages. Pure.
 *
 * A record is known by a key: 64 bits that ascend in order of arrival, so that a store appends. A
 * body is known by its message's guid and stored once, however many records refer to it. A value
 * begins with a version and its kind; integers are little-endian, strings stand behind a length.
 * The store adds a checksum of its own. */
#ifndef LINNET_CORE_RECORD_H
#define LINNET_CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/guid.h"
#include "base/limits.h"
#include "core/message.h"
#include "core/subscription.h"

enum { RECORD_VERSION = 1 };

/* On disk: never renumbered. */
enum record_kind {
        RECORD_MARKS        = 1,        /* one of its kind, under RECORD_KEY_MARKS */
        RECORD_SESSION      = 2,        /* its key names the session in the others */
        RECORD_SUBSCRIPTION = 3,
        RECORD_DELIVERY     = 4,        /* queued for a session, or in flight */
        RECORD_AWAITING     = 5,        /* a QoS 2 packet id that waits for its PUBREL */
        RECORD_RETAINED     = 6,
        RECORD_PENDING      = 7,        /* to be published at a time: a will, a delayed message */
        RECORD_KINDS
};

enum { RECORD_KEY_MARKS = 1, RECORD_KEY_FIRST = 1024 };
enum { RECORD_MARKS_MAX = SHARDS_MAX + 1 };

/* Per source of guids, the newest QoS 2 message whose packet id is safe at its publisher. What is
 * newer and came from a durable publisher at QoS 2 was never acknowledged: it is sent again. One
 * whose origin is 0 is for all sources: a start leaves that one alone. */
struct record_marks {
        uint32_t    count;
        struct guid newest[RECORD_MARKS_MAX];
};

struct record_session {
        struct str  client_id, username;
        uint64_t    created_us;
        uint64_t    disconnected_us;    /* 0: connected */
        uint32_t    expiry_s;
        uint32_t    will_delay_s;
        bool        superuser, granted;
        bool        has_will;
        struct guid will;
        uint8_t     durability;
};

struct record_subscription {
        uint64_t                    session;
        struct str                  name;       /* as the client gave it, prefix included */
        struct subscription_options options;
};

struct record_delivery {
        uint64_t    session;
        bool        has_message;        /* no: PUBREC has come, the body is not needed any more */
        struct guid message;
        uint8_t     qos;
        bool        retain, shared;
        bool        origin_qos2;        /* published at QoS 2 by a durable session: see marks */
        bool        released;           /* PUBREC has come */
        uint16_t    packet_id;          /* 0: not sent yet */
        uint32_t    size;               /* message_size() */
        uint64_t    expires_us;
        unsigned    priority;           /* of its topic in the queue */
        uint32_t    id_count;
        uint32_t    ids[SUBSCRIPTION_IDS_MAX];
};

struct record_awaiting {
        uint64_t session;
        uint16_t packet_id;
};

struct record_retained {
        struct guid message;
};

struct record_pending {
        struct guid message;
        uint64_t    due_us;             /* wall clock; below 1 << 63 */
        struct str  name;               /* of the shared subscription it is for; empty: for all */
        bool        granted;            /* its publisher's rights came with its credentials */
};

struct record {
        enum record_kind kind;
        union {
                struct record_marks        marks;
                struct record_session      session;
                struct record_subscription subscription;
                struct record_delivery     delivery;
                struct record_awaiting     awaiting;
                struct record_retained     retained;
                struct record_pending      pending;
        };
};

/* Appends the value; false without memory. */
bool record_encode(struct buffer *to, const struct record *record);

/* Strings are views into `value`. False: not of this version, or not as it should be. */
bool record_decode(struct str value, struct record *out);

/* The key of the session that the record belongs to; 0: it is nobody's. */
uint64_t record_session(const struct record *record);

/* The body that the record refers to; false when it refers to none. */
bool record_message(const struct record *record, struct guid *out);

const char *record_kind_name(enum record_kind kind);    /* "session"; "unknown" */

/* A message's body, without its guid. */
bool body_encode(struct buffer *to, const struct message *message);

/* The message, its guid as given; `from` is the caller's to set. NULL: without memory (*damaged
 * false), or the bytes are not a body (*damaged true). One reference, the caller's. */
struct message *body_decode(struct str value, struct guid guid, bool *damaged);

#endif
