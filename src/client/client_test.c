/* What scenarios cannot show of a client: errors of its descriptor, and the turns of its loop. */
#include "client/client_internal.h"

#include <string.h>

#include "core/publish.h"
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
        world = world_new(&(struct world_plan){ .shards   = shards,
                                                .settings = &settings,
                                                .prepare  = authenticator_add,
                                                .context  = &authenticator });
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

/* A turn reads some of it and writes PUBACK, to nobody. */
TEST(what_it_sent_before_it_hung_up_is_read_to_its_end)
{
        struct publish_packet    publish    = { .topic     = STR("x"),
                                                .payload   = STR("acknowledged to nobody"),
                                                .qos       = 1,
                                                .packet_id = 1 };
        struct disconnect_packet disconnect = { .reason = REASON_SUCCESS };

        begin(1);

        struct transport *w = connect_client("w", 0);

        subscribe(w, "#");
        world->settings.bytes_in = (struct rate){ 1000000, 40 };

        struct transport *a    = connect_client("a", 0);
        size_t            size = encode_publish(bytes, sizeof bytes, MQTT_3_1_1, &publish);

        size += encode_publish(bytes + size, sizeof bytes - size, MQTT_3_1_1, &publish);
        size += encode_disconnect(bytes + size, sizeof bytes - size, MQTT_3_1_1, &disconnect);

        struct iovec from = { bytes, size };

        EXPECT_EQ(a->ops->write(a, &from, 1), size);
        a->ops->free(a);
        EXPECT(world_advance(world, 1000));
        EXPECT_EQ(client_count(world->broker.clients[0]), 1);
        EXPECT(hears(w, "acknowledged to nobody"));
        EXPECT(memmem(got, sizeof got, "gone", 4) == NULL, "DISCONNECT drops the will");
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

/* ---- a shard that does not keep up ----------------------------------------------------------- */

static void weigh(struct loop *loop, struct mail *mail)
{
        (void)loop;
        (void)mail;
}

static const struct mail_ops weight = { "weight", weigh, NULL };

/* More mail to the last shard than may wait, until that is turned. */
static void press(void)
{
        struct parcel *parcel = NULL;

        EXPECT(parcel_append(&parcel, &weight, MAILBOX_BYTES_HIGH + 1, MAIL_FROM_OUTSIDE) != NULL);
        loop_post(world->broker.loops[world->broker.shard_count - 1], parcel);
}

/* The other shard catches up, and this one looks. */
static void unpress(void)
{
        EXPECT(loop_turn(world->broker.loops[world->broker.shard_count - 1], 0));
        EXPECT(world_advance(world, HELD_BACK_MS));
}

static void say_unheard(struct transport *end, const struct publish_packet *packet)
{
        struct iovec from = { bytes, encode_publish(bytes, sizeof bytes, MQTT_3_1_1, packet) };

        EXPECT_EQ(end->ops->write(end, &from, 1), from.iov_len);
}

/* Turns shard 0 until it would sleep; how many turns did something. */
static unsigned turn_first(uint64_t ms)
{
        unsigned turns = 0;

        world->now.mono_ms += ms;
        while (loop_turn(world->broker.loops[0], 0))
                EXPECT(++turns < 5, "it spins");
        EXPECT(wheel_next_ms(&world->broker.loops[0]->wheel) > world->now.mono_ms);
        return turns;
}

/* A name that is at home on shard 0. */
static const char *name_at_home(char first)
{
        static char name[2][3];
        static bool other;

        other          = !other;
        name[other][0] = first;
        for (name[other][1] = 'a'; broker_home(&world->broker, str_of(name[other])) != 0;)
                name[other][1]++;
        return name[other];
}

TEST(while_a_shard_is_behind_nobody_is_read_and_no_loop_spins)
{
        struct publish_packet packet = { .topic = STR("x"), .payload = STR("now") };

        begin(2);

        struct transport *a = connect_client(name_at_home('a'), 1);
        struct transport *b = connect_client(name_at_home('b'), 0);

        subscribe(b, "#");
        press();
        EXPECT_EQ(turn_first(0), 0);
        say_unheard(a, &packet);
        EXPECT_EQ(turn_first(0), 1);            /* it is told, and held back */
        for (unsigned i = 0; i < 30; i++)       /* longer than its keep alive */
                EXPECT_EQ(turn_first(100), 1);  /* the timer */
        EXPECT(!hears(b, "now"));
        EXPECT_EQ(world->broker.shards[0]->metrics.messages_received, 0);

        EXPECT(loop_turn(world->broker.loops[1], 0));
        EXPECT(turn_first(HELD_BACK_MS) >= 2);  /* it is heard again, and read */
        EXPECT(hears(b, "now"));
        EXPECT(world_advance(world, 1400));
        EXPECT(!hears(b, "gone"), "keep alive begins with the reading");
        EXPECT(world_advance(world, 200));
        EXPECT(hears(b, "gone"));
        end_world(a, b);
}

TEST(a_connect_that_was_held_back_is_not_late)
{
        struct connect_packet packet = { .version = MQTT_5, .clean_start = true };

        begin(2);

        struct transport *end  = world_connect(world, 0);
        struct iovec      from = { bytes, encode_connect(bytes, sizeof bytes, &packet) };

        press();
        EXPECT_EQ(end->ops->write(end, &from, 1), from.iov_len);
        for (unsigned i = 0; i < 110; i++)
                turn_first(world->settings.connect_timeout_ms / 100);
        EXPECT(!hears(end, "\x20"));
        unpress();
        EXPECT(hears(end, "\x20"));
        end_world(end, NULL);
}

TEST(one_that_is_held_back_and_choked_is_read_when_both_are_over)
{
        static char           much[65536];
        struct publish_packet packet = { .topic = STR("x"), .payload = STR("now") };
        struct publish_packet large  = { .topic = STR("b"), .payload = { much, sizeof much } };

        begin(2);
        world->settings.output_high_bytes = 4096;

        struct transport *a = connect_client(name_at_home('a'), 0);
        struct client    *c = first_client();
        struct transport *b = connect_client(name_at_home('b'), 0);

        subscribe(a, "b");
        press();
        say_unheard(a, &packet);
        turn_first(0);
        for (unsigned i = 0; i < 20; i++) {
                role_claim(world->broker.loops[0]);
                publish(world->broker.shards[0], message_new(&(struct message_fields){
                                                         .topic   = large.topic,
                                                         .payload = large.payload }));
                role_leave();
                turn_first(0);
        }
        EXPECT_EQ(c->watch.wants, POLL_WRITE | POLL_CLOSED);
        unpress();
        EXPECT_EQ(c->watch.wants, POLL_WRITE | POLL_CLOSED);
        EXPECT_EQ(world->broker.shards[0]->metrics.messages_received, 0);
        for (unsigned i = 0; i < 40; i++) {
                a->ops->read(a, got, sizeof got);
                EXPECT(world_run(world));
        }
        EXPECT_EQ(c->watch.wants, POLL_READ);
        EXPECT_EQ(world->broker.shards[0]->metrics.messages_received, 1);
        end_world(a, b);
}

TEST(a_failed_connection_that_is_held_back_is_handled_later)
{
        struct publish_packet packet = { .topic = STR("x"), .payload = STR("now") };

        begin(2);

        struct transport *a = connect_client(name_at_home('a'), 0);
        struct client    *c = first_client();
        struct transport *b = connect_client(name_at_home('b'), 0);

        subscribe(b, "#");
        press();
        say_unheard(a, &packet);
        turn_first(0);
        a->ops->free(a);
        poll_memory_set(&c->watch, c->watch.is | POLL_FAILED);
        EXPECT_EQ(turn_first(0), 1);
        turn_first(HELD_BACK_MS);
        EXPECT(!hears(b, "now"));
        unpress();
        EXPECT(hears(b, "now") && memmem(got, sizeof got, "gone", 4) != NULL);
        end_world(b, NULL);
}

TEST(one_that_is_held_back_may_be_sent_away)
{
        struct publish_packet packet = { .topic = STR("x"), .payload = STR("now") };

        begin(2);

        struct transport *a = connect_client(name_at_home('a'), 0);

        press();
        say_unheard(a, &packet);
        turn_first(0);
        role_claim(world->broker.loops[0]);
        client_drain(world->broker.clients[0], REASON_SERVER_SHUTTING_DOWN, 1000);
        role_leave();
        turn_first(0);
        EXPECT_EQ(a->ops->read(a, got, sizeof got), 0);
        a->ops->free(a);
        turn_first(0);
        EXPECT(list_empty(&((struct client_manager *)world->broker.clients[0])->held_back));
        world_free(world);
}

/* From here on the heap is beyond what it may hold, or again far from it. */
static void limit_memory(bool limited)
{
        world->settings.memory_limit         = limited ? 1 : 0;
        world->settings.memory_share_percent = 0;
}

TEST(at_the_memory_limit_messages_are_refused_and_come_back_later)
{
        struct connect_packet   hello   = { .version = MQTT_5, .clean_start = true,
                                            .client_id = STR("five") };
        struct publish_packet   publish = { .topic = STR("t"), .qos = 1, .packet_id = 7 };
        struct transport       *five, *late;

        begin(1);
        five = world_connect(world, 0);
        say(five, encode_connect(bytes, sizeof bytes, &hello));
        EXPECT(hears(five, "durability"));
        limit_memory(true);
        say(five, encode_publish(bytes, sizeof bytes, MQTT_5, &publish));
        EXPECT(hears(five, "\x40\x03") && got[4] == (char)REASON_QUOTA_EXCEEDED);
        EXPECT(first_client()->paused & PAUSED_BY_MEMORY);

        late            = world_connect(world, 0);
        hello.client_id = STR("late");
        say(late, encode_connect(bytes, sizeof bytes, &hello));
        EXPECT(hears(late, "beyond memory.limit"));
        late->ops->free(late);

        limit_memory(false);
        EXPECT(world_advance(world, 2000));
        say(five, encode_publish(bytes, sizeof bytes, MQTT_5, &publish));
        EXPECT(hears(five, "\x40\x03") && got[4] == (char)REASON_NO_MATCHING_SUBSCRIBERS);
        EXPECT_EQ(first_client()->paused, 0);
        end_world(five, NULL);
}

SUITE(client, CASE(a_failed_connection_whose_packet_waits_is_read_to_its_end),
      CASE(what_it_sent_before_it_hung_up_is_read_to_its_end),
      CASE(a_failed_connection_without_an_end_is_lost),
      CASE(while_a_shard_is_behind_nobody_is_read_and_no_loop_spins),
      CASE(a_connect_that_was_held_back_is_not_late),
      CASE(one_that_is_held_back_and_choked_is_read_when_both_are_over),
      CASE(a_failed_connection_that_is_held_back_is_handled_later),
      CASE(one_that_is_held_back_may_be_sent_away),
      CASE(at_the_memory_limit_messages_are_refused_and_come_back_later))
