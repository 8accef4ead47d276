#include "mqtt/decode.h"

#include "base/limits.h"
#include "mqtt/test_bytes.h"
#include "unit.h"

TEST(wrong_requests_are_refused)
{
        static const struct row {
                enum mqtt_version version;
                uint8_t           first;
                const char       *body;
                enum reason       reason;
        } rows[] = {
                { MQTT_3_1_1, 0x82, "", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00", REASON_MALFORMED_PACKET },
                { MQTT_5, 0x82, "00 01", REASON_MALFORMED_PACKET },
                /* [MQTT-2.3.1-1] [MQTT-2.2.1-3] */
                { MQTT_3_1_1, 0x82, "00 00 <f> 00", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0x82, "00 00 00 <f> 00", REASON_PROTOCOL_ERROR },
                { MQTT_3_1_1, 0xa2, "00 00 <f>", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0xa2, "00 00 00 <f>", REASON_PROTOCOL_ERROR },
                /* nothing in it [MQTT3-3.8.3-3] [MQTT5-3.8.3-2] [MQTT-3.10.3-2] */
                { MQTT_3_1, 0x82, "00 01", REASON_PROTOCOL_ERROR },
                { MQTT_3_1_1, 0x82, "00 01", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0x82, "00 01 00", REASON_PROTOCOL_ERROR },
                { MQTT_3_1_1, 0xa2, "00 01", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0xa2, "00 01 00", REASON_PROTOCOL_ERROR },
                /* cut short */
                { MQTT_3_1_1, 0x82, "00 01 <f>", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 <f> 00 00", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 00 02 'f'", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0xa2, "00 01 <f> 00", REASON_MALFORMED_PACKET },
                { MQTT_5, 0x82, "00 01 (01 01)", REASON_MALFORMED_PACKET },
                { MQTT_5, 0xa2, "00 01 (01 01)", REASON_MALFORMED_PACKET },
                /* strings [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-1.5.3-1] [MQTT-1.5.3-2] */
                { MQTT_3_1_1, 0x82, "00 01 00 01 ff 00", REASON_MALFORMED_PACKET },
                { MQTT_5, 0x82, "00 01 00 00 01 00 00", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0xa2, "00 01 00 03 ed b0 80", REASON_MALFORMED_PACKET },
                { MQTT_5, 0xa2, "00 01 00 <ok> 00 02 c1 81", REASON_MALFORMED_PACKET },
                /* [MQTT-4.7.3-1] */
                { MQTT_3_1_1, 0x82, "00 01 <> 00", REASON_TOPIC_FILTER_INVALID },
                { MQTT_5, 0x82, "00 01 00 <ok> 00 <> 00", REASON_TOPIC_FILTER_INVALID },
                { MQTT_5, 0xa2, "00 01 00 <>", REASON_TOPIC_FILTER_INVALID },
                /* options: [MQTT3-3.8.3-4] */
                { MQTT_3_1, 0x82, "00 01 <f> 04", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 <f> 04", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 <f> 81", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 <f> 10", REASON_MALFORMED_PACKET },
                { MQTT_3_1_1, 0x82, "00 01 <f> 03", REASON_MALFORMED_PACKET },
                /* [MQTT-3.8.3-5], and section 3.8.3.1 for values that mean nothing */
                { MQTT_5, 0x82, "00 01 00 <f> 40", REASON_MALFORMED_PACKET },
                { MQTT_5, 0x82, "00 01 00 <f> 80", REASON_MALFORMED_PACKET },
                { MQTT_5, 0x82, "00 01 00 <f> 03", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0x82, "00 01 00 <f> 30", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0x82, "00 01 00 <f> 00 <g> 33", REASON_PROTOCOL_ERROR },
                /* one subscription identifier, not 0 (section 3.8.2.1.2) */
                { MQTT_5, 0x82, "00 01 (0b 01 0b 01) <f> 00", REASON_PROTOCOL_ERROR },
                { MQTT_5, 0x82, "00 01 (0b 00) <f> 00", REASON_PROTOCOL_ERROR },
        };
        const struct row *row;

        EACH (rows, row) {
                struct test_packet t;

                test_decode(&t, row->version, row->first, row->body);
                EXPECT(!t.decoded, "%02x %s", row->first, row->body);
                EXPECT(t.error.reason == row->reason, "%02x %s: %s, %s", row->first, row->body,
                       reason_name(t.error.reason), t.error.what);
                test_packet_free(&t);
        }
}

TEST(every_option_byte_is_judged)
{
        for (unsigned options = 0; options <= 0xff; options++) {
                for (unsigned version = MQTT_3_1; version <= MQTT_5; version++) {
                        struct test_packet t;
                        char               body[40];
                        bool               v5 = version == MQTT_5;
                        bool right = v5 ? options < 0x30 && (options & 3) != 3 : options < 3;

                        snprintf(body, sizeof(body), "00 01 %s <f> %02x", v5 ? "00" : "", options);
                        test_decode(&t, version, 0x82, body);
                        EXPECT(t.decoded == right, "version %u, %02x", version, options);
                        test_packet_free(&t);
                }
        }
}

TEST(requests_have_their_fields)
{
        struct test_packet    t;
        struct subscribe_item item;
        struct str            filter;

        test_decode(&t, MQTT_5, 0x82, "12 34 (0b 80 01 26 <k> <v>) <a/#> 01 <$share/g/t> 2a");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT_EQ(t.packet.subscribe.packet_id, 0x1234);
        EXPECT_EQ(t.packet.subscribe.count, 2);
        EXPECT_EQ(t.packet.subscribe.properties.subscription_id, 128);
        EXPECT(subscribe_next(&t.packet.subscribe.filters, &item));
        EXPECT(str_eq(item.filter, STR("a/#")) && item.qos == 1);
        EXPECT(subscribe_next(&t.packet.subscribe.filters, &item));
        EXPECT(str_eq(item.filter, STR("$share/g/t")));
        EXPECT(item.qos == 2 && item.retain_handling == 2);
        EXPECT(!subscribe_next(&t.packet.subscribe.filters, &item));
        test_packet_free(&t);

        /* Filters are refused one by one, elsewhere: here they are strings. */
        test_decode(&t, MQTT_3_1_1, 0xa2, "12 34 <a#b> <+>");
        EXPECT(t.decoded, "%s", t.error.what);
        EXPECT_EQ(t.packet.unsubscribe.packet_id, 0x1234);
        EXPECT_EQ(t.packet.unsubscribe.count, 2);
        EXPECT(unsubscribe_next(&t.packet.unsubscribe.filters, &filter));
        EXPECT(str_eq(filter, STR("a#b")));
        EXPECT(unsubscribe_next(&t.packet.unsubscribe.filters, &filter));
        EXPECT(!unsubscribe_next(&t.packet.unsubscribe.filters, &filter));
        test_packet_free(&t);
}

TEST(filters_are_counted)
{
        for (unsigned more = 0; more <= 1; more++) {
                for (unsigned subscribe = 0; subscribe <= 1; subscribe++) {
                        uint8_t            bytes[4 * (SUBSCRIBE_FILTERS_MAX + 2)];
                        struct writer      w = writer_of(bytes, sizeof(bytes));
                        struct test_packet t;

                        write_u16(&w, 1);
                        for (unsigned i = 0; i < SUBSCRIBE_FILTERS_MAX + more; i++) {
                                write_binary(&w, STR("f"));
                                if (subscribe)
                                        write_u8(&w, 0);
                        }
                        test_decode_body(&t, MQTT_3_1_1, subscribe ? 0x82 : 0xa2,
                                         str_from(bytes, (size_t)(w.pos - bytes)));
                        EXPECT(t.decoded == (more == 0));
                        if (more)
                                EXPECT_EQ(t.error.reason, REASON_QUOTA_EXCEEDED);
                        else
                                EXPECT_EQ(subscribe ? t.packet.subscribe.count
                                                    : t.packet.unsubscribe.count,
                                          SUBSCRIBE_FILTERS_MAX);
                        test_packet_free(&t);
                }
        }
}

SUITE(decode_subscribe, CASE(wrong_requests_are_refused), CASE(every_option_byte_is_judged),
      CASE(requests_have_their_fields), CASE(filters_are_counted))
