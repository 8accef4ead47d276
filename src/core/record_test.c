#include "core/record.h"

#include <string.h>

#include "base/memory.h"
#include "unit.h"

enum { VALUE_MAX = 1024 };

#define GUID_A { 0x1122334455667788, 0x99aabbccddeeff00 }
#define A_GUID "8877665544332211" "00ffeeddccbbaa99"    /* the same, as it lies on disk */

/* Every kind, with every member that it can have and without; and as it lies on disk, which a later
 * version must still read: these bytes never change. */
static const struct sample {
        const char   *name;
        const char   *hex;
        struct record record;
} samples[] = {
        { "marks", "0101" "02000000" A_GUID "0100000000000000" "0200000000000000",
          { RECORD_MARKS, .marks = { 2, { GUID_A, { 1, 2 } } } } },
        { "no marks", "0101" "00000000", { RECORD_MARKS, .marks = { 0 } } },
        { "session", "0102" "00" "02" "0102030400000000" "0500000000000000" "ffffffff"
                     "02000000" "6964" "00000000",
          { RECORD_SESSION, .session = { .client_id = { "id", 2 }, .created_us = 0x04030201,
            .disconnected_us = 5, .expiry_s = UINT32_MAX, .durability = 2 } } },
        { "session of a superuser", "0102" "02" "02" "0102030400000000" "0500000000000000"
                                    "ffffffff" "02000000" "6964" "00000000",
          { RECORD_SESSION, .session = { .client_id = { "id", 2 }, .created_us = 0x04030201,
            .disconnected_us = 5, .expiry_s = UINT32_MAX, .durability = 2, .superuser = true } } },
        { "session of a token", "0102" "04" "02" "0102030400000000" "0500000000000000"
                                "ffffffff" "02000000" "6964" "00000000",
          { RECORD_SESSION, .session = { .client_id = { "id", 2 }, .created_us = 0x04030201,
            .disconnected_us = 5, .expiry_s = UINT32_MAX, .durability = 2, .granted = true } } },
        { "session with a will", "0102" "01" "01" "0100000000000000" "0000000000000000" "0a000000"
                                 "01000000" "78" "01000000" "75" "07000000" A_GUID,
          { RECORD_SESSION, .session = { .client_id = { "x", 1 }, .username = { "u", 1 },
            .created_us = 1, .expiry_s = 10, .durability = 1, .has_will = true,
            .will_delay_s = 7, .will = GUID_A } } },
        { "subscription", "0103" "0004000000000000" "05000000" "612f232f62" "0d000000" "02" "01"
                          "03",
          { RECORD_SUBSCRIPTION, .subscription = { .session = 1024, .name = { "a/#/b", 5 },
            .options = { .id = 13, .qos = 2, .retain_handling = 1, .no_local = true,
            .retain_as_published = true } } } },
        { "plain subscription", "0103" "0004000000000000" "01000000" "61" "00000000" "00" "00" "00",
          { RECORD_SUBSCRIPTION, .subscription = { .session = 1024, .name = { "a", 1 } } } },
        { "delivery", "0104" "0004000000000000" "0f" "02" "0302" A_GUID "64000000"
                      "0900000000000000" "08000000" "02" "01000000" "ffffff0f",
          { RECORD_DELIVERY, .delivery = { .session = 1024, .has_message = true, .message = GUID_A,
            .qos = 2, .retain = true, .shared = true, .origin_qos2 = true, .packet_id = 0x0203,
            .size = 100, .expires_us = 9, .priority = 8, .id_count = 2,
            .ids = { 1, 268435455 } } } },
        { "plain delivery", "0104" "0004000000000000" "01" "01" "0000" A_GUID "64000000"
                            "0000000000000000" "00000000" "00",
          { RECORD_DELIVERY, .delivery = { .session = 1024, .has_message = true, .message = GUID_A,
            .qos = 1, .size = 100 } } },
        { "released delivery", "0104" "0004000000000000" "10" "02" "0700",
          { RECORD_DELIVERY, .delivery = { .session = 1024, .qos = 2, .released = true,
            .packet_id = 7 } } },
        { "awaiting", "0105" "0004000000000000" "ffff",
          { RECORD_AWAITING, .awaiting = { 1024, 65535 } } },
        { "retained", "0106" A_GUID, { RECORD_RETAINED, .retained = { GUID_A } } },
        { "pending", "0107" A_GUID "0b00000000000000" "05000000" "672f612f62",
          { RECORD_PENDING, .pending = { .message = GUID_A, .due_us = 11,
            .name = { "g/a/b", 5 } } } },
        { "pending for all", "0107" A_GUID "0b00000000000000" "00000000",
          { RECORD_PENDING, .pending = { .message = GUID_A, .due_us = 11 } } },
        { "pending of a token", "0107" A_GUID "0b00000000000080" "00000000",
          { RECORD_PENDING, .pending = { .message = GUID_A, .due_us = 11, .granted = true } } },
};

