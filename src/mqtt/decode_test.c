#include "mqtt/decode.h"

#include <string.h>

#include "base/memory.h"
#include "mqtt/test_bytes.h"
#include "unit.h"

TEST(frames_are_seen_in_part_and_whole)
{
        static const struct row {
                const char       *bytes;
                enum frame_result result;
                unsigned          type, flags, header_size;
                uint32_t          body_size;
        } rows[] = {
                { "",                     FRAME_PARTIAL, 0,                 0,  0, 0         },
                { "3b",                   FRAME_PARTIAL, PACKET_PUBLISH,    11, 0, 0         },
                { "c0 00",                FRAME_WHOLE,   PACKET_PINGREQ,    0,  2, 0         },
                { "c0 00 ff ff",          FRAME_WHOLE,   PACKET_PINGREQ,    0,  2, 0         },
                { "30 02 00",             FRAME_PARTIAL, PACKET_PUBLISH,    0,  2, 2         },
                { "30 02 00 00",          FRAME_WHOLE,   PACKET_PUBLISH,    0,  2, 2         },
                { "30 7f",                FRAME_PARTIAL, PACKET_PUBLISH,    0,  2, 127       },
                { "30 80",                FRAME_PARTIAL, PACKET_PUBLISH,    0,  0, 0         },
                { "30 80 01",             FRAME_PARTIAL, PACKET_PUBLISH,    0,  3, 128       },
                { "30 ff 7f",             FRAME_PARTIAL, PACKET_PUBLISH,    0,  3, 16383     },
                { "30 80 80",             FRAME_PARTIAL, PACKET_PUBLISH,    0,  0, 0         },
                { "30 80 80 01",          FRAME_PARTIAL, PACKET_PUBLISH,    0,  4, 16384     },
                { "30 ff ff 7f",          FRAME_PARTIAL, PACKET_PUBLISH,    0,  4, 2097151   },
                { "30 80 80 80",          FRAME_PARTIAL, PACKET_PUBLISH,    0,  0, 0         },
                { "30 80 80 80 01",       FRAME_PARTIAL, PACKET_PUBLISH,    0,  5, 2097152   },
                { "30 ff ff ff 7f",       FRAME_PARTIAL, PACKET_PUBLISH,    0,  5, 268435455 },
                { "30 80 80 80 80",       FRAME_BAD,     PACKET_PUBLISH,    0,  0, 0         },
                { "30 ff ff ff ff 7f",    FRAME_BAD,     PACKET_PUBLISH,    0,  0, 0         },
                { "e0 80 00",             FRAME_WHOLE,   PACKET_DISCONNECT, 0,  3, 0         },
                { "00 00",                FRAME_WHOLE,   0,                 0,  2, 0         },
                { "f0 00",                FRAME_WHOLE,   PACKET_AUTH,       0,  2, 0         },
        };
        const struct row *row;

        EACH (rows, row) {
                uint8_t           bytes[16];
                struct frame      frame;
                size_t            len    = test_bytes(row->bytes, bytes, sizeof(bytes));
                enum frame_result result = frame_peek(str_from(bytes, len), &frame);

                EXPECT_EQ(result, row->result);
                EXPECT_EQ(frame.type, row->type);
                EXPECT_EQ(frame.flags, row->flags);
                EXPECT_EQ(frame.header_size, row->header_size);
                EXPECT_EQ(frame.body_size, row->body_size);
        }
}

enum {
        V31  = 1 << MQTT_3_1,
        V311 = 1 << MQTT_3_1_1,
        V3   = V31 | V311,
        V5   = 1 << MQTT_5,
        ALL  = V3 | V5,
};

/* What is refused, with the reason, in all the versions given. Reasons that old clients never see
 * are checked in theirs as well: the log shows them. */
