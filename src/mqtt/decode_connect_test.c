#include "mqtt/decode.h"

#include <string.h>

#include "mqtt/test_bytes.h"
#include "unit.h"

/* Before a CONNECT the version of the connection is not known: any may be given. */
TEST(connect_has_its_fields)
{
        struct test_packet     t;
        struct connect_packet *c = &t.packet.connect;

        test_decode(&t, MQTT_3_1, 0x10,
                    "<MQTT> 05 f6 01 02 (21 00 0a) <id> (18 00 00 00 05 01 00) <w/t> <bye> "
                    "<me> <pw>");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT(c->version == MQTT_5 && !c->bridge && c->clean_start);
        EXPECT_EQ(c->keep_alive_s, 0x0102);
        EXPECT(str_eq(c->client_id, STR("id")));
        EXPECT(property_has(&c->properties, PROPERTY_RECEIVE_MAXIMUM));
        EXPECT_EQ(c->properties.receive_maximum, 10);
        EXPECT(c->will.present && c->will.retain && c->will.qos == 2);
        EXPECT(str_eq(c->will.topic, STR("w/t")) && str_eq(c->will.payload, STR("bye")));
        EXPECT(!property_has(&c->properties, PROPERTY_WILL_DELAY));
        EXPECT(property_has(&c->will.properties, PROPERTY_WILL_DELAY));
        EXPECT_EQ(c->will.properties.will_delay_s, 5);
        EXPECT(c->has_username && str_eq(c->username, STR("me")));
        EXPECT(c->has_password && str_eq(c->password, STR("pw")));
        test_packet_free(&t);
}

TEST(absent_fields_are_empty)
{
        struct test_packet     t;
        struct connect_packet *c = &t.packet.connect;

        test_decode(&t, MQTT_5, 0x10, "<MQTT> 04 00 00 00 <>");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT(c->version == MQTT_3_1_1 && !c->clean_start && !c->bridge);
        EXPECT(c->client_id.len == 0 && c->keep_alive_s == 0);
        EXPECT(!c->has_username && c->username.len == 0);
        EXPECT(!c->has_password && c->password.len == 0);
        EXPECT(!c->will.present && !c->will.retain && c->will.qos == 0);
        EXPECT(c->will.topic.len == 0 && c->will.payload.len == 0);
        EXPECT(c->properties.present == 0 && c->will.properties.present == 0);
        test_packet_free(&t);
}

TEST(protocols_are_known_by_name_and_level)
{
        static const struct row {
                const char       *body;
                bool              known;
                enum mqtt_version version;      /* also the one to refuse in */
                bool              bridge;
        } rows[] = {
                { "<MQIsdp> 03 02 00 00 <c>",    true,  MQTT_3_1,   false },
                { "<MQTT> 04 02 00 00 <c>",      true,  MQTT_3_1_1, false },
                { "<MQTT> 05 02 00 00 00 <c>",   true,  MQTT_5,     false },
                { "<MQIsdp> 83 02 00 00 <c>",    true,  MQTT_3_1,   true  },
                { "<MQTT> 84 02 00 00 <c>",      true,  MQTT_3_1_1, true  },
                { "<MQTT> 85 02 00 00 00 <c>",   false, MQTT_5,     true  },
                { "<MQTT> 03 02 00 00 <c>",      false, MQTT_3_1,   false }, /* [MQTT-3.1.2-1] */
                { "<MQIsdp> 04 02 00 00 <c>",    false, MQTT_3_1_1, false },
                { "<MQIsdp> 05 02 00 00 00 <c>", false, MQTT_5,     false },
                { "<mqtt> 04 02 00 00 <c>",      false, MQTT_3_1_1, false },
                { "<MQTTX> 04 02 00 00 <c>",     false, MQTT_3_1_1, false },
                { "<> 04 02 00 00 <c>",          false, MQTT_3_1_1, false },
                { "<HTTP> 2f 'whatever'",        false, MQTT_5,     false },
                { "<MQTT> 00 02 00 00 <c>",      false, MQTT_3_1,   false }, /* [MQTT-3.1.2-2] */
                { "<MQIsdp> 02 02 00 00 <c>",    false, MQTT_3_1,   false },
                { "<MQTT> 06 02 00 00 00 <c>",   false, MQTT_5,     false },
                { "<MQTT> ff",                   false, MQTT_5,     true  },
                { "<MQTT> 7f",                   false, MQTT_5,     false },
        };
        const struct row *row;

        EACH (rows, row) {
                struct test_packet t;

                test_decode(&t, MQTT_3_1_1, 0x10, row->body);
                EXPECT(t.decoded == row->known, "%s", row->body);
                EXPECT(t.packet.connect.version == row->version, "%s", row->body);
                EXPECT(t.packet.connect.bridge == row->bridge, "%s", row->body);
                if (!row->known)
                        EXPECT_EQ(t.error.reason, REASON_UNSUPPORTED_PROTOCOL_VERSION);
                test_packet_free(&t);
        }
}

