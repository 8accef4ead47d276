#include "mqtt/packet.h"

#include <string.h>

#include "mqtt/test_bytes.h"
#include "unit.h"

TEST(packets_have_names)
{
        EXPECT(strcmp(packet_name(PACKET_CONNECT), "CONNECT") == 0);
        EXPECT(strcmp(packet_name(PACKET_UNSUBACK), "UNSUBACK") == 0);
        EXPECT(strcmp(packet_name(PACKET_AUTH), "AUTH") == 0);
        EXPECT(packet_name(0) != NULL);
        EXPECT(packet_name(PACKET_TYPES) != NULL);
        for (unsigned type = PACKET_CONNECT; type < PACKET_TYPES; type++)
                EXPECT(strlen(packet_name(type)) >= 4);
}

TEST(subscriptions_are_walked)
{
        uint8_t               bytes[64];
        struct str            filters;
        struct subscribe_item item;

        filters = str_from(bytes, test_bytes("<a/b> 01 <#> 2e <+> 12", bytes, sizeof(bytes)));
        EXPECT(subscribe_next(&filters, &item));
        EXPECT(str_eq(item.filter, STR("a/b")));
        EXPECT(item.qos == 1 && !item.no_local && !item.retain_as_published);
        EXPECT_EQ(item.retain_handling, 0);
        EXPECT(subscribe_next(&filters, &item));
        EXPECT(str_eq(item.filter, STR("#")));
        EXPECT(item.qos == 2 && item.no_local && item.retain_as_published);
        EXPECT_EQ(item.retain_handling, 2);
        EXPECT(subscribe_next(&filters, &item));
        EXPECT_EQ(item.qos, 2);
        EXPECT_EQ(item.retain_handling, 1);
        EXPECT(!subscribe_next(&filters, &item));
}

TEST(unsubscriptions_are_walked)
{
        uint8_t    bytes[64];
        struct str filters, filter;

        filters = str_from(bytes, test_bytes("<a/b> <#>", bytes, sizeof(bytes)));
        EXPECT(unsubscribe_next(&filters, &filter));
        EXPECT(str_eq(filter, STR("a/b")));
        EXPECT(unsubscribe_next(&filters, &filter));
        EXPECT(str_eq(filter, STR("#")));
        EXPECT(!unsubscribe_next(&filters, &filter));
}

/* All codes of each packet, as the standard's tables have them: client's, then server's. */
TEST(each_packet_has_its_reasons)
{
        static const struct row {
                enum packet_type type;
                const char      *client, *server;
        } rows[] = {
                { PACKET_CONNECT, "", "" },
                { PACKET_CONNACK, "",
                  "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f" },
                { PACKET_PUBLISH, "", "" },
                { PACKET_PUBACK, "00 80 83 87 90 91 97 99", "00 10 80 83 87 90 91 97 99" },
                { PACKET_PUBREC, "00 80 83 87 90 91 97 99", "00 10 80 83 87 90 91 97 99" },
                { PACKET_PUBREL, "00 92", "00 92" },
                { PACKET_PUBCOMP, "00 92", "00 92" },
                { PACKET_SUBSCRIBE, "", "" },
                { PACKET_SUBACK, "", "00 01 02 80 83 87 8f 91 97 9e a1 a2" },
                { PACKET_UNSUBSCRIBE, "", "" },
                { PACKET_UNSUBACK, "", "00 11 80 83 87 8f 91" },
                { PACKET_PINGREQ, "", "" },
                { PACKET_PINGRESP, "", "" },
                { PACKET_DISCONNECT, "00 04 80 81 82 83 90 93 94 95 96 97 98 99",
                  "00 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f "
                  "a0 a1 a2" },
                { PACKET_AUTH, "18 19", "00 18" },
        };
        const struct row *row;

        EACH (rows, row) {
                uint8_t client[64], server[64];
                size_t  clients = test_bytes(row->client, client, sizeof(client));
                size_t  servers = test_bytes(row->server, server, sizeof(server));

                for (unsigned code = 0; code <= 0x1ff; code++) {
                        bool by_client = code <= 0xff && memchr(client, (int)code, clients) != NULL;
                        bool by_server = code <= 0xff && memchr(server, (int)code, servers) != NULL;

                        EXPECT(packet_reason_allowed(row->type, code, PACKET_FROM_CLIENT) ==
                                       by_client,
                               "%s %#x", packet_name(row->type), code);
                        EXPECT(packet_reason_allowed(row->type, code, PACKET_FROM_SERVER) ==
                                       by_server,
                               "%s %#x", packet_name(row->type), code);
                        EXPECT(packet_reason_allowed(row->type, code, PACKET_FROM_ANYONE) ==
                                       (by_client || by_server),
                               "%s %#x", packet_name(row->type), code);
                }
        }
}

SUITE(packet, CASE(packets_have_names), CASE(subscriptions_are_walked),
      CASE(unsubscriptions_are_walked), CASE(each_packet_has_its_reasons))
