/* What scenarios cannot show of a client: errors of its descriptor, and the turns of its loop. */
#include "client/client_internal.h"

#include <string.h>

#include "harness/authenticator.h"
#include "harness/world.h"
#include "mqtt/encode.h"
#include "unit.h"

static struct authenticator authenticator = { .parts = AUTHENTICATOR_TOPICS };
static struct world        *world;
static char                 bytes[4096], got[1 << 16];

static void begin(unsigned shards)
{
        struct settings settings;

        settings_init(&settings);
        world = world_new_with(shards, &settings, authenticator_add, &authenticator);
        EXPECT(world != NULL);
}

static void say(struct transport *end, size_t size)
{
        struct iovec from = { bytes, size };

        EXPECT_EQ(end->ops->write(end, &from, 1), size);
        EXPECT(world_run(world));
}

/* All that came; false when it has not `text` in it. */
static bool hears(struct transport *end, const char *text)
{
        ssize_t count = end->ops->read(end, got, sizeof got);

        return count > 0 && memmem(got, (size_t)count, text, strlen(text)) != NULL;
}

static struct transport *connect_client(const char *name, uint16_t keep_alive_s)
{
        struct connect_packet packet = {
                .version      = MQTT_3_1_1,
                .clean_start  = true,
                .keep_alive_s = keep_alive_s,
                .client_id    = str_of(name),
                .will         = { .present = true, .topic = STR("will"), .payload = STR("gone") },
        };
        struct transport     *end = world_connect(world, 0);

        EXPECT(end != NULL);
        say(end, encode_connect(bytes, sizeof bytes, &packet));
        EXPECT(hears(end, "\x20\x02"), "a CONNACK");
        return end;
}

static void subscribe(struct transport *end, const char *filter)
{
        struct subscribe_item    item    = { .filter = str_of(filter) };
        struct properties        none    = { .present = 0 };
        struct subscribe_request request = { 1, 1, &item, &none };

        say(end, encode_subscribe(bytes, sizeof bytes, MQTT_3_1_1, &request));
        EXPECT(hears(end, "\x90\x03"), "a SUBACK");
}

static void publish_to(struct transport *end, const char *topic, const char *payload)
{
        struct publish_packet packet = { .topic = str_of(topic), .payload = str_of(payload) };

        say(end, encode_publish(bytes, sizeof bytes, MQTT_3_1_1, &packet));
}

/* The one that came first. */
static struct client *first_client(void)
{
        struct client_manager *manager = world->broker.clients[0];

        return list_entry(manager->clients.next, struct client, in_manager);
}

static void end_world(struct transport *one, struct transport *other)
{
        one->ops->free(one);
        if (other != NULL)
                other->ops->free(other);
        world_free(world);
}

TEST(a_failed_connection_whose_packet_waits_is_read_to_its_end)
{
        struct disconnect_packet disconnect = { .reason = REASON_SUCCESS };

        begin(1);

        struct transport *a = connect_client("a", 0);
        struct client    *c = first_client();
        struct transport *w = connect_client("w", 0);

        subscribe(w, "#");
        publish_to(a, "slow/x", "1");
        say(a, encode_disconnect(bytes, sizeof bytes, MQTT_3_1_1, &disconnect));
        a->ops->free(a);
        poll_memory_set(&c->watch, c->watch.is | POLL_FAILED);
        EXPECT(world_run(world), "it is told once, not in every turn");
        EXPECT(c->state == CLIENT_CONNECTED && c->gone != NULL);
        EXPECT(world_advance(world, AUTHENTICATOR_DELAY_MS + WORLD_STEP_MS));
        EXPECT(hears(w, "slow/x") && memmem(got, sizeof got, "gone", 4) == NULL);
        end_world(w, NULL);
}

TEST(a_failed_connection_without_an_end_is_lost)
{
        begin(1);

        struct transport *a = connect_client("a", 0);
        struct client    *c = first_client();
        struct transport *w = connect_client("w", 0);

        subscribe(w, "#");
        publish_to(a, "slow/x", "1");
        poll_memory_set(&c->watch, POLL_FAILED);
        EXPECT(world_run(world));
        EXPECT(hears(w, "gone"));
        EXPECT_EQ(authenticator.owed, 0);
        end_world(a, w);
}

SUITE(client, CASE(a_failed_connection_whose_packet_waits_is_read_to_its_end),
      CASE(a_failed_connection_without_an_end_is_lost))
