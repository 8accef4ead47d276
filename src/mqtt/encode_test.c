#include "mqtt/encode.h"

#include <string.h>

#include "base/memory.h"
#include "mqtt/test_bytes.h"
#include "mqtt/test_reencode.h"
#include "unit.h"

enum {
        V31  = 1 << MQTT_3_1,
        V311 = 1 << MQTT_3_1_1,
        V3   = V31 | V311,
        V5   = 1 << MQTT_5,
        ALL  = V3 | V5,
};

/* Bodies in the form that we write: the shortest, properties in the order of their identifiers and
 * then those that may stand many times. What is decoded from them is encoded to the same bytes. */
static const struct row {
        unsigned    versions;
        uint8_t     first;
        const char *body;
} rows[] = {
        { V31, 0x10, "<MQIsdp> 03 02 00 3c <c>" },
        { V31, 0x10, "<MQIsdp> 83 02 00 3c <bridge>" },
        { V31, 0x10, "<MQIsdp> 03 ee 00 00 <c> <t> <w> <u> <p>" },
        { V311, 0x10, "<MQTT> 04 00 ff ff <>" },
        { V311, 0x10, "<MQTT> 84 02 00 3c <bridge>" },
        { V311, 0x10, "<MQTT> 04 f6 00 0a <c> <t> <> <u> <p>" },
        { V311, 0x10, "<MQTT> 04 82 00 0a <c> <>" },
        { V5, 0x10, "<MQTT> 05 02 00 00 00 <>" },
        { V5, 0x10, "<MQTT> 05 42 00 00 00 <c> <token>" },
        { V5, 0x10, "<MQTT> 05 ce 00 0a (11 00 00 00 0a 15 <m> 16 <d> 17 00 19 01 21 00 0a "
                    "22 00 0b 27 00 01 00 00 26 <k> <v>) <c> (01 01 02 00 00 00 09 03 <ct> 08 <r> "
                    "09 <cd> 18 00 00 00 03 26 <a> <b> 26 <a> <b>) <t> <w> <u> <p>" },
        { V31, 0x20, "00 00" },
        { V311, 0x20, "01 00" },
        { V3, 0x20, "00 05" },
        { V5, 0x20, "01 00 00" },
        { V5, 0x20, "00 87 (1f <no>)" },
        { V5, 0x20, "00 00 (11 00 00 00 0a 12 <id> 13 00 1e 15 <m> 16 <d> 1a <i> 1c <s> 1f <r> "
                    "21 00 07 22 00 08 24 01 25 00 27 00 00 10 00 28 01 29 00 2a 01 26 <k> <v>)" },
        { V3, 0x30, "<t>" },
        { V3, 0x31, "<a/b> 'payload'" },
        { V3, 0x3d, "<a/b> 12 34 'payload'" },
        { V5, 0x30, "<t> 00" },
        { V5, 0x32, "<t> 00 01 00 'payload'" },
        { V5, 0x34, "<> ff ff (23 00 07 26 <k> <v> 26 <k> <v>)" },
        { V5, 0x3b, "<t> 00 01 (01 00 02 00 00 00 09 03 <ct> 08 <r> 09 00 02 00 ff 23 00 01 26 <z> "
                    "<1> 0b 05 0b 80 01 26 <a> <2>) 'payload'" },
        { ALL, 0x40, "00 01" },
        { ALL, 0x50, "12 34" },
        { ALL, 0x62, "ff ff" },
        { ALL, 0x70, "00 01" },
        { V5, 0x40, "00 01 10" },
        { V5, 0x50, "00 01 97" },
        { V5, 0x62, "00 01 92" },
        { V5, 0x70, "00 01 92 (1f <gone>)" },
        { V5, 0x40, "00 01 00 (26 <k> <v>)" },
        { V3, 0x82, "00 01 <f> 00" },
        { V3, 0x82, "00 01 <a/#> 02 <+> 01" },
        { V5, 0x82, "00 01 00 <f> 00" },
        { V5, 0x82, "00 01 (0b ff 7f 26 <k> <v>) <f> 2e <g> 19" },
        { V3, 0x90, "00 01 00 01 02 80" },
        { V5, 0x90, "00 01 00 00 01 02 80 a2" },
        { V5, 0x90, "00 01 (1f <why> 26 <k> <v>) 87" },
        { V3, 0xa2, "00 01 <f>" },
        { V5, 0xa2, "00 01 00 <f> <g>" },
        { V5, 0xa2, "00 01 (26 <k> <v>) <f>" },
        { V3, 0xb0, "00 01" },
        { V5, 0xb0, "00 01 00 00 11" },
        { V5, 0xb0, "00 01 (1f <why>) 87" },
        { ALL, 0xc0, "" },
        { ALL, 0xd0, "" },
        { ALL, 0xe0, "" },
        { V5, 0xe0, "8e" },
        { V5, 0xe0, "00 (11 00 00 00 0a)" },
        { V5, 0xe0, "9d (1c <other> 1f <moved> 26 <k> <v>)" },
        { V5, 0xf0, "" },
        { V5, 0xf0, "00 (15 <m>)" },
        { V5, 0xf0, "18 (15 <m> 16 <d>)" },
        { V5, 0xf0, "19 (15 <m> 1f <again> 26 <k> <v>)" },
};