static const struct refused {
        unsigned    versions;
        uint8_t     first;
        const char *body;
        enum reason reason;
} refused[] = {
        /* Flags [MQTT-2.1.3-1] [MQTT3-2.2.2-1] [MQTT-2.2.2-2], packet type 0, AUTH before 5 */
        { ALL, 0x00, "", REASON_MALFORMED_PACKET },
        { ALL, 0x01, "", REASON_MALFORMED_PACKET },
        { V3, 0xf0, "", REASON_PROTOCOL_ERROR },
        { ALL, 0x11, "<MQTT> 04 02 00 00 <c>", REASON_MALFORMED_PACKET },
        { ALL, 0x21, "00 00", REASON_MALFORMED_PACKET },
        { ALL, 0x41, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0x42, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0x48, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0x52, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0x60, "00 01", REASON_MALFORMED_PACKET },        /* [MQTT-3.6.1-1] */
        { ALL, 0x63, "00 01", REASON_MALFORMED_PACKET },
        { V311 | V5, 0x6a, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0x72, "00 01", REASON_MALFORMED_PACKET },
        { V3, 0x80, "00 01 <f> 00", REASON_MALFORMED_PACKET },  /* [MQTT-3.8.1-1] */
        { V311, 0x8a, "00 01 <f> 00", REASON_MALFORMED_PACKET },
        { V5, 0x80, "00 01 00 <f> 00", REASON_MALFORMED_PACKET },
        { V3, 0x92, "00 01 00", REASON_MALFORMED_PACKET },
        { V3, 0xa0, "00 01 <f>", REASON_MALFORMED_PACKET },     /* [MQTT-3.10.1-1] */
        { V5, 0xa0, "00 01 00 <f>", REASON_MALFORMED_PACKET },
        { V3, 0xb2, "00 01", REASON_MALFORMED_PACKET },
        { ALL, 0xc1, "", REASON_MALFORMED_PACKET },
        { ALL, 0xd8, "", REASON_MALFORMED_PACKET },
        { ALL, 0xe1, "", REASON_MALFORMED_PACKET },             /* [MQTT-3.14.1-1] */
        { V5, 0xf2, "", REASON_MALFORMED_PACKET },              /* [MQTT-3.15.1-1] */

        /* PUBLISH */
        { ALL, 0x36, "<t> 00 01 00", REASON_MALFORMED_PACKET }, /* QoS 3 [MQTT-3.3.1-4] */
        { ALL, 0x37, "<t> 00 01 00", REASON_MALFORMED_PACKET },
        { ALL, 0x3e, "<t> 00 01 00", REASON_MALFORMED_PACKET },
        { ALL, 0x38, "<t> 00", REASON_MALFORMED_PACKET },       /* [MQTT-3.3.1-2] */
        { ALL, 0x39, "<t> 00", REASON_MALFORMED_PACKET },
        { ALL, 0x30, "", REASON_MALFORMED_PACKET },
        { ALL, 0x30, "00", REASON_MALFORMED_PACKET },
        { ALL, 0x30, "00 02 'a'", REASON_MALFORMED_PACKET },
        { ALL, 0x32, "<t>", REASON_MALFORMED_PACKET },
        { ALL, 0x32, "<t> 00", REASON_MALFORMED_PACKET },
        { ALL, 0x32, "<t> 00 00 00", REASON_PROTOCOL_ERROR },   /* [MQTT-2.3.1-1] [MQTT-2.2.1-3] */
        { ALL, 0x34, "<t> 00 00 00", REASON_PROTOCOL_ERROR },   /* [MQTT-2.2.1-4] */
        { ALL, 0x30, "00 02 c0 80 00", REASON_MALFORMED_PACKET }, /* [MQTT-3.3.2-1] */
        { ALL, 0x30, "00 03 ed a0 80 00", REASON_MALFORMED_PACKET }, /* [MQTT-1.5.4-1] */
        { ALL, 0x30, "00 02 'a' 00 00", REASON_MALFORMED_PACKET }, /* [MQTT-1.5.4-2] */
        { ALL, 0x30, "<a/+> 00", REASON_TOPIC_NAME_INVALID },   /* [MQTT-3.3.2-2] */
        { ALL, 0x30, "<#> 00", REASON_TOPIC_NAME_INVALID },
        { V3, 0x30, "<>", REASON_TOPIC_NAME_INVALID },          /* [MQTT-4.7.3-1] */
        { V5, 0x30, "<> 00", REASON_PROTOCOL_ERROR },           /* section 3.3.2.1 */
        { V5, 0x30, "<t>", REASON_MALFORMED_PACKET },           /* no property length */
        { V5, 0x30, "<t> 01", REASON_MALFORMED_PACKET },
        { V5, 0x30, "<t> 80 00", REASON_MALFORMED_PACKET },     /* [MQTT-1.5.5-1] */
        { V5, 0x30, "<t> ff ff ff ff 7f", REASON_MALFORMED_PACKET },
        { V5, 0x30, "<> (23 00 00)", REASON_TOPIC_ALIAS_INVALID }, /* [MQTT-3.3.2-8] */
        { V5, 0x30, "<t> (01 01) ff", REASON_PAYLOAD_FORMAT_INVALID },
        { V5, 0x30, "<t> (01 01) 'ok' ed a0 80", REASON_PAYLOAD_FORMAT_INVALID },

        /* Acknowledgements */
        { ALL, 0x40, "", REASON_MALFORMED_PACKET },
        { ALL, 0x40, "01", REASON_MALFORMED_PACKET },
        { ALL, 0x40, "00 00", REASON_PROTOCOL_ERROR },
        { ALL, 0x50, "00 00", REASON_PROTOCOL_ERROR },
        { ALL, 0x62, "00 00", REASON_PROTOCOL_ERROR },
        { ALL, 0x70, "00 00", REASON_PROTOCOL_ERROR },
        { V3, 0x40, "00 01 00", REASON_MALFORMED_PACKET },
        { V3, 0x70, "00 01 00", REASON_MALFORMED_PACKET },
        { V5, 0x40, "00 01 01", REASON_PROTOCOL_ERROR },        /* [MQTT-3.4.2-1] */
        { V5, 0x40, "00 01 92", REASON_PROTOCOL_ERROR },
        { V5, 0x50, "00 01 9b 00", REASON_PROTOCOL_ERROR },     /* [MQTT-3.5.2-1] */
        { V5, 0x62, "00 01 10", REASON_PROTOCOL_ERROR },        /* [MQTT-3.6.2-1] */
        { V5, 0x70, "00 01 87", REASON_PROTOCOL_ERROR },        /* [MQTT-3.7.2-1] */
        { V5, 0x40, "00 01 00 01", REASON_MALFORMED_PACKET },
        { V5, 0x40, "00 01 00 00 00", REASON_MALFORMED_PACKET },
        { V5, 0x40, "00 01 00 80 00", REASON_MALFORMED_PACKET },

        /* CONNACK */
        { ALL, 0x20, "", REASON_MALFORMED_PACKET },
        { ALL, 0x20, "00", REASON_MALFORMED_PACKET },
        { V311, 0x20, "02 00", REASON_MALFORMED_PACKET },
        { V5, 0x20, "02 00 00", REASON_MALFORMED_PACKET },      /* [MQTT5-3.2.2-1] */
        { V3, 0x20, "00 06", REASON_PROTOCOL_ERROR },
        { V3, 0x20, "00 00 00", REASON_MALFORMED_PACKET },
        { V5, 0x20, "00 00", REASON_MALFORMED_PACKET },
        { V5, 0x20, "00 01 00", REASON_PROTOCOL_ERROR },        /* [MQTT-3.2.2-8] */
        { V5, 0x20, "00 8e 00", REASON_PROTOCOL_ERROR },
        { V311, 0x20, "01 05", REASON_PROTOCOL_ERROR },         /* [MQTT3-3.2.2-4] */
        { V5, 0x20, "01 87 00", REASON_PROTOCOL_ERROR },        /* [MQTT5-3.2.2-6] */
        { V5, 0x20, "00 00 00 00", REASON_MALFORMED_PACKET },

        /* SUBACK, UNSUBACK */
        { ALL, 0x90, "", REASON_MALFORMED_PACKET },
        { ALL, 0x90, "00", REASON_MALFORMED_PACKET },
        { V3, 0x90, "00 00 00", REASON_PROTOCOL_ERROR },
        { V5, 0x90, "00 00 00 00", REASON_PROTOCOL_ERROR },
        { V3, 0x90, "00 01", REASON_PROTOCOL_ERROR },
        { V5, 0x90, "00 01", REASON_MALFORMED_PACKET },
        { V5, 0x90, "00 01 00", REASON_PROTOCOL_ERROR },
        { V3, 0x90, "00 01 00 03", REASON_PROTOCOL_ERROR },     /* [MQTT3-3.9.3-2] */
        { V3, 0x90, "00 01 87", REASON_PROTOCOL_ERROR },
        { V5, 0x90, "00 01 00 00 03", REASON_PROTOCOL_ERROR },  /* [MQTT5-3.9.3-2] */
        { V3, 0xb0, "00 01 00", REASON_MALFORMED_PACKET },
        { V5, 0xb0, "00 01 00", REASON_PROTOCOL_ERROR },
        { V5, 0xb0, "00 01 00 01", REASON_PROTOCOL_ERROR },     /* [MQTT-3.11.3-2] */

        /* PINGREQ, PINGRESP, DISCONNECT, AUTH */
        { ALL, 0xc0, "00", REASON_MALFORMED_PACKET },
        { ALL, 0xd0, "00", REASON_MALFORMED_PACKET },
        { V3, 0xe0, "00", REASON_MALFORMED_PACKET },
        { V5, 0xe0, "01", REASON_PROTOCOL_ERROR },              /* [MQTT-3.14.2-1] */
        { V5, 0xe0, "85 00", REASON_PROTOCOL_ERROR },
        { V5, 0xe0, "00 01", REASON_MALFORMED_PACKET },
        { V5, 0xe0, "00 00 00", REASON_MALFORMED_PACKET },
        { V5, 0xf0, "18", REASON_MALFORMED_PACKET },
        { V5, 0xf0, "01 (15 <m>)", REASON_PROTOCOL_ERROR },     /* [MQTT-3.15.2-1] */
        { V5, 0xf0, "18 00", REASON_PROTOCOL_ERROR },           /* section 3.15.2.2.2 */
        { V5, 0xf0, "00 00", REASON_PROTOCOL_ERROR },
        { V5, 0xf0, "18 (16 <data>)", REASON_PROTOCOL_ERROR },
        { V5, 0xf0, "18 (15 <m>) 00", REASON_MALFORMED_PACKET },
};

