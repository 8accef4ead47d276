#include "mqtt/decode.h"

#include <string.h>

#include "base/limits.h"
#include "mqtt/test_bytes.h"
#include "unit.h"

/* A packet of each type that has properties, cut where they stand; WILL is type 0. */
static const struct place {
        const char *name;
        uint8_t     first;
        const char *before, *behind;
} places[] = {
        { "WILL",        0x10, "<MQTT> 05 06 00 00 00 <c>", "<t> <w>" },
        { "CONNECT",     0x10, "<MQTT> 05 02 00 00",        "<c>"     },
        { "CONNACK",     0x20, "00 00",                     ""        },
        { "PUBLISH",     0x30, "<t>",                       ""        },
        { "PUBACK",      0x40, "00 01 00",                  ""        },
        { "PUBREC",      0x50, "00 01 00",                  ""        },
        { "PUBREL",      0x62, "00 01 00",                  ""        },
        { "PUBCOMP",     0x70, "00 01 00",                  ""        },
        { "SUBSCRIBE",   0x82, "00 01",                     "<f> 00"  },
        { "SUBACK",      0x90, "00 01",                     "00"      },
        { "UNSUBSCRIBE", 0xa2, "00 01",                     "<f>"     },
        { "UNSUBACK",    0xb0, "00 01",                     "00"      },
        { "DISCONNECT",  0xe0, "00",                        ""        },
        { "AUTH",        0xf0, "18",                        ""        },
};

static void decode_at(struct test_packet *t, const struct place *place, const char *section)
{
        char text[512];
        bool auth = strcmp(place->name, "AUTH") == 0 && strstr(section, "15 ") == NULL;

        /* An AUTH has a method always. */
        snprintf(text, sizeof(text), "%s (%s%s) %s", place->before, auth ? "15 <m> " : "", section,
                 place->behind);
        test_decode(t, MQTT_5, place->first, text);
}

/* Table 2-4: where each may stand. All but the last two may stand once. */
static const struct known {
        unsigned    id;
        const char *sample, *places;
} known[] = {
        { 0x01, "01 01",             "WILL PUBLISH" },
        { 0x02, "02 00 00 00 01",    "WILL PUBLISH" },
        { 0x03, "03 <text>",         "WILL PUBLISH" },
        { 0x08, "08 <a/b>",          "WILL PUBLISH" },
        { 0x09, "09 <data>",         "WILL PUBLISH" },
        { 0x11, "11 00 00 00 00",    "CONNECT CONNACK DISCONNECT" },
        { 0x12, "12 <id>",           "CONNACK" },
        { 0x13, "13 00 00",          "CONNACK" },
        { 0x15, "15 <m>",            "CONNECT CONNACK AUTH" },
        { 0x16, "16 <d>",            "CONNECT CONNACK AUTH" },
        { 0x17, "17 00",             "CONNECT" },
        { 0x18, "18 00 00 00 01",    "WILL" },
        { 0x19, "19 01",             "CONNECT" },
        { 0x1a, "1a <info>",         "CONNACK" },
        { 0x1c, "1c <server>",       "CONNACK DISCONNECT" },
        { 0x1f, "1f <why>",          "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK "
                                     "DISCONNECT AUTH" },
        { 0x21, "21 00 01",          "CONNECT CONNACK" },
        { 0x22, "22 00 00",          "CONNECT CONNACK" },
        { 0x23, "23 00 01",          "PUBLISH" },
        { 0x24, "24 01",             "CONNACK" },
        { 0x25, "25 00",             "CONNACK" },
        { 0x27, "27 00 00 00 01",    "CONNECT CONNACK" },
        { 0x28, "28 01",             "CONNACK" },
        { 0x29, "29 00",             "CONNACK" },
        { 0x2a, "2a 01",             "CONNACK" },
        { 0x0b, "0b 01",             "PUBLISH SUBSCRIBE" },
        { 0x26, "26 <k> <v>",        "WILL CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
                                     "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH" },
};

