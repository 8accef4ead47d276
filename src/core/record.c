#include "core/record.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/memory.h"

enum { BODY = 0x7f, BODY_VERSION = 1 };

/* ---- the cursor: fixed integers, little-endian; the first failure stays ---------------------- */

/* Room for all of it has been made before. */
struct out {
        struct buffer *to;
        char          *at, *end;
};

struct in {
        const unsigned char *at, *end;
        bool                 failed;
};

static bool out_begin(struct out *out, struct buffer *to, size_t size_max)
{
        if (!buffer_reserve(to, size_max))
                return false;
        out->to  = to;
        out->at  = to->bytes + to->len;
        out->end = out->at + size_max;
        return true;
}

static void out_end(struct out *out)
{
        out->to->len = (size_t)(out->at - out->to->bytes);
}

static inline void put(struct out *out, uint64_t value, unsigned bytes)
{
        uint64_t little = htole64(value);

        assert((size_t)(out->end - out->at) >= bytes);
        memcpy(out->at, &little, bytes);
        out->at += bytes;
}

static void put_str(struct out *out, struct str value)
{
        put(out, value.len, 4);
        assert((size_t)(out->end - out->at) >= value.len);
        if (value.len > 0)
                memcpy(out->at, value.ptr, value.len);
        out->at += value.len;
}

static void put_guid(struct out *out, struct guid guid)
{
        put(out, guid.time_us, 8);
        put(out, guid.origin, 8);
}

static inline uint64_t get(struct in *in, unsigned bytes)
{
        uint64_t little = 0;

        if ((size_t)(in->end - in->at) < bytes) {
                in->failed = true;
                in->at     = in->end;
                return 0;
        }
        memcpy(&little, in->at, bytes);
        in->at += bytes;
        return le64toh(little);
}

/* At most `max` bytes. */
static struct str get_str(struct in *in, size_t max)
{
        size_t     len   = get(in, 4);
        struct str value = { 0 };

        if (len > max || len > (size_t)(in->end - in->at)) {
                in->failed = true;
                in->at     = in->end;
                return value;
        }
        value = str_from(in->at, len);
        in->at += len;
        return value;
}

static struct guid get_guid(struct in *in)
{
        struct guid guid = { .time_us = get(in, 8) };

        guid.origin = get(in, 8);
        return guid;
}

/* Bits beyond the known ones are another version's. */
static unsigned get_flags(struct in *in, unsigned known)
{
        unsigned flags = (unsigned)get(in, 1);

        in->failed |= (flags & ~known) != 0;
        return flags;
}

/* ---- kind by kind ---------------------------------------------------------------------------- */

enum { SESSION_HAS_WILL = 1, SESSION_SUPERUSER = 2, SESSION_GRANTED = 4, SESSION_FLAGS = 7 };
#define PENDING_GRANTED (1ull << 63)    /* in its time */
enum { OPTION_NO_LOCAL = 1, OPTION_RETAIN_AS_PUBLISHED = 2 };
enum {
        DELIVERY_HAS_MESSAGE = 1, DELIVERY_RETAIN = 2, DELIVERY_SHARED = 4,
        DELIVERY_ORIGIN_QOS2 = 8, DELIVERY_RELEASED = 16, DELIVERY_FLAGS = 31
};

static void put_marks(struct out *out, const struct record_marks *marks)
{
        put(out, marks->count, 4);
        for (uint32_t i = 0; i < marks->count; i++)
                put_guid(out, marks->newest[i]);
}

static void get_marks(struct in *in, struct record_marks *marks)
{
        *marks       = (struct record_marks){ 0 };      /* they are compared as a whole */
        marks->count = (uint32_t)get(in, 4);
        in->failed |= marks->count > RECORD_MARKS_MAX;
        for (uint32_t i = 0; i < marks->count && !in->failed; i++)
                marks->newest[i] = get_guid(in);
}

static void put_session(struct out *out, const struct record_session *session)
{
        unsigned flags = (session->has_will ? SESSION_HAS_WILL : 0u) |
                         (session->superuser ? SESSION_SUPERUSER : 0u) |
                         (session->granted ? SESSION_GRANTED : 0u);

        put(out, flags, 1);
        put(out, session->durability, 1);
        put(out, session->created_us, 8);
        put(out, session->disconnected_us, 8);
        put(out, session->expiry_s, 4);
        put_str(out, session->client_id);
        put_str(out, session->username);
        if (!session->has_will)
                return;
        put(out, session->will_delay_s, 4);
        put_guid(out, session->will);
}