/* The packet of a row as bytes, the fixed header included. */
static struct str packet_of(const struct row *row, uint8_t *bytes, size_t size)
{
        uint8_t       body[512];
        size_t        len = test_bytes(row->body, body, sizeof(body));
        struct writer w   = writer_of(bytes, size);

        write_u8(&w, row->first);
        write_varint(&w, (uint32_t)len);
        write_bytes(&w, str_from(body, len));
        assert(!w.failed);
        return str_from(bytes, (size_t)(w.pos - bytes));
}

TEST(what_was_decoded_is_encoded_the_same)
{
        const struct row *row;

        EACH (rows, row) {
                for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
                        uint8_t            bytes[600], again[600];
                        struct str         expected = packet_of(row, bytes, sizeof(bytes));
                        struct test_packet t;

                        if ((row->versions >> version & 1) == 0)
                                continue;
                        test_decode(&t, version, row->first, row->body);
                        EXPECT(t.decoded, "%02x %s: %s", row->first, row->body, t.error.what);
                        EXPECT_EQ(t.packet.size, expected.len);
                        size_t size = test_reencode(again, sizeof(again), version, &t.packet);
                        EXPECT(str_eq(str_from(again, size), expected), "version %u, %02x %s",
                               version, row->first, row->body);
                        test_packet_free(&t);
                }
        }
}

/* Exactly enough room suffices, one byte less does not, and nothing is written beyond. */
TEST(packets_fit_or_are_not_written)
{
        const struct row *row;

        EACH (rows, row) {
                enum mqtt_version  version = row->versions & V5     ? MQTT_5
                                             : row->versions & V311 ? MQTT_3_1_1
                                                                    : MQTT_3_1;
                struct test_packet t;

                test_decode(&t, version, row->first, row->body);
                EXPECT(t.decoded);
                for (size_t room = 0; room <= t.packet.size + 2; room++) {
                        uint8_t *to   = mem_alloc(room + 1); /* for the sanitizer to guard */
                        size_t   size = test_reencode(to + 1, room, version, &t.packet);

                        EXPECT(size == (room < t.packet.size ? 0 : t.packet.size),
                               "%02x %s: %zu into %zu", row->first, row->body, size, room);
                        mem_free(to);
                }
                test_packet_free(&t);
        }
}