static bool may_stand(const struct known *k, const char *place)
{
        size_t len = strlen(place);

        for (const char *at = k->places; (at = strstr(at, place)) != NULL; at += len) {
                if ((at == k->places || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        }
        return false;
}

static void with_method(const struct known *k, char *to, size_t size)
{
        snprintf(to, size, "%s%s", k->id == 0x16 ? "15 <m> " : "", k->sample);
}

TEST(properties_stand_where_they_may)
{
        const struct known *k;
        const struct place *place;

        EACH (known, k) {
                EACH (places, place) {
                        struct test_packet t;
                        char               section[64];
                        bool               may = may_stand(k, place->name);

                        with_method(k, section, sizeof(section));
                        decode_at(&t, place, may ? section : k->sample);
                        EXPECT(t.decoded == may, "%s in %s", k->sample, place->name);
                        if (!may) /* section 2.2.2.2 */
                                EXPECT_EQ(t.error.reason, REASON_MALFORMED_PACKET);
                        test_packet_free(&t);
                }
        }
        EXPECT_EQ(sizeof(known) / sizeof(known[0]), 27);
}

TEST(properties_stand_once)
{
        const struct known *k;
        const struct place *place;

        EACH (known, k) {
                EACH (places, place) {
                        struct test_packet t;
                        char               once[64], section[160];
                        bool many = k->id == 0x26 || (k->id == 0x0b && place->first == 0x30);

                        if (!may_stand(k, place->name))
                                continue;
                        with_method(k, once, sizeof(once));
                        snprintf(section, sizeof(section), "%s 26 <k> <v> %s", once, k->sample);
                        decode_at(&t, place, section);
                        EXPECT(t.decoded == many, "%s twice in %s", k->sample, place->name);
                        if (!many)
                                EXPECT_EQ(t.error.reason, REASON_PROTOCOL_ERROR);
                        test_packet_free(&t);
                }
        }
}

TEST(unknown_properties_are_malformed)
{
        for (unsigned id = 0; id <= 0xff; id++) {
                struct test_packet t;
                char               section[32];

                if (property_type(id) != PROPERTY_TYPE_NONE)
                        continue;
                snprintf(section, sizeof(section), "%02x 00 00 00 00", id);
                decode_at(&t, &places[3], section);
                EXPECT(!t.decoded && t.error.reason == REASON_MALFORMED_PACKET, "%02x", id);
                test_packet_free(&t);
        }
}

TEST(values_have_bounds)
{
        static const struct row {
                const char *place, *section;
                enum reason reason;             /* SUCCESS: it is fine */
        } rows[] = {
                { "PUBLISH", "01 02", REASON_PROTOCOL_ERROR },
                { "WILL", "01 ff", REASON_PROTOCOL_ERROR },
                { "PUBLISH", "02 ff ff ff ff", REASON_SUCCESS },
                { "PUBLISH", "0b 00", REASON_PROTOCOL_ERROR },  /* section 3.8.2.1.2 */
                { "SUBSCRIBE", "0b 00", REASON_PROTOCOL_ERROR },
                { "SUBSCRIBE", "0b ff ff ff 7f", REASON_SUCCESS },
                { "SUBSCRIBE", "0b ff ff ff ff 01", REASON_MALFORMED_PACKET },
                { "SUBSCRIBE", "0b 81 00", REASON_MALFORMED_PACKET },   /* [MQTT-1.5.5-1] */
                { "SUBSCRIBE", "0b 80 80 00", REASON_MALFORMED_PACKET },
                { "SUBSCRIBE", "0b 01 0b 02", REASON_PROTOCOL_ERROR },
                { "PUBLISH", "0b 01 0b 02 0b 01", REASON_SUCCESS },
                { "CONNECT", "11 ff ff ff ff", REASON_SUCCESS },
                { "CONNECT", "17 02", REASON_PROTOCOL_ERROR },
                { "CONNECT", "19 02", REASON_PROTOCOL_ERROR },
                { "CONNECT", "21 00 00", REASON_PROTOCOL_ERROR },
                { "CONNACK", "21 00 00", REASON_PROTOCOL_ERROR },
                { "CONNECT", "21 ff ff", REASON_SUCCESS },
                { "CONNECT", "22 00 00", REASON_SUCCESS },
                { "PUBLISH", "23 00 00", REASON_TOPIC_ALIAS_INVALID },  /* [MQTT-3.3.2-8] */
                { "PUBLISH", "23 ff ff", REASON_SUCCESS },
                { "CONNACK", "24 02", REASON_PROTOCOL_ERROR },
                { "CONNACK", "25 02", REASON_PROTOCOL_ERROR },
                { "CONNECT", "27 00 00 00 00", REASON_PROTOCOL_ERROR },
                { "CONNACK", "28 02", REASON_PROTOCOL_ERROR },
                { "CONNACK", "29 02", REASON_PROTOCOL_ERROR },
                { "CONNACK", "2a 02", REASON_PROTOCOL_ERROR },
                /* strings [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-19] */
                { "PUBLISH", "03 00 01 ff", REASON_MALFORMED_PACKET },
                { "PUBLISH", "03 00 01 00", REASON_MALFORMED_PACKET },
                { "PUBLISH", "26 00 01 ff <v>", REASON_MALFORMED_PACKET },
                { "PUBLISH", "26 <k> 00 02 c0 80", REASON_MALFORMED_PACKET },
                { "PUBLISH", "26 <k>", REASON_MALFORMED_PACKET },
                { "CONNECT", "15 00 03 ed a0 80", REASON_MALFORMED_PACKET },
                { "DISCONNECT", "1f 00 01 00", REASON_MALFORMED_PACKET },
                { "PUBLISH", "09 00 01 ff", REASON_SUCCESS },
                { "PUBLISH", "26 <> <>", REASON_SUCCESS },
                /* the response topic [MQTT-3.3.2-13] [MQTT-3.3.2-14] [MQTT-4.7.3-1] */
                { "PUBLISH", "08 00 01 ff", REASON_MALFORMED_PACKET },
                { "PUBLISH", "08 <a/#>", REASON_PROTOCOL_ERROR },
                { "WILL", "08 <+>", REASON_PROTOCOL_ERROR },
                { "WILL", "08 <>", REASON_PROTOCOL_ERROR },
                /* cut short */
                { "PUBLISH", "01", REASON_MALFORMED_PACKET },
                { "PUBLISH", "02 00 00 00", REASON_MALFORMED_PACKET },
                { "PUBLISH", "03", REASON_MALFORMED_PACKET },
                { "PUBLISH", "03 00 02 'a'", REASON_MALFORMED_PACKET },
                { "PUBLISH", "09 00 02 'a'", REASON_MALFORMED_PACKET },
                { "PUBLISH", "0b", REASON_MALFORMED_PACKET },
                { "PUBLISH", "23 00", REASON_MALFORMED_PACKET },
                /* authentication (section 3.1.2.11.10) */
                { "CONNECT", "16 <d>", REASON_PROTOCOL_ERROR },
                { "CONNACK", "16 <d>", REASON_PROTOCOL_ERROR },
                { "CONNECT", "16 <d> 15 <m>", REASON_SUCCESS },
        };
        const struct row   *row;
        const struct place *place;

        EACH (rows, row) {
                struct test_packet t;

                EACH (places, place) {
                        if (strcmp(place->name, row->place) == 0)
                                break;
                }
                decode_at(&t, place, row->section);
                EXPECT(t.decoded == (row->reason == REASON_SUCCESS), "%s: %s", row->place,
                       row->section);
                if (!t.decoded)
                        EXPECT(t.error.reason == row->reason, "%s: %s: %s", row->place,
                               row->section, reason_name(t.error.reason));
                test_packet_free(&t);
        }
}

/* A section must not reach into what follows it. */
TEST(a_section_ends_where_its_length_says)
{
        static const char *const rows[] = {
                "<t> 02 03 00 01 'a'",          /* the string goes on behind it */
                "<t> 03 03 00 01 'a'",
                "<t> 01 02 00 00 00 01",
                "<t> 06 01 00 'pay'",           /* longer than the packet */
        };
        const char *const *row;

        EACH (rows, row) {
                struct test_packet t;

                test_decode(&t, MQTT_5, 0x30, *row);
                EXPECT(!t.decoded && t.error.reason == REASON_MALFORMED_PACKET, "%s", *row);
                test_packet_free(&t);
        }
}

TEST(all_values_arrive)
{
        struct test_packet t;
        struct properties *p = &t.packet.publish.properties;

        decode_at(&t, &places[3],
                  "01 01 02 00 00 01 00 26 <k> <v> 03 <ct> 08 <r/t> 09 00 02 00 ff 0b 80 01 0b 05 "
                  "23 01 00 26 <k> <w>");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT_EQ(p->payload_format, 1);
        EXPECT_EQ(p->message_expiry_s, 256);
        EXPECT_EQ(p->subscription_id, 128);
        EXPECT_EQ(p->subscription_id_count, 2);
        EXPECT_EQ(p->topic_alias, 256);
        EXPECT_EQ(p->user_count, 2);
        EXPECT(str_eq(p->content_type, STR("ct")) && str_eq(p->response_topic, STR("r/t")));
        EXPECT(str_eq(p->correlation_data, STR("\0\xff")));
        EXPECT_EQ(p->raw.len, 2 + 5 + 7 + 5 + 6 + 5 + 3 + 2 + 3 + 7);
        test_packet_free(&t);

        p = &t.packet.connack.properties;
        decode_at(&t, &places[2],
                  "11 00 00 00 0a 12 <id> 13 00 1e 15 <m> 16 <d> 1a <i> 1c <s> 1f <r> 21 00 07 "
                  "22 00 08 24 01 25 01 27 00 00 10 00 28 01 29 01 2a 01");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT(p->session_expiry_s == 10 && p->server_keep_alive_s == 30);
        EXPECT(p->receive_maximum == 7 && p->topic_alias_maximum == 8);
        EXPECT(p->maximum_qos == 1 && p->retain_available == 1 && p->maximum_packet_size == 4096);
        EXPECT(p->wildcard_available == 1 && p->subscription_id_available == 1);
        EXPECT(p->shared_available == 1);
        EXPECT(str_eq(p->assigned_client_id, STR("id")) && str_eq(p->auth_method, STR("m")));
        EXPECT(str_eq(p->auth_data, STR("d")) && str_eq(p->response_info, STR("i")));
        EXPECT(str_eq(p->server_reference, STR("s")) && str_eq(p->reason_string, STR("r")));
        test_packet_free(&t);

        p = &t.packet.connect.properties;
        decode_at(&t, &places[1], "17 01 19 01");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT(p->request_problem_info == 1 && p->request_response_info == 1);
        test_packet_free(&t);
}

/* `count` times the property, in a PUBLISH. */
static void decode_many(struct test_packet *t, const char *property, unsigned count)
{
        enum { SIZE = 16 * (PACKET_USER_PROPS_MAX + 1) };
        uint8_t       one[16], bytes[SIZE];
        size_t        len = test_bytes(property, one, sizeof(one));
        struct writer w   = writer_of(bytes, sizeof(bytes));

        write_binary(&w, STR("t"));
        write_varint(&w, (uint32_t)(len * count));
        for (unsigned i = 0; i < count; i++)
                write_bytes(&w, str_from(one, len));
        test_decode_body(t, MQTT_5, 0x30, str_from(bytes, (size_t)(w.pos - bytes)));
}

TEST(properties_are_counted)
{
        struct test_packet t;

        decode_many(&t, "26 <k> <v>", PACKET_USER_PROPS_MAX);
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.publish.properties.user_count, PACKET_USER_PROPS_MAX);
        test_packet_free(&t);
        decode_many(&t, "26 <k> <v>", PACKET_USER_PROPS_MAX + 1);
        EXPECT(!t.decoded);
        EXPECT_EQ(t.error.reason, REASON_QUOTA_EXCEEDED);
        test_packet_free(&t);

        decode_many(&t, "0b 01", SUBSCRIPTION_IDS_MAX);
        EXPECT(t.decoded);
        EXPECT_EQ(t.packet.publish.properties.subscription_id_count, SUBSCRIPTION_IDS_MAX);
        test_packet_free(&t);
        decode_many(&t, "0b 01", SUBSCRIPTION_IDS_MAX + 1);
        EXPECT(!t.decoded);
        EXPECT_EQ(t.error.reason, REASON_QUOTA_EXCEEDED);
        test_packet_free(&t);
}

SUITE(decode_properties, CASE(properties_stand_where_they_may), CASE(properties_stand_once),
      CASE(unknown_properties_are_malformed), CASE(values_have_bounds),
      CASE(a_section_ends_where_its_length_says), CASE(all_values_arrive),
      CASE(properties_are_counted))