TEST(what_is_wrong_is_refused)
{
        const struct refused *row;

        EACH (refused, row) {
                for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
                        struct test_packet t;

                        if ((row->versions >> version & 1) == 0)
                                continue;
                        test_decode(&t, version, row->first, row->body);
                        EXPECT(!t.decoded, "version %u, %02x %s", version, row->first, row->body);
                        EXPECT(t.error.reason == row->reason, "version %u, %02x %s: %s, %s",
                               version, row->first, row->body, reason_name(t.error.reason),
                               t.error.what);
                        EXPECT(strlen(t.error.what) > 0, "%02x %s", row->first, row->body);
                        test_packet_free(&t);
                }
        }
}

static const struct accepted {
        unsigned    versions;
        uint8_t     first;
        const char *body;
} accepted[] = {
        { ALL, 0x30, "<t> 00 'payload'" },
        { ALL, 0x31, "<t> 00" },
        { ALL, 0x3d, "<t> ff ff 00" },
        { ALL, 0x3a, "<t> 00 01 00 'x'" },
        { V3, 0x30, "<t>" },
        { V5, 0x30, "<> (23 00 01) 'x'" },
        { V5, 0x30, "<t> (01 01) 'text' 00" },
        { V5, 0x30, "<t> (01 00) ff" },
        { ALL, 0x40, "00 01" },
        { ALL, 0x50, "ff ff" },
        { ALL, 0x62, "00 01" },
        { V31, 0x6a, "00 01" },
        { V31, 0x8a, "00 01 <f> 00" },
        { V31, 0xaa, "00 01 <f>" },
        { ALL, 0x70, "00 01" },
        { V5, 0x40, "00 01 10" },
        { V5, 0x40, "00 01 00 00" },
        { V5, 0x50, "00 01 97 (1f <no> 26 <k> <v>)" },
        { V5, 0x62, "00 01 92" },
        { V31, 0x20, "01 05" },         /* the first byte is not used there */
        { V31, 0x20, "ff 00" },
        { V311, 0x20, "01 00" },
        { V5, 0x20, "01 00 00" },
        { V5, 0x20, "00 9f 00" },
        { V3, 0x90, "00 01 00 01 02 80" },
        { V5, 0x90, "00 01 00 00 02 a2" },
        { V3, 0xb0, "00 01" },
        { V5, 0xb0, "00 01 00 00 11" },
        { ALL, 0xc0, "" },
        { ALL, 0xd0, "" },
        { ALL, 0xe0, "" },
        { V5, 0xe0, "04" },
        { V5, 0xe0, "00 00" },
        { V5, 0xe0, "8b (1c <other>)" },
        { V5, 0xf0, "" },
        { V5, 0xf0, "18 (15 <m>)" },
        { V5, 0xf0, "19 (16 <data> 15 <m>)" },
        { ALL, 0x10, "<MQIsdp> 03 ce 00 0a <c> <t> <w> <u> <p>" },
        { ALL, 0x10, "<MQTT> 04 ce 00 0a <c> <t> <w> <u> <p>" },
        { ALL, 0x10, "<MQTT> 05 ce 00 0a 00 <c> (18 00 00 00 01) <t> <w> <u> <p>" },
        { V3, 0x82, "00 01 <f> 00 <g> 02" },
        { V5, 0x82, "00 01 (0b 01) <f> 00 <g> 2d" },
        { V3, 0xa2, "00 01 <f> <g>" },
        { V5, 0xa2, "00 01 (26 <k> <v>) <f> <g>" },
};