static void get_session(struct in *in, struct record_session *session)
{
        unsigned flags = get_flags(in, SESSION_FLAGS);

        *session                 = (struct record_session){ 0 };
        session->has_will        = (flags & SESSION_HAS_WILL) != 0;
        session->superuser       = (flags & SESSION_SUPERUSER) != 0;
        session->granted         = (flags & SESSION_GRANTED) != 0;
        session->durability      = (uint8_t)get(in, 1);
        session->created_us      = get(in, 8);
        session->disconnected_us = get(in, 8);
        session->expiry_s        = (uint32_t)get(in, 4);
        session->client_id       = get_str(in, UINT16_MAX);
        session->username        = get_str(in, UINT16_MAX);
        in->failed |= session->client_id.len == 0 || session->durability > 2;
        if (!session->has_will)
                return;
        session->will_delay_s = (uint32_t)get(in, 4);
        session->will         = get_guid(in);
}

static void put_subscription(struct out *out, const struct record_subscription *subscription)
{
        const struct subscription_options *options = &subscription->options;

        put(out, subscription->session, 8);
        put_str(out, subscription->name);
        put(out, options->id, 4);
        put(out, options->qos, 1);
        put(out, options->retain_handling, 1);
        put(out, (options->no_local ? OPTION_NO_LOCAL : 0u) |
                         (options->retain_as_published ? OPTION_RETAIN_AS_PUBLISHED : 0u), 1);
}

static void get_subscription(struct in *in, struct record_subscription *subscription)
{
        struct subscription_options *options = &subscription->options;
        unsigned                     flags;

        *subscription            = (struct record_subscription){ 0 };
        subscription->session    = get(in, 8);
        subscription->name       = get_str(in, UINT16_MAX);
        options->id              = (uint32_t)get(in, 4);
        options->qos             = (uint8_t)get(in, 1);
        options->retain_handling = (uint8_t)get(in, 1);
        flags = get_flags(in, OPTION_NO_LOCAL | OPTION_RETAIN_AS_PUBLISHED);
        options->no_local            = (flags & OPTION_NO_LOCAL) != 0;
        options->retain_as_published = (flags & OPTION_RETAIN_AS_PUBLISHED) != 0;
        in->failed |= subscription->name.len == 0 || options->qos > 2 ||
                      options->retain_handling > 2;
}

static void put_delivery(struct out *out, const struct record_delivery *d)
{
        put(out, d->session, 8);
        put(out, (d->has_message ? DELIVERY_HAS_MESSAGE : 0u) |
                         (d->retain ? DELIVERY_RETAIN : 0u) | (d->shared ? DELIVERY_SHARED : 0u) |
                         (d->origin_qos2 ? DELIVERY_ORIGIN_QOS2 : 0u) |
                         (d->released ? DELIVERY_RELEASED : 0u), 1);
        put(out, d->qos, 1);
        put(out, d->packet_id, 2);
        if (!d->has_message)
                return;
        put_guid(out, d->message);
        put(out, d->size, 4);
        put(out, d->expires_us, 8);
        put(out, d->priority, 4);
        put(out, d->id_count, 1);
        for (uint32_t i = 0; i < d->id_count; i++)
                put(out, d->ids[i], 4);
}

static void get_delivery(struct in *in, struct record_delivery *d)
{
        unsigned flags;

        *d             = (struct record_delivery){ 0 };
        d->session     = get(in, 8);
        flags          = get_flags(in, DELIVERY_FLAGS);
        d->has_message = (flags & DELIVERY_HAS_MESSAGE) != 0;
        d->retain      = (flags & DELIVERY_RETAIN) != 0;
        d->shared      = (flags & DELIVERY_SHARED) != 0;
        d->origin_qos2 = (flags & DELIVERY_ORIGIN_QOS2) != 0;
        d->released    = (flags & DELIVERY_RELEASED) != 0;
        d->qos         = (uint8_t)get(in, 1);
        d->packet_id   = (uint16_t)get(in, 2);
        in->failed |= d->qos == 0 || d->qos > 2 || d->has_message == d->released ||
                      (d->released && d->packet_id == 0);
        if (!d->has_message)
                return;
        d->message    = get_guid(in);
        d->size       = (uint32_t)get(in, 4);
        d->expires_us = get(in, 8);
        d->priority   = (unsigned)get(in, 4);
        d->id_count   = (uint32_t)get(in, 1);
        in->failed |= d->id_count > SUBSCRIPTION_IDS_MAX;
        for (uint32_t i = 0; i < d->id_count && !in->failed; i++)
                d->ids[i] = (uint32_t)get(in, 4);
}

