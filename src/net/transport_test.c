#include "net/transport.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

static size_t says_name(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        return (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "%s", t->ops->name);
}

static size_t says_much(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        memset(to, t->ops->name[0], TRANSPORT_TEXT_SIZE - 1);
        return TRANSPORT_TEXT_SIZE - 1;
}

static size_t is_known(struct transport *t, enum transport_name name,
                       char to[static TRANSPORT_TEXT_SIZE])
{
        (void)name;
        return says_name(t, to);
}

static size_t says_nothing(struct transport *t, enum transport_name name,
                           char to[static TRANSPORT_TEXT_SIZE])
{
        (void)t;
        (void)name;
        (void)to;
        return 0;
}

static const struct transport_ops plain   = { .name = "plain" };
static const struct transport_ops knowing = { .name = "known", .identity = is_known,
                                              .describe = says_name };
static const struct transport_ops unsure  = { .name = "unsure", .identity = says_nothing };
static const struct transport_ops wordy   = { .name = "wordy", .describe = says_much };

TEST(the_highest_layer_that_knows_decides)
{
        struct transport socket = { .ops = &knowing, .peer = { .any = { .sa_family = AF_UNIX } } };
        struct transport proxy  = { .ops = &knowing, .below = &socket };
        struct transport top    = { .ops = &plain, .below = &proxy };
        char             text[TRANSPORT_TEXT_SIZE];

        EXPECT(transport_peer(&top) == &socket.peer);
        EXPECT(address_parse(STR("10.0.0.1:7"), &proxy.peer));
        EXPECT(transport_peer(&top) == &proxy.peer);

        EXPECT_EQ(transport_identity(&top, TRANSPORT_USERNAME, text), 5);
        EXPECT(strcmp(text, "known") == 0);
        transport_describe(&top, text);
        EXPECT(strcmp(text, "known known") == 0, "%s", text);

        top.ops = &unsure;                      /* not asked further: what it says is final */
        EXPECT_EQ(transport_identity(&top, TRANSPORT_USERNAME, text), 0);
        EXPECT(strcmp(text, "") == 0);
        socket.ops = proxy.ops = &plain;
        top.ops    = &plain;
        EXPECT_EQ(transport_identity(&top, TRANSPORT_USERNAME, text), 0);
        transport_describe(&top, text);
        EXPECT(strcmp(text, "") == 0);
}

TEST(what_has_no_room_is_not_said)
{
        struct transport socket = { .ops = &knowing };
        struct transport top    = { .ops = &wordy, .below = &socket };
        char             text[TRANSPORT_TEXT_SIZE];

        transport_describe(&top, text);
        EXPECT_EQ(strlen(text), TRANSPORT_TEXT_SIZE - 1);
}

SUITE(transport, CASE(the_highest_layer_that_knows_decides), CASE(what_has_no_room_is_not_said))