TEST(what_is_right_is_accepted)
{
        const struct accepted *row;

        EACH (accepted, row) {
                for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
                        struct test_packet t;

                        if ((row->versions >> version & 1) == 0)
                                continue;
                        test_decode(&t, version, row->first, row->body);
                        EXPECT(t.decoded, "version %u, %02x %s: %s", version, row->first, row->body,
                               t.error.what);
                        EXPECT_EQ(t.packet.type, row->first >> 4);
                        test_packet_free(&t);
                }
        }
}

/* Whatever is cut off is not read, and what is left is a packet or refused. */
TEST(packets_cut_short_are_refused)
{
        const struct accepted *row;

        EACH (accepted, row) {
                uint8_t bytes[256];
                size_t  len = test_bytes(row->body, bytes, sizeof(bytes));

                for (size_t cut = 0; cut < len; cut++) {
                        for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
                                struct test_packet t;

                                test_decode_body(&t, version, row->first, str_from(bytes, cut));
                                if (!t.decoded)
                                        EXPECT(reason_is_error(t.error.reason));
                                test_packet_free(&t);
                        }
                }
        }
}

TEST(publish_has_its_fields)
{
        struct test_packet     t;
        struct publish_packet *p = &t.packet.publish;

        test_decode(&t, MQTT_5, 0x3d, "<a/b> 12 34 (02 00 00 00 07) 'payload'");
        EXPECT(t.decoded);
        EXPECT(p->dup && p->retain);
        EXPECT_EQ(p->qos, 2);
        EXPECT_EQ(p->packet_id, 0x1234);
        EXPECT(str_eq(p->topic, STR("a/b")) && str_eq(p->payload, STR("payload")));
        EXPECT_EQ(p->properties.message_expiry_s, 7);
        EXPECT_EQ(t.packet.size, 2 + 5 + 2 + 6 + 7);
        test_packet_free(&t);

        test_decode(&t, MQTT_3_1_1, 0x30, "<a>");
        EXPECT(t.decoded);
        EXPECT(!p->dup && !p->retain && p->qos == 0 && p->packet_id == 0); /* [MQTT-2.3.1-5] */
        EXPECT_EQ(p->payload.len, 0);
        EXPECT(p->properties.present == 0 && p->properties.raw.len == 0);
        EXPECT(p->properties.user_count == 0 && p->properties.subscription_id_count == 0);
        test_packet_free(&t);
}