TEST(wrong_connects_are_refused)
{
        static const struct row {
                const char       *body;
                enum reason       reason;
                enum mqtt_version version;      /* to answer in */
        } rows[] = {
                { "", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "00", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 05 02 00", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 05 02 00 00", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 05 02 00 00 00", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 04 02 00 00", REASON_MALFORMED_PACKET, MQTT_3_1_1 }, /* [MQTT-3.1.3-3] */
                { "<MQTT> 04 02 00 00 00 02 'a'", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 02 00 00 <c> 00", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 02 00 00 00 <c> 00", REASON_MALFORMED_PACKET, MQTT_5 },
                /* the reserved flag [MQTT-3.1.2-3] */
                { "<MQTT> 04 03 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 03 00 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_5 },
                /* [MQTT3-3.1.2-13] [MQTT3-3.1.2-15] [MQTT5-3.1.2-11] [MQTT5-3.1.2-13] */
                { "<MQTT> 04 0a 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 12 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 22 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 0a 00 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 05 22 00 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_5 },
                /* [MQTT3-3.1.2-14] [MQTT5-3.1.2-12] */
                { "<MQIsdp> 03 1e 00 00 <c> <t> <w>", REASON_MALFORMED_PACKET, MQTT_3_1 },
                { "<MQTT> 04 1e 00 00 <c> <t> <w>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 1e 00 00 00 <c> 00 <t> <w>", REASON_MALFORMED_PACKET, MQTT_5 },
                /* [MQTT3-3.1.2-22] */
                { "<MQIsdp> 03 42 00 00 <c> <p>", REASON_PROTOCOL_ERROR, MQTT_3_1 },
                { "<MQTT> 04 42 00 00 <c> <p>", REASON_PROTOCOL_ERROR, MQTT_3_1_1 },
                /* flags without their fields [MQTT-3.1.2-9] [MQTT5-3.1.2-17] [MQTT5-3.1.2-19] */
                { "<MQTT> 04 06 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 06 00 00 <c> <t>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 06 00 00 00 <c> <t> <w>", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 04 82 00 00 <c>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 c2 00 00 <c> <u>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 c2 00 00 00 <c> <u>", REASON_MALFORMED_PACKET, MQTT_5 },
                /* fields without their flags [MQTT3-3.1.2-18] [MQTT5-3.1.2-16] [MQTT5-3.1.2-18] */
                { "<MQTT> 04 02 00 00 <c> <u>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 82 00 00 00 <c> <u> <p>", REASON_MALFORMED_PACKET, MQTT_5 },
                /* UTF-8 [MQTT-3.1.3-4] [MQTT5-3.1.3-11] [MQTT-3.1.3-12] [MQTT3-3.1.3-11] */
                { "<MQTT> 04 02 00 00 00 01 ff", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 02 00 00 00 00 01 00", REASON_MALFORMED_PACKET, MQTT_5 },
                { "<MQTT> 04 06 00 00 <c> 00 01 ff <w>", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 04 82 00 00 <c> 00 02 c0 80", REASON_MALFORMED_PACKET, MQTT_3_1_1 },
                { "<MQTT> 05 82 00 00 00 <c> 00 03 ed a0 80", REASON_MALFORMED_PACKET, MQTT_5 },
                /* the will's topic [MQTT-4.7.3-1] [MQTT-4.7.0-1] [MQTT3-4.7.1-1] */
                { "<MQTT> 04 06 00 00 <c> <> <w>", REASON_TOPIC_NAME_INVALID, MQTT_3_1_1 },
                { "<MQTT> 05 06 00 00 00 <c> 00 <a/#> <w>", REASON_TOPIC_NAME_INVALID, MQTT_5 },
                { "<MQTT> 05 06 00 00 00 <c> 00 <+> <w>", REASON_TOPIC_NAME_INVALID, MQTT_5 },
                { "<MQTT> 05 06 00 00 00 <c> (01 01) <t> 00 01 ff", REASON_PAYLOAD_FORMAT_INVALID,
                  MQTT_5 },
                { "<MQTT> 05 02 00 00 (16 <data>) <c>", REASON_PROTOCOL_ERROR, MQTT_5 },
                { "<MQTT> 05 02 00 00 (21 00 00) <c>", REASON_PROTOCOL_ERROR, MQTT_5 },
        };
        const struct row *row;

        EACH (rows, row) {
                struct test_packet t;

                test_decode(&t, MQTT_3_1_1, 0x10, row->body);
                EXPECT(!t.decoded, "%s", row->body);
                EXPECT(t.error.reason == row->reason, "%s: %s, %s", row->body,
                       reason_name(t.error.reason), t.error.what);
                EXPECT(t.packet.connect.version == row->version, "%s", row->body);
                test_packet_free(&t);
        }
}

TEST(what_only_some_versions_allow)
{
        static const struct row {
                const char *body;
                bool        username, password;
        } rows[] = {
                /* MQTT 5: a password alone is a token (section 3.1.2.9) */
                { "<MQTT> 05 42 00 00 00 <c> <token>", false, true },
                /* MQTT 3.1: the reserved bit and the will's bits do not count without a will, */
                { "<MQIsdp> 03 01 00 00 <c>", false, false },
                { "<MQIsdp> 03 3a 00 00 <c>", false, false },
                /* and the remaining length says whether user name and password are there. */
                { "<MQIsdp> 03 c2 00 00 <c>", false, false },
                { "<MQIsdp> 03 c2 00 00 <c> <u>", true, false },
                { "<MQIsdp> 03 c2 00 00 <c> <u> <p>", true, true },
        };
        const struct row *row;

        EACH (rows, row) {
                struct test_packet t;

                test_decode(&t, MQTT_3_1_1, 0x10, row->body);
                EXPECT(t.decoded, "%s: %s", row->body, t.error.what);
                EXPECT(t.packet.connect.has_username == row->username, "%s", row->body);
                EXPECT(t.packet.connect.has_password == row->password, "%s", row->body);
                EXPECT(!t.packet.connect.will.present && t.packet.connect.will.qos == 0);
                EXPECT(t.packet.connect.clean_start == (strstr(row->body, "03 01") == NULL));
                test_packet_free(&t);
        }
}

TEST(binary_fields_may_be_anything)
{
        struct test_packet t;

        test_decode(&t, MQTT_3_1_1, 0x10,
                    "<MQTT> 04 c6 00 00 <c> <t> 00 02 00 ff <u> 00 03 ff 00 fe");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT(str_eq(t.packet.connect.will.payload, STR("\0\xff")));
        EXPECT(str_eq(t.packet.connect.password, STR("\xff\0\xfe")));
        test_packet_free(&t);
}

/* The version to answer in is known even where the fixed header is what is wrong. */
TEST(wrong_flags_leave_a_version)
{
        struct test_packet t;

        test_decode(&t, MQTT_5, 0x18, "<MQTT> 05 02 00 00 00 <c>");
        EXPECT(!t.decoded);
        EXPECT_EQ(t.error.reason, REASON_MALFORMED_PACKET);
        EXPECT_EQ(t.packet.connect.version, MQTT_3_1_1);
        test_packet_free(&t);
}

SUITE(decode_connect, CASE(connect_has_its_fields), CASE(absent_fields_are_empty),
      CASE(protocols_are_known_by_name_and_level), CASE(wrong_connects_are_refused),
      CASE(what_only_some_versions_allow), CASE(binary_fields_may_be_anything),
      CASE(wrong_flags_leave_a_version))