static void put_rest(struct out *out, const struct record *record)
{
        if (record->kind == RECORD_AWAITING) {
                put(out, record->awaiting.session, 8);
                put(out, record->awaiting.packet_id, 2);
        } else if (record->kind == RECORD_RETAINED) {
                put_guid(out, record->retained.message);
        } else {
                put_guid(out, record->pending.message);
                put(out, record->pending.due_us |
                                 (record->pending.granted ? PENDING_GRANTED : 0), 8);
                put_str(out, record->pending.name);
        }
}

static void get_rest(struct in *in, struct record *record)
{
        if (record->kind == RECORD_AWAITING) {
                record->awaiting.session   = get(in, 8);
                record->awaiting.packet_id = (uint16_t)get(in, 2);
                in->failed |= record->awaiting.packet_id == 0;
        } else if (record->kind == RECORD_RETAINED) {
                record->retained.message = get_guid(in);
        } else {
                record->pending.message = get_guid(in);
                record->pending.due_us  = get(in, 8);
                record->pending.granted = (record->pending.due_us & PENDING_GRANTED) != 0;
                record->pending.due_us &= ~PENDING_GRANTED;
                record->pending.name    = get_str(in, UINT16_MAX);
        }
}

/* At most: what is fixed is less than FIXED_MAX in every kind. */
static size_t size_of(const struct record *record)
{
        enum { FIXED_MAX = 64 };

        switch (record->kind) {
        case RECORD_MARKS:
                return FIXED_MAX + record->marks.count * sizeof record->marks.newest[0];
        case RECORD_SESSION:
                return FIXED_MAX + record->session.client_id.len + record->session.username.len;
        case RECORD_SUBSCRIPTION:
                return FIXED_MAX + record->subscription.name.len;
        case RECORD_DELIVERY:
                return FIXED_MAX + record->delivery.id_count * sizeof record->delivery.ids[0];
        case RECORD_PENDING:
                return FIXED_MAX + record->pending.name.len;
        case RECORD_AWAITING:
        case RECORD_RETAINED:
        case RECORD_KINDS:
                break;
        }
        return FIXED_MAX;
}

bool record_encode(struct buffer *to, const struct record *record)
{
        struct out out;

        if (!out_begin(&out, to, size_of(record)))
                return false;
        put(&out, RECORD_VERSION, 1);
        put(&out, record->kind, 1);
        switch (record->kind) {
        case RECORD_MARKS:
                put_marks(&out, &record->marks);
                break;
        case RECORD_SESSION:
                put_session(&out, &record->session);
                break;
        case RECORD_SUBSCRIPTION:
                put_subscription(&out, &record->subscription);
                break;
        case RECORD_DELIVERY:
                put_delivery(&out, &record->delivery);
                break;
        case RECORD_AWAITING:
        case RECORD_RETAINED:
        case RECORD_PENDING:
                put_rest(&out, record);
                break;
        case RECORD_KINDS:
                return false;
        }
        out_end(&out);
        return true;
}

bool record_decode(struct str value, struct record *record)
{
        const unsigned char *start = (const unsigned char *)(value.ptr != NULL ? value.ptr : "");
        struct in            in    = { start, start + value.len, false };

        record->kind = RECORD_KINDS;
        if (get(&in, 1) != RECORD_VERSION)
                return false;
        record->kind = (enum record_kind)get(&in, 1);
        switch (record->kind) {
        case RECORD_MARKS:
                get_marks(&in, &record->marks);
                break;
        case RECORD_SESSION:
                get_session(&in, &record->session);
                break;
        case RECORD_SUBSCRIPTION:
                get_subscription(&in, &record->subscription);
                break;
        case RECORD_DELIVERY:
                get_delivery(&in, &record->delivery);
                break;
        case RECORD_AWAITING:
        case RECORD_RETAINED:
        case RECORD_PENDING:
                get_rest(&in, record);
                break;
        case RECORD_KINDS:
        default:
                return false;
        }
        return !in.failed && in.at == in.end;
}