/* So that QoS 1 and 2 can be answered with PUBACK or PUBREC 0x99. */
TEST(a_wrong_payload_leaves_the_packet_filled)
{
        struct test_packet t;

        test_decode(&t, MQTT_5, 0x32, "<a> 00 07 (01 01) ff");
        EXPECT(!t.decoded);
        EXPECT_EQ(t.error.reason, REASON_PAYLOAD_FORMAT_INVALID);
        EXPECT_EQ(t.packet.publish.packet_id, 7);
        EXPECT(str_eq(t.packet.publish.topic, STR("a")));
        EXPECT(str_eq(t.packet.publish.payload, STR("\xff")));
        test_packet_free(&t);
}

TEST(answers_have_their_fields)
{
        struct test_packet t;

        test_decode(&t, MQTT_5, 0x50, "12 34 97 (1f <no> 26 <k> <v>)");
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.ack.packet_id, 0x1234);
        EXPECT_EQ(t.packet.ack.reason, REASON_QUOTA_EXCEEDED);
        EXPECT(str_eq(t.packet.ack.properties.reason_string, STR("no")));
        EXPECT_EQ(t.packet.ack.properties.user_count, 1);
        test_packet_free(&t);

        test_decode(&t, MQTT_5, 0x62, "12 34"); /* section 3.6.2.1: success, no properties */
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.ack.reason, REASON_SUCCESS);
        EXPECT_EQ(t.packet.ack.properties.present, 0);
        test_packet_free(&t);

        test_decode(&t, MQTT_5, 0x90, "12 34 00 01 87");
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.suback.packet_id, 0x1234);
        EXPECT(str_eq(t.packet.suback.reasons, STR("\x01\x87")));
        test_packet_free(&t);

        test_decode(&t, MQTT_3_1_1, 0xb0, "12 34");
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.suback.reasons.len, 0);
        test_packet_free(&t);

        test_decode(&t, MQTT_3_1_1, 0x20, "00 04");
        EXPECT(t.decoded);
        EXPECT(!t.packet.connack.session_present);
        EXPECT_EQ(t.packet.connack.reason, REASON_BAD_USER_NAME_OR_PASSWORD);
        test_packet_free(&t);

        test_decode(&t, MQTT_5, 0xe0, "04 (11 00 00 00 09)");
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.disconnect.reason, REASON_DISCONNECT_WITH_WILL);
        EXPECT_EQ(t.packet.disconnect.properties.session_expiry_s, 9);
        test_packet_free(&t);
}

