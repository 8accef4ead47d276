#include "mqtt/reason.h"

#include <string.h>

#include "unit.h"

TEST(reasons_have_words)
{
        static const struct row {
                unsigned    reason;
                const char *name, *text;
        } rows[] = {
                { 0x00, "success",                                "Success" },
                { 0x01, "granted_qos_1",                          "Granted QoS 1" },
                { 0x04, "disconnect_with_will",                   "Disconnect with Will Message" },
                { 0x19, "re_authenticate",                        "Re-authenticate" },
                { 0x87, "not_authorized",                         "Not authorized" },
                { 0x9e, "shared_subscriptions_not_supported",
                  "Shared Subscriptions not supported" },
                { 0xa1, "subscription_identifiers_not_supported",
                  "Subscription Identifiers not supported" },
                { 0xa2, "wildcard_subscriptions_not_supported",
                  "Wildcard Subscriptions not supported" },
                { 0x03, "unknown_reason",                         "Unknown reason" },
                { 0x7f, "unknown_reason",                         "Unknown reason" },
                { 0xff, "unknown_reason",                         "Unknown reason" },
        };
        const struct row *row;

        EACH (rows, row) {
                EXPECT(strcmp(reason_name(row->reason), row->name) == 0, "%#x is %s", row->reason,
                       reason_name(row->reason));
                EXPECT(strcmp(reason_text(row->reason), row->text) == 0, "%#x is %s", row->reason,
                       reason_text(row->reason));
        }
}

TEST(names_find_their_reason)
{
        static const struct row {
                const char *name;
                unsigned    reason;
        } rows[] = {
                { "success", 0x00 },
                { "normal_disconnection", 0x00 },
                { "granted_qos_0", 0x00 },
                { "granted_qos_2", 0x02 },
                { "packet_too_large", 0x95 },
        };
        const struct row *row;
        enum reason       reason;

        EACH (rows, row) {
                EXPECT(reason_from_name(row->name, &reason), "%s", row->name);
                EXPECT_EQ(reason, row->reason);
        }
        EXPECT(!reason_from_name("", &reason));
        EXPECT(!reason_from_name("SUCCESS", &reason));
        EXPECT(!reason_from_name("success ", &reason));
}

TEST(every_reason_is_found_by_its_name)
{
        unsigned known = 0;

        for (unsigned value = 0; value <= 0xff; value++) {
                enum reason reason;

                if (strcmp(reason_name(value), "unknown_reason") == 0)
                        continue;
                EXPECT(reason_from_name(reason_name(value), &reason));
                EXPECT_EQ(reason, value);
                known++;
        }
        EXPECT_EQ(known, 43); /* section 2.4 */
}

TEST(old_connacks_have_six_codes)
{
        static const struct row {
                enum reason reason;
                uint8_t     code;
        } rows[] = {
                { REASON_SUCCESS, 0 },
                { REASON_UNSUPPORTED_PROTOCOL_VERSION, 1 },
                { REASON_CLIENT_IDENTIFIER_NOT_VALID, 2 },
                { REASON_SERVER_UNAVAILABLE, 3 },
                { REASON_SERVER_BUSY, 3 },
                { REASON_QUOTA_EXCEEDED, 3 },
                { REASON_USE_ANOTHER_SERVER, 3 },
                { REASON_BAD_USER_NAME_OR_PASSWORD, 4 },
                { REASON_NOT_AUTHORIZED, 5 },
                { REASON_BANNED, 5 },
                { REASON_BAD_AUTHENTICATION_METHOD, 5 },
                { REASON_QOS_NOT_SUPPORTED, CONNACK_V3_NONE },
                { REASON_PROTOCOL_ERROR, CONNACK_V3_NONE },
        };
        const struct row *row;

        EACH (rows, row)
                EXPECT_EQ(reason_connack_v3(row->reason), row->code);
        for (unsigned value = 0x80; value <= 0xff; value++)
                EXPECT(reason_connack_v3(value) == CONNACK_V3_NONE ||
                       (reason_connack_v3(value) >= 1 && reason_connack_v3(value) <= 5));
}

TEST(errors_begin_at_0x80)
{
        EXPECT(!reason_is_error(REASON_SUCCESS));
        EXPECT(!reason_is_error(REASON_RE_AUTHENTICATE));
        EXPECT(reason_is_error(REASON_UNSPECIFIED_ERROR));
        EXPECT(reason_is_error(REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED));
}

SUITE(reason, CASE(reasons_have_words), CASE(names_find_their_reason),
      CASE(every_reason_is_found_by_its_name), CASE(old_connacks_have_six_codes),
      CASE(errors_begin_at_0x80))