uint64_t record_session(const struct record *record)
{
        switch (record->kind) {
        case RECORD_SUBSCRIPTION:
                return record->subscription.session;
        case RECORD_DELIVERY:
                return record->delivery.session;
        case RECORD_AWAITING:
                return record->awaiting.session;
        case RECORD_MARKS:
        case RECORD_SESSION:
        case RECORD_RETAINED:
        case RECORD_PENDING:
        case RECORD_KINDS:
                break;
        }
        return 0;
}

bool record_message(const struct record *record, struct guid *out)
{
        switch (record->kind) {
        case RECORD_SESSION:
                *out = record->session.will;
                return record->session.has_will;
        case RECORD_DELIVERY:
                *out = record->delivery.message;
                return record->delivery.has_message;
        case RECORD_RETAINED:
                *out = record->retained.message;
                return true;
        case RECORD_PENDING:
                *out = record->pending.message;
                return true;
        case RECORD_MARKS:
        case RECORD_SUBSCRIPTION:
        case RECORD_AWAITING:
        case RECORD_KINDS:
                break;
        }
        return false;
}

const char *record_kind_name(enum record_kind kind)
{
        static const char *const names[RECORD_KINDS] = {
                [RECORD_MARKS]    = "marks",    [RECORD_SESSION]  = "session",
                [RECORD_SUBSCRIPTION] = "subscription",
                [RECORD_DELIVERY] = "delivery", [RECORD_AWAITING] = "awaiting",
                [RECORD_RETAINED] = "retained", [RECORD_PENDING]  = "pending",
        };

        return (unsigned)kind < RECORD_KINDS && names[kind] != NULL ? names[kind] : "unknown";
}

/* ---- bodies ---------------------------------------------------------------------------------- */

enum { BODY_RETAIN = 4, BODY_FLAGS = 7 };       /* the two lowest bits: QoS */
enum { BODY_FIXED = 3 + 8 + 5 * 4 };            /* bytes besides its strings */

bool body_encode(struct buffer *to, const struct message *message)
{
        struct out out;

        if (!out_begin(&out, to, BODY_FIXED + message_topic(message).len +
                                         message_client_id(message).len +
                                         message_username(message).len +
                                         message_properties(message).len +
                                         message_payload(message).len))
                return false;
        put(&out, BODY_VERSION, 1);
        put(&out, BODY, 1);
        put(&out, message->qos | (message->retain ? BODY_RETAIN : 0u), 1);
        put(&out, message->expires_us, 8);
        put_str(&out, message_topic(message));
        put_str(&out, message_client_id(message));
        put_str(&out, message_username(message));
        put_str(&out, message_properties(message));
        put_str(&out, message_payload(message));
        out_end(&out);
        return true;
}

struct message *body_decode(struct str value, struct guid guid, bool *damaged)
{
        const unsigned char *start = (const unsigned char *)(value.ptr != NULL ? value.ptr : "");
        struct in            in    = { start, start + value.len, false };
        struct message_parts parts = { .guid = guid };
        unsigned             flags;

        in.failed |= get(&in, 1) != BODY_VERSION;
        in.failed |= get(&in, 1) != BODY;
        flags            = get_flags(&in, BODY_FLAGS);
        parts.qos        = flags & 3;
        parts.retain     = (flags & BODY_RETAIN) != 0;
        parts.expires_us = get(&in, 8);
        parts.topic      = get_str(&in, UINT16_MAX);
        parts.client_id  = get_str(&in, UINT16_MAX);
        parts.username   = get_str(&in, UINT16_MAX);
        parts.properties = get_str(&in, PACKET_BYTES_MAX);
        parts.payload    = get_str(&in, PACKET_BYTES_MAX);
        *damaged = in.failed || in.at != in.end || parts.topic.len == 0 || parts.qos > 2;
        return *damaged ? NULL : message_restore(&parts);
}
