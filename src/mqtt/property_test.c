#include "mqtt/property.h"

#include <string.h>

#include "mqtt/test_bytes.h"
#include "unit.h"

TEST(properties_have_names_and_types)
{
        static const struct row {
                unsigned           id;
                const char        *name;
                enum property_type type;
        } rows[] = {
                { 0x01, "payload_format",            PROPERTY_TYPE_BYTE   },
                { 0x02, "message_expiry",            PROPERTY_TYPE_FOUR   },
                { 0x0b, "subscription_id",           PROPERTY_TYPE_VARINT },
                { 0x11, "session_expiry",            PROPERTY_TYPE_FOUR   },
                { 0x16, "auth_data",                 PROPERTY_TYPE_BINARY },
                { 0x1f, "reason_string",             PROPERTY_TYPE_STRING },
                { 0x21, "receive_maximum",           PROPERTY_TYPE_TWO    },
                { 0x26, "user_property",             PROPERTY_TYPE_PAIR   },
                { 0x29, "subscription_id_available", PROPERTY_TYPE_BYTE   },
                { 0x2a, "shared_available",          PROPERTY_TYPE_BYTE   },
        };
        const struct row *row;

        EACH (rows, row) {
                EXPECT_EQ(property_type(row->id), row->type);
                EXPECT(strcmp(property_name(row->id), row->name) == 0, "%s", row->name);
        }
}

TEST(there_are_twenty_seven)
{
        unsigned known = 0;

        for (unsigned id = 0; id <= 0xff; id++) {
                EXPECT((property_type(id) == PROPERTY_TYPE_NONE) == (property_name(id) == NULL));
                known += property_type(id) != PROPERTY_TYPE_NONE;
        }
        EXPECT_EQ(known, 27); /* section 2.2.2.2 */
        EXPECT_EQ(property_type(0x2b), PROPERTY_TYPE_NONE);
        EXPECT_EQ(property_type(0x126), PROPERTY_TYPE_NONE);
}

TEST(presence_is_a_bit)
{
        struct properties p = { 0 };

        EXPECT(!property_has(&p, PROPERTY_SHARED_AVAILABLE));
        property_set(&p, PROPERTY_SHARED_AVAILABLE);
        property_set(&p, PROPERTY_PAYLOAD_FORMAT);
        EXPECT(property_has(&p, PROPERTY_SHARED_AVAILABLE));
        EXPECT(property_has(&p, PROPERTY_PAYLOAD_FORMAT));
        EXPECT(!property_has(&p, PROPERTY_WILDCARD_AVAILABLE));
}

TEST(a_section_is_walked_in_order)
{
        static const struct row {
                enum property_id id;
                const char      *bytes;
                uint32_t         number;
                struct str       name, value;
        } rows[] = {
                { PROPERTY_PAYLOAD_FORMAT,  "01 01",             1,          { 0 },    { 0 } },
                { PROPERTY_USER_PROPERTY,   "26 <k> <v>",        0,          STR("k"), STR("v") },
                { PROPERTY_TOPIC_ALIAS,     "23 01 02",          0x0102,     { 0 },    { 0 } },
                { PROPERTY_USER_PROPERTY,   "26 <> <>",          0,          STR(""),  STR("") },
                { PROPERTY_MESSAGE_EXPIRY,  "02 fe 02 03 04",    0xfe020304, { 0 },    { 0 } },
                { PROPERTY_SUBSCRIPTION_ID, "0b ff ff ff 7f",    268435455,  { 0 },    { 0 } },
                { PROPERTY_SUBSCRIPTION_ID, "0b 80 01",          128,        { 0 },    { 0 } },
                { PROPERTY_CONTENT_TYPE,    "03 <text/plain>",   0,  { 0 },  STR("text/plain") },
                { PROPERTY_CORRELATION_DATA, "09 00 02 00 ff",   0,  { 0 },  STR("\0\xff") },
        };
        uint8_t           bytes[200];
        size_t            len = 0;
        struct str        raw;
        struct property   property;
        const struct row *row;

        EACH (rows, row)
                len += test_bytes(row->bytes, bytes + len, sizeof(bytes) - len);
        raw = str_from(bytes, len);
        EACH (rows, row) {
                uint8_t    own[40];
                struct str expected = str_from(own, test_bytes(row->bytes, own, sizeof(own)));

                EXPECT(property_next(&raw, &property));
                EXPECT_EQ(property.id, row->id);
                EXPECT_EQ(property.number, row->number);
                EXPECT(str_eq(property.name, row->name) && str_eq(property.value, row->value), "%s",
                       row->bytes);
                EXPECT(str_eq(property.bytes, expected), "%s", row->bytes);
        }
        EXPECT(!property_next(&raw, &property));
        EXPECT(!property_next(&(struct str){ 0 }, &property));
}

SUITE(property, CASE(properties_have_names_and_types), CASE(there_are_twenty_seven),
      CASE(presence_is_a_bit), CASE(a_section_is_walked_in_order))