/* Where a length needs one byte more, what was written before it moves. */
TEST(lengths_grow_with_what_they_count)
{
        static const struct size {
                size_t   payload;
                unsigned header;
        } sizes[] = {
                { 0, 2 },     { 124, 2 },     { 125, 3 },     { 16380, 3 },
                { 16381, 4 }, { 2097148, 4 }, { 2097149, 5 }, { 3000000, 5 },
        };
        const struct size *row;
        size_t             room    = 3000100;
        char              *payload = mem_alloc(room);
        uint8_t           *to      = mem_alloc(room);

        for (size_t i = 0; i < room; i++)
                payload[i] = (char)(i * 31 >> 3);
        EACH (sizes, row) {
                struct publish_packet publish = {
                        .topic   = STR("t"),
                        .payload = str_from(payload, row->payload),
                };
                size_t size = encode_publish(to, room, MQTT_3_1_1, &publish);
                struct frame        frame;
                struct packet       packet;
                struct decode_error error;

                EXPECT_EQ(size, row->header + 3 + row->payload);
                EXPECT_EQ(encode_publish(to, size - 1, MQTT_3_1_1, &publish), 0);
                EXPECT_EQ(encode_publish(to, size, MQTT_3_1_1, &publish), size);
                EXPECT_EQ(frame_peek(str_from(to, size), &frame), FRAME_WHOLE);
                EXPECT_EQ(frame.header_size, row->header);
                EXPECT(decode(&frame, str_from(to + frame.header_size, frame.body_size), MQTT_3_1_1,
                              &packet, &error));
                EXPECT(str_eq(packet.publish.payload, publish.payload));
                EXPECT(str_eq(packet.publish.topic, publish.topic));

                uint8_t head[5];
                EXPECT_EQ(encode_publish_head(head, 0, frame.body_size), row->header);
                EXPECT(memcmp(head, to, row->header) == 0);
        }
        mem_free(payload);
        mem_free(to);
}

TEST(property_lengths_grow_too)
{
        char text[16400];

        memset(text, 'x', sizeof(text));
        for (size_t len = 100; len <= sizeof(text); len += len == 140 ? 16240 : 1) {
                struct test_packet t;
                uint8_t            to[17000];
                struct ack_packet  ack = {
                         .packet_id  = 1,
                         .reason     = REASON_QUOTA_EXCEEDED,
                         .properties = { .reason_string = str_from(text, len) },
                };

                property_set(&ack.properties, PROPERTY_REASON_STRING);
                size_t       size = encode_ack(to, sizeof(to), MQTT_5, PACKET_PUBACK, &ack);
                struct frame frame;
                EXPECT_EQ(frame_peek(str_from(to, size), &frame), FRAME_WHOLE);
                test_decode_body(&t, MQTT_5, to[0],
                                 str_from(to + frame.header_size, frame.body_size));
                EXPECT(t.decoded, "%zu: %s", len, t.error.what);
                EXPECT(str_eq(t.packet.ack.properties.reason_string, ack.properties.reason_string));
                test_packet_free(&t);
        }
}

TEST(strings_too_long_are_not_written)
{
        size_t                room = 100000;
        char                 *text = mem_zalloc(room);
        uint8_t              *to   = mem_alloc(2 * room);
        struct publish_packet publish = { .topic = str_from(text, 65535) };

        EXPECT(encode_publish(to, 2 * room, MQTT_3_1_1, &publish) > 65535);
        publish.topic.len = 65536;
        EXPECT_EQ(encode_publish(to, 2 * room, MQTT_3_1_1, &publish), 0);
        EXPECT(encode_user_property(to, 2 * room, STR("k"), str_from(text, 65535)) > 65535);
        EXPECT_EQ(encode_user_property(to, 2 * room, STR("k"), str_from(text, 65536)), 0);
        EXPECT_EQ(encode_user_property(to, 2 * room, str_from(text, 65536), STR("v")), 0);
        EXPECT_EQ(encode_subscription_id(to, 2 * room, 268435455), 5);
        EXPECT_EQ(encode_subscription_id(to, 2 * room, 268435456), 0);
        EXPECT_EQ(encode_subscription_id(to, 4, 268435455), 0);
        mem_free(text);
        mem_free(to);
}