static unsigned nibble(char digit)
{
        return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

static struct str of_hex(const char *hex, char to[static VALUE_MAX])
{
        size_t len = strlen(hex) / 2;

        EXPECT(len <= VALUE_MAX);
        for (size_t i = 0; i < len; i++)
                to[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
        return str_from(to, len);
}

static bool same_guid(struct guid a, struct guid b)
{
        return a.time_us == b.time_us && a.origin == b.origin;
}

static bool same_session(const struct record_session *a, const struct record_session *b)
{
        return str_eq(a->client_id, b->client_id) && str_eq(a->username, b->username) &&
               a->created_us == b->created_us && a->disconnected_us == b->disconnected_us &&
               a->expiry_s == b->expiry_s && a->will_delay_s == b->will_delay_s &&
               a->has_will == b->has_will && same_guid(a->will, b->will) &&
               a->durability == b->durability && a->superuser == b->superuser &&
               a->granted == b->granted;
}

static bool same_subscription(const struct record_subscription *a,
                              const struct record_subscription *b)
{
        return a->session == b->session && str_eq(a->name, b->name) &&
               a->options.id == b->options.id && a->options.qos == b->options.qos &&
               a->options.retain_handling == b->options.retain_handling &&
               a->options.no_local == b->options.no_local &&
               a->options.retain_as_published == b->options.retain_as_published;
}

static bool same_delivery(const struct record_delivery *a, const struct record_delivery *b)
{
        return a->session == b->session && a->has_message == b->has_message &&
               same_guid(a->message, b->message) && a->qos == b->qos && a->retain == b->retain &&
               a->shared == b->shared && a->origin_qos2 == b->origin_qos2 &&
               a->released == b->released && a->packet_id == b->packet_id && a->size == b->size &&
               a->expires_us == b->expires_us && a->priority == b->priority &&
               a->id_count == b->id_count && memcmp(a->ids, b->ids, sizeof a->ids) == 0;
}

static bool same(const struct record *a, const struct record *b)
{
        if (a->kind != b->kind)
                return false;
        switch (a->kind) {
        case RECORD_MARKS:
                return memcmp(&a->marks, &b->marks, sizeof a->marks) == 0;
        case RECORD_SESSION:
                return same_session(&a->session, &b->session);
        case RECORD_SUBSCRIPTION:
                return same_subscription(&a->subscription, &b->subscription);
        case RECORD_DELIVERY:
                return same_delivery(&a->delivery, &b->delivery);
        case RECORD_AWAITING:
                return a->awaiting.session == b->awaiting.session &&
                       a->awaiting.packet_id == b->awaiting.packet_id;
        case RECORD_RETAINED:
                return same_guid(a->retained.message, b->retained.message);
        case RECORD_PENDING:
                return same_guid(a->pending.message, b->pending.message) &&
                       a->pending.due_us == b->pending.due_us &&
                       a->pending.granted == b->pending.granted &&
                       str_eq(a->pending.name, b->pending.name);
        case RECORD_KINDS:
                break;
        }
        return false;
}

TEST(records_round_trip_in_their_bytes)
{
        const struct sample *sample;
        struct buffer        buffer = { .bytes = NULL };

        EACH(samples, sample) {
                char          bytes[VALUE_MAX];
                struct str    value = of_hex(sample->hex, bytes);
                struct record out;

                buffer_consume(&buffer, buffer_len(&buffer));
                EXPECT(record_encode(&buffer, &sample->record), "%s", sample->name);
                EXPECT(str_eq(buffer_str(&buffer), value), "%s: the bytes", sample->name);
                EXPECT(record_decode(value, &out), "%s", sample->name);
                EXPECT(same(&out, &sample->record), "%s: the members", sample->name);
        }
        buffer_deinit(&buffer);
}

TEST(what_is_cut_or_too_long_is_refused)
{
        const struct sample *sample;

        EACH(samples, sample) {
                char          bytes[VALUE_MAX + 1];
                struct str    value = of_hex(sample->hex, bytes);
                struct record out;

                /* On a heap of its own size, so that a sanitizer sees who reads on. */
                for (size_t len = 0; len < value.len; len++) {
                        char *cut = mem_dup(str_from(bytes, len));

                        EXPECT(!record_decode(str_from(cut, len), &out), "%s cut at %zu",
                               sample->name, len);
                        mem_free(cut);
                }
                bytes[value.len] = 0;
                EXPECT(!record_decode(str_from(bytes, value.len + 1), &out), "%s and a byte",
                       sample->name);
        }
        EXPECT(!record_decode((struct str){ 0 }, &(struct record){ 0 }));
}

static const struct sample *sample_named(const char *name)
{
        const struct sample *sample;

        EACH(samples, sample)
                if (strcmp(sample->name, name) == 0)
                        return sample;
        EXPECT(false, "no sample %s", name);
        return NULL;
}

TEST(what_no_version_writes_is_refused)
{
        static const struct row {
                const char *sample;
                size_t      at;
                int         byte;       /* what stands there instead */
        } rows[] = {
                { "retained", 0, 0 },                   /* version */
                { "retained", 0, RECORD_VERSION + 1 },
                { "retained", 1, 0 },                   /* kind */
                { "retained", 1, RECORD_KINDS },
                { "retained", 1, 0x7f },                /* a body's */
                { "retained", 1, 0xff },
                { "marks", 2, 1 },                      /* fewer than there are */
                { "marks", 2, 3 },                      /* more */
                { "session", 2, 8 },                    /* an unknown flag */
                { "session", 3, 3 },                    /* durability */
                { "session", 24, 0 },                   /* the client id's length */
                { "session", 24, 3 },
                { "session", 27, 1 },
                { "subscription", 10, 0 },              /* the name's length */
                { "subscription", 10, 6 },
                { "subscription", 23, 3 },              /* QoS */
                { "subscription", 24, 3 },              /* retain handling */
                { "subscription", 25, 4 },              /* an unknown flag */
                { "delivery", 10, 0x2f },               /* an unknown flag */
                { "delivery", 10, 0x1f },               /* released, with its message */
                { "delivery", 11, 0 },                  /* QoS */
                { "delivery", 11, 3 },
                { "delivery", 46, 1 },                  /* fewer ids than there are */
                { "delivery", 46, 3 },
                { "delivery", 46, 0xff },
                { "released delivery", 10, 0 },         /* neither released nor with a message */
                { "released delivery", 12, 0 },         /* released, and without a packet id */
                { "pending", 26, 6 },                   /* the name's length */
                { "pending", 29, 1 },
        };
        const struct row *row;

        EACH(rows, row) {
                char          bytes[VALUE_MAX];
                struct str    value = of_hex(sample_named(row->sample)->hex, bytes);
                struct record out;

                EXPECT(row->at < value.len && (unsigned char)bytes[row->at] != row->byte,
                       "%s at %zu says something", row->sample, row->at);
                bytes[row->at] = (char)row->byte;
                EXPECT(!record_decode(value, &out), "%s at %zu: %d", row->sample, row->at,
                       row->byte);
        }
}

/* Whole, but for what must not be empty. */
TEST(what_must_be_something_is)
{
        static const struct row {
                const char *name, *hex;
        } rows[] = {
                { "client id", "0102" "00" "02" "0100000000000000" "0000000000000000" "00000000"
                               "00000000" "00000000" },
                { "name", "0103" "0004000000000000" "00000000" "00000000" "00" "00" "00" },
                { "packet id", "0105" "0004000000000000" "0000" },
        };
        static const char topic[] = "017f" "00" "0000000000000000" "00000000" "00000000"
                                    "00000000" "00000000" "00000000";
        const struct row *row;
        char              bytes[VALUE_MAX];
        bool              damaged = false;

        EACH(rows, row)
                EXPECT(!record_decode(of_hex(row->hex, bytes), &(struct record){ 0 }), "%s",
                       row->name);
        EXPECT(body_decode(of_hex(topic, bytes), (struct guid)GUID_A, &damaged) == NULL);
        EXPECT(damaged, "a message has a topic");
}

/* Values that are long enough for what they say, and say more than there may be. */
TEST(limits_hold_where_the_bytes_are_there)
{
        static const struct row {
                const char *name;
                const char *head;
                size_t      count, item;        /* what follows, in zeros */
                bool        good;
        } rows[] = {
                { "marks", "010181000000", RECORD_MARKS_MAX, 16, true },
                { "a mark too many", "010182000000", RECORD_MARKS_MAX + 1, 16, false },
                { "ids", "0104" "0004000000000000" "01" "01" "0000" A_GUID "64000000"
                         "0000000000000000" "00000000" "40", SUBSCRIPTION_IDS_MAX, 4, true },
                { "an id too many", "0104" "0004000000000000" "01" "01" "0000" A_GUID "64000000"
                                    "0000000000000000" "00000000" "41", SUBSCRIPTION_IDS_MAX + 1, 4,
                  false },
                { "name", "0107" A_GUID "0b00000000000000" "ffff0000", 65535, 1, true },
                { "a name too long", "0107" A_GUID "0b00000000000000" "00000100", 65536, 1, false },
        };
        const struct row *row;

        EACH(rows, row) {
                char          head[VALUE_MAX];
                struct str    start = of_hex(row->head, head);
                size_t        len   = start.len + row->count * row->item;
                char         *value = mem_zalloc(len);
                struct record out;

                memcpy(value, start.ptr, start.len);
                EXPECT(record_decode(str_from(value, len), &out) == row->good, "%s", row->name);
                mem_free(value);
        }
}

TEST(a_record_names_its_kind_and_its_message)
{
        static const struct row {
                const char *sample, *kind;
                bool        refers;
        } rows[] = {
                { "marks", "marks", false },
                { "session", "session", false },
                { "session with a will", "session", true },
                { "subscription", "subscription", false },
                { "delivery", "delivery", true },
                { "released delivery", "delivery", false },
                { "awaiting", "awaiting", false },
                { "retained", "retained", true },
                { "pending", "pending", true },
        };
        const struct row *row;

        EACH(rows, row) {
                const struct record *record = &sample_named(row->sample)->record;
                struct guid          guid   = { 0 };

                EXPECT(strcmp(record_kind_name(record->kind), row->kind) == 0, "%s", row->sample);
                EXPECT(record_message(record, &guid) == row->refers, "%s", row->sample);
                EXPECT(!row->refers || same_guid(guid, (struct guid)GUID_A), "%s", row->sample);
        }
        EXPECT(strcmp(record_kind_name(RECORD_KINDS), "unknown") == 0);
        EXPECT(strcmp(record_kind_name((enum record_kind)0), "unknown") == 0);
}

TEST(without_memory_nothing_is_encoded)
{
        struct buffer buffer = { .bytes = NULL };

        mem_fail_after(0);
        EXPECT(!record_encode(&buffer, &samples[0].record));
        mem_fail_after(-1);
        buffer_deinit(&buffer);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static const struct body_sample {
        const char          *name;
        const char          *hex;
        struct message_parts parts;
} bodies[] = {
        { "all", "017f" "06" "0900000000000000" "03000000" "612f62" "01000000" "63" "01000000" "75"
                 "02000000" "0101" "03000000" "00ff61",
          { .topic = { "a/b", 3 }, .client_id = { "c", 1 }, .username = { "u", 1 },
            .properties = { "\1\1", 2 }, .payload = { "\0\377a", 3 }, .qos = 2, .retain = true,
            .expires_us = 9, .guid = GUID_A } },
        { "least", "017f" "00" "0000000000000000" "01000000" "61" "00000000" "00000000" "00000000"
                   "00000000",
          { .topic = { "a", 1 }, .guid = GUID_A } },
};

static void expect_body(const struct body_sample *sample, const struct message *message)
{
        EXPECT(message != NULL, "%s", sample->name);
        EXPECT(str_eq(message_topic(message), sample->parts.topic), "%s", sample->name);
        EXPECT(str_eq(message_properties(message), sample->parts.properties), "%s", sample->name);
        EXPECT(str_eq(message_payload(message), sample->parts.payload), "%s", sample->name);
        EXPECT(str_eq(message_client_id(message), sample->parts.client_id), "%s", sample->name);
        EXPECT(str_eq(message_username(message), sample->parts.username), "%s", sample->name);
        EXPECT_EQ(message->qos, sample->parts.qos);
        EXPECT_EQ(message->retain, sample->parts.retain);
        EXPECT_EQ(message->expires_us, sample->parts.expires_us);
        EXPECT(same_guid(message->guid, sample->parts.guid), "%s", sample->name);
        EXPECT_EQ(message->refs, 1);
}

TEST(bodies_round_trip_in_their_bytes)
{
        const struct body_sample *sample;
        struct buffer             buffer = { .bytes = NULL };

        EACH(bodies, sample) {
                struct message *message = message_restore(&sample->parts);
                char            bytes[VALUE_MAX];
                struct str      value   = of_hex(sample->hex, bytes);
                bool            damaged = true;

                buffer_consume(&buffer, buffer_len(&buffer));
                EXPECT(body_encode(&buffer, message), "%s", sample->name);
                EXPECT(str_eq(buffer_str(&buffer), value), "%s: the bytes", sample->name);
                message_put(message);
                message = body_decode(value, sample->parts.guid, &damaged);
                EXPECT(!damaged);
                expect_body(sample, message);
                message_put(message);
        }
        buffer_deinit(&buffer);
}

static void expect_damaged(struct str value, const char *name, size_t at)
{
        bool damaged = false;

        EXPECT(body_decode(value, (struct guid)GUID_A, &damaged) == NULL, "%s at %zu", name, at);
        EXPECT(damaged, "%s at %zu", name, at);
}

TEST(damaged_bodies_are_refused)
{
        static const struct row {
                size_t at;
                int    byte;
        } rows[] = {
                { 0, 0 }, { 0, 2 },             /* version */
                { 1, RECORD_RETAINED },         /* a record's kind */
                { 2, 8 },                       /* an unknown flag */
                { 2, 3 },                       /* QoS 3 */
                { 11, 0 }, { 11, 255 },         /* the topic's length */
                { 14, 1 },
                { 18, 2 }, { 21, 1 },           /* the client id's */
                { 23, 255 }, { 28, 3 },         /* the user name's, the properties' */
                { 34, 2 }, { 34, 4 },           /* the payload's */
                { 37, 16 },                     /* longer than a packet can be */
        };
        const struct body_sample *sample;
        const struct row         *row;
        char                      bytes[VALUE_MAX + 1];

        EACH(bodies, sample) {
                struct str value = of_hex(sample->hex, bytes);

                for (size_t len = 0; len < value.len; len++) {
                        char *cut = mem_dup(str_from(bytes, len));

                        expect_damaged(str_from(cut, len), sample->name, len);
                        mem_free(cut);
                }
                bytes[value.len] = 0;
                expect_damaged(str_from(bytes, value.len + 1), sample->name, value.len);
        }
        EACH(rows, row) {
                struct str value = of_hex(bodies[0].hex, bytes);

                EXPECT((unsigned char)bytes[row->at] != row->byte, "%zu says something", row->at);
                bytes[row->at] = (char)row->byte;
                expect_damaged(value, "row", row->at);
        }
}

TEST(a_body_without_memory_is_not_damaged)
{
        char       bytes[VALUE_MAX];
        struct str value   = of_hex(bodies[0].hex, bytes);
        bool       damaged = true;

        mem_fail_after(0);
        EXPECT(body_decode(value, (struct guid)GUID_A, &damaged) == NULL);
        mem_fail_after(-1);
        EXPECT(!damaged, "its bytes are good");
}

SUITE(record, CASE(records_round_trip_in_their_bytes), CASE(what_is_cut_or_too_long_is_refused),
      CASE(what_no_version_writes_is_refused), CASE(what_must_be_something_is),
      CASE(limits_hold_where_the_bytes_are_there),
      CASE(a_record_names_its_kind_and_its_message), CASE(without_memory_nothing_is_encoded),
      CASE(bodies_round_trip_in_their_bytes), CASE(damaged_bodies_are_refused),
      CASE(a_body_without_memory_is_not_damaged))