/* [MQTT-1.5.5-1] is of version 5; before it, clients may pad. */
TEST(padded_remaining_lengths)
{
        static const struct row {
                const char       *packet;
                enum mqtt_version version;
                bool              accepted;
        } rows[] = {
                { "30 83 00 <a>", MQTT_3_1_1, true },
                { "30 84 80 00 <a> 00", MQTT_5, false },
                { "30 84 00 <a> 00", MQTT_5, false },
                { "c0 80 80 80 00", MQTT_3_1, true },
                { "c0 80 00", MQTT_5, false },
                { "10 8d 00 <MQTT> 04 02 00 00 <c>", MQTT_5, true },
                { "10 8e 00 <MQTT> 05 02 00 00 00 <c>", MQTT_3_1_1, false },
        };
        const struct row *row;

        EACH (rows, row) {
                uint8_t             bytes[32];
                struct frame        frame;
                struct packet       packet;
                struct decode_error error;
                struct str whole = str_from(bytes, test_bytes(row->packet, bytes, sizeof(bytes)));

                EXPECT_EQ(frame_peek(whole, &frame), FRAME_WHOLE);
                EXPECT_EQ(frame.header_size + frame.body_size, whole.len);
                EXPECT(decode(&frame, str_skip(whole, frame.header_size), row->version, &packet,
                              &error) == row->accepted,
                       "%s", row->packet);
                if (!row->accepted)
                        EXPECT_EQ(error.reason, REASON_MALFORMED_PACKET);
        }
}

SUITE(decode, CASE(frames_are_seen_in_part_and_whole), CASE(what_is_wrong_is_refused),
      CASE(what_is_right_is_accepted), CASE(packets_cut_short_are_refused),
      CASE(publish_has_its_fields), CASE(a_wrong_payload_leaves_the_packet_filled),
      CASE(answers_have_their_fields), CASE(padded_remaining_lengths))