/* What is not marked present is copied from .raw: a message's section goes out as it came in. */
TEST(raw_properties_are_copied)
{
        uint8_t               raw[64], expected[100], to[100];
        struct publish_packet publish = { .topic = STR("t") };
        size_t                size;
        struct str            want;

        size = test_bytes("03 <ct> 26 <k> <v> 01 01", raw, sizeof(raw));
        publish.properties.raw = str_from(raw, size);
        size = encode_publish(to, sizeof(to), MQTT_5, &publish);
        want = str_from(expected, test_bytes("30 12 <t> (03 <ct> 26 <k> <v> 01 01)", expected,
                                             sizeof(expected)));
        EXPECT(str_eq(str_from(to, size), want));

        /* A member that is present is written instead of what stands in .raw. */
        property_set(&publish.properties, PROPERTY_PAYLOAD_FORMAT);
        property_set(&publish.properties, PROPERTY_MESSAGE_EXPIRY);
        publish.properties.payload_format   = 0;
        publish.properties.message_expiry_s = 5;
        size = encode_publish(to, sizeof(to), MQTT_5, &publish);
        want = str_from(expected, test_bytes("30 17 <t> (01 00 02 00 00 00 05 03 <ct> 26 <k> <v>)",
                                             expected, sizeof(expected)));
        EXPECT(str_eq(str_from(to, size), want));
}

/* Before version 5 there are no properties, and fewer reasons. */
TEST(old_versions_say_less)
{
        struct ack_packet     ack   = { .packet_id = 1, .reason = REASON_QUOTA_EXCEEDED };
        struct suback_packet  codes = { .packet_id = 1, .reasons = STR("\x01\x87\x00\x9e") };
        struct connack_packet no    = { .reason = REASON_BANNED };
        uint8_t               to[32];

        EXPECT_EQ(encode_ack(to, sizeof(to), MQTT_3_1_1, PACKET_PUBACK, &ack), 4);
        EXPECT_EQ(encode_suback(to, sizeof(to), MQTT_3_1_1, PACKET_SUBACK, &codes), 8);
        EXPECT(memcmp(to, "\x90\x06\x00\x01\x01\x80\x00\x80", 8) == 0); /* [MQTT3-3.9.3-2] */
        codes.reasons = STR("\x00\x11");
        EXPECT_EQ(encode_suback(to, sizeof(to), MQTT_3_1, PACKET_UNSUBACK, &codes), 4);
        EXPECT_EQ(encode_connack(to, sizeof(to), MQTT_3_1_1, &no), 4);
        EXPECT(memcmp(to, "\x20\x02\x00\x05", 4) == 0);
        EXPECT_EQ(encode_disconnect(to, sizeof(to), MQTT_3_1_1,
                                    &(struct disconnect_packet){ .reason = REASON_SERVER_BUSY }),
                  2);

        /* There is no session present flag in MQTT 3.1. */
        EXPECT_EQ(encode_connack(to, sizeof(to), MQTT_3_1,
                                 &(struct connack_packet){ .session_present = true }),
                  4);
        EXPECT(memcmp(to, "\x20\x02\x00\x00", 4) == 0);
}

TEST(requests_may_have_no_properties)
{
        struct subscribe_item item = { .filter = STR("f"), .qos = 1, .no_local = true };
        struct str            name = STR("f");
        uint8_t               to[32];

        EXPECT_EQ(encode_subscribe(to, sizeof(to), MQTT_5,
                                   &(struct subscribe_request){ 1, 1, &item, NULL }),
                  9);
        EXPECT(memcmp(to, "\x82\x07\x00\x01\x00\x00\x01\x66\x05", 9) == 0); /* [MQTT5-2.2.2-1] */
        EXPECT_EQ(encode_unsubscribe(to, sizeof(to), MQTT_5,
                                     &(struct unsubscribe_request){ 1, 1, &name, NULL }),
                  8);
        /* Options that MQTT 3 does not have are not sent to it. */
        EXPECT_EQ(encode_subscribe(to, sizeof(to), MQTT_3_1_1,
                                   &(struct subscribe_request){ 1, 1, &item, NULL }),
                  8);
        EXPECT_EQ(to[7], 1);
}

SUITE(encode, CASE(what_was_decoded_is_encoded_the_same), CASE(packets_fit_or_are_not_written),
      CASE(lengths_grow_with_what_they_count), CASE(property_lengths_grow_too),
      CASE(strings_too_long_are_not_written), CASE(raw_properties_are_copied),
      CASE(old_versions_say_less), CASE(requests_may_have_no_properties))
