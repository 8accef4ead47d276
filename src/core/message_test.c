#include "core/message.h"

#include <string.h>

#include "base/memory.h"
#include "unit.h"

/* Payload format, expiry, user property, subscription id, correlation data, will delay, user
 * property, alias, content type, response topic; what is passed on, in the same order. */
#define USER_1      "\x26\x00\x01k\x00\x01v"
#define USER_2      "\x26\x00\x01k\x00\x01w"
#define CORRELATION "\x09\x00\x02\x00\xff"
#define CONTENT     "\x03\x00\x01t"
#define RESPONSE    "\x08\x00\x01r"
#define ALL                                                                                        \
        "\x01\x01"                                                                                 \
        "\x02\x00\x00\x00\x05" USER_1 "\x0b\x07" CORRELATION "\x18\x00\x00\x00\x09" USER_2         \
        "\x23\x00\x03" CONTENT RESPONSE
#define PASSED_ON "\x01\x01" USER_1 CORRELATION USER_2 CONTENT RESPONSE

static struct properties all_properties(void)
{
        struct properties p = { .raw = STR(ALL), .message_expiry_s = 5 };

        property_set(&p, PROPERTY_PAYLOAD_FORMAT);
        property_set(&p, PROPERTY_MESSAGE_EXPIRY);
        property_set(&p, PROPERTY_USER_PROPERTY);
        return p;
}

static struct message_fields fields_with(const struct properties *properties)
{
        return (struct message_fields){
                .topic      = STR("a/b"),
                .payload    = STR("load\0ed"),
                .qos        = 1,
                .retain     = true,
                .properties = properties,
                .client_id  = STR("client"),
                .username   = STR("user"),
                .from       = 77,
                .wall_us    = 1000,
                .guid       = { 5, 6 },
        };
}

static void expect_same_but_topic(const struct message *m)
{
        EXPECT(str_eq(message_properties(m), STR(PASSED_ON)));
        EXPECT(str_eq(message_payload(m), STR("load\0ed")));
        EXPECT(str_eq(message_client_id(m), STR("client")));
        EXPECT(str_eq(message_username(m), STR("user")));
        EXPECT_EQ(m->expires_us, 5001000);
        EXPECT_EQ(m->from, 77);
        EXPECT_EQ(m->guid.time_us, 5);
        EXPECT_EQ(m->guid.origin, 6);
}

TEST(all_parts_are_kept)
{
        struct properties     p      = all_properties();
        struct message_fields fields = fields_with(&p);
        struct message       *m      = message_new(&fields);

        EXPECT(m != NULL);
        EXPECT_EQ(m->refs, 1);
        EXPECT(str_eq(message_topic(m), STR("a/b")));
        EXPECT(memcmp(m->bytes, "\0\3a/b", 5) == 0);    /* as the wire wants it */
        expect_same_but_topic(m);
        EXPECT_EQ(m->qos, 1);
        EXPECT(m->retain);
        EXPECT(!m->local_only);
        EXPECT_EQ(message_size(m), sizeof *m + 5 + strlen("load ed") + sizeof PASSED_ON - 1);
        message_put(m);
}

TEST(a_message_may_have_nothing_but_a_topic)
{
        /* Without a property, all but .present is unspecified. */
        struct properties     none   = { .present = 0, .raw = { NULL, 99 }, .message_expiry_s = 9 };
        struct message_fields fields = { .topic = STR("t"), .properties = &none, .wall_us = 3 };
        struct message       *m      = message_new(&fields);

        EXPECT_EQ(m->properties_len, 0);
        EXPECT_EQ(m->payload_len, 0);
        EXPECT_EQ(message_client_id(m).len, 0);
        EXPECT_EQ(message_username(m).len, 0);
        EXPECT_EQ(m->expires_us, 0);
        EXPECT(!message_expired(m, UINT64_MAX));
        message_put(m);
        fields.properties = NULL;
        m                 = message_new(&fields);
        EXPECT_EQ(m->properties_len, 0);
        EXPECT_EQ(m->expires_us, 0);
        message_put(m);
}

TEST(expiry_counts_from_now)
{
        struct properties     p      = all_properties();
        struct message_fields fields = fields_with(&p);
        struct message       *m      = message_new(&fields);

        EXPECT(!message_expired(m, 5000999));
        EXPECT(message_expired(m, 5001000));
        EXPECT_EQ(message_expiry_left_s(m, 1000), 5);
        EXPECT_EQ(message_expiry_left_s(m, 1001), 5);
        EXPECT_EQ(message_expiry_left_s(m, 5000999), 1);
        message_put(m);

        p.message_expiry_s = UINT32_MAX;
        m                  = message_new(&fields);
        EXPECT_EQ(m->expires_us, 1000 + UINT64_C(4294967295) * 1000000);
        message_put(m);

        /* At once is not never, not even at the beginning of time. */
        p.message_expiry_s = 0;
        fields.wall_us     = 0;
        m                  = message_new(&fields);
        EXPECT(message_expired(m, 1));
        message_put(m);
}

TEST(a_copy_differs_as_asked)
{
        struct properties     p      = all_properties();
        struct message_fields fields = fields_with(&p);
        struct message       *m      = message_new(&fields);
        struct message       *copy;

        m->local_only = true;
        copy          = message_copy(m, STR("another/topic"), 2, false);
        message_put(m);
        EXPECT(str_eq(message_topic(copy), STR("another/topic")));
        expect_same_but_topic(copy);
        EXPECT_EQ(copy->refs, 1);
        EXPECT_EQ(copy->qos, 2);
        EXPECT(!copy->retain);
        EXPECT(copy->local_only);
        message_put(copy);
}

TEST(the_last_reference_frees)
{
        struct message_fields fields = fields_with(NULL);
        struct message       *m      = message_new(&fields);

        EXPECT(message_get(m) == m);
        message_put(m);
        EXPECT(str_eq(message_topic(m), STR("a/b")));
        message_put(m);
        message_put(NULL);
}

TEST(without_memory_there_is_no_message)
{
        struct message_fields fields = fields_with(NULL);
        struct message       *m;

        mem_fail_after(0);
        EXPECT(message_new(&fields) == NULL);
        mem_fail_after(1);                      /* one allocation is enough */
        m = message_new(&fields);
        EXPECT(m != NULL);
        EXPECT(message_copy(m, STR("t"), 0, false) == NULL);
        mem_fail_after(-1);
        message_put(m);
}

SUITE(message, CASE(all_parts_are_kept), CASE(a_message_may_have_nothing_but_a_topic),
      CASE(expiry_counts_from_now), CASE(a_copy_differs_as_asked), CASE(the_last_reference_frees),
      CASE(without_memory_there_is_no_message))
