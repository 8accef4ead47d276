/* A whole client over WebSocket, from its request to its close. */
#include "client/client_internal.h"

#include "harness/websocket.h"
#include "harness/world.h"
#include "mqtt/encode.h"

static struct world *world;
static char          packet[1024];

/* The test's end is `peer`; the other one is a client of shard 0. */
static void begin_client(unsigned shards)
{
        struct settings settings;

        settings_init(&settings);
        settings.max_packet_size = sizeof packet;
        world = world_new(&(struct world_plan){ .shards = shards, .settings = &settings });
        EXPECT(world != NULL);
        begin(PIPE_BYTES);
        EXPECT(address_parse(STR("127.0.0.1:40000"), &ws->below->peer));
        role_claim(world->broker.loops[0]);
        client_accept(world->broker.clients[0], ws, &world->listener);
        role_leave();
}

static void end_client(void)
{
        peer->ops->free(peer);
        world_free(world);
}

static uint32_t clients(void)
{
        uint32_t count = 0;

        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                role_claim(world->broker.loops[i]);
                count += client_count(world->broker.clients[i]);
                role_leave();
        }
        return count;
}

static void say_all(void)
{
        put_wire();
        EXPECT(world_run(world));
}

static size_t connect_as(const char *name)
{
        struct connect_packet connect = { .version     = MQTT_3_1_1,
                                          .clean_start = true,
                                          .client_id   = str_of(name) };

        return encode_connect(packet, sizeof packet, &connect);
}

static size_t publish_to(const char *topic)
{
        struct publish_packet publish = { .topic = str_of(topic), .payload = STR("x") };

        return encode_publish(packet, sizeof packet, MQTT_3_1_1, &publish);
}

static void add_packet(size_t size)
{
        add_frame(FIN | WEBSOCKET_BINARY, str_from(packet, size));
}

static void add_subscribe(const char *filter)
{
        struct subscribe_item    item    = { .filter = str_of(filter) };
        struct properties        none    = { .present = 0 };
        struct subscribe_request request_of = { 1, 1, &item, &none };

        add_packet(encode_subscribe(packet, sizeof packet, MQTT_3_1_1, &request_of));
}

/* The client is upgraded and connected, and that was heard. */
static void connected(unsigned shards)
{
        begin_client(shards);
        add(STR(request));
        say_all();
        EXPECT(str_starts(heard(), STR("HTTP/1.1 101 ")));
        add_packet(connect_as("a"));
        say_all();
        expect_frame(WEBSOCKET_BINARY, STR("\x20\x02\0\0"));
}

/* [MQTT-6.0.0-2] */
TEST(all_may_come_at_once_and_packets_in_pieces)
{
        for (unsigned shards = 1; shards <= 4; shards *= 2) {
                size_t size;

                begin_client(shards);
                add(STR(request));
                size = connect_as("somebody");          /* at home elsewhere, for some `shards` */
                add_frame(WEBSOCKET_BINARY, str_from(packet, 5));
                add_frame(FIN | WEBSOCKET_PING, STR("?"));
                add_frame(FIN | WEBSOCKET_CONTINUATION, str_from(packet + 5, size - 5));
                add_subscribe("t");
                add_packet(publish_to("t"));
                say_all();

                struct str all = heard();

                EXPECT(str_starts(all, STR("HTTP/1.1 101 ")));
                EXPECT(memmem(all.ptr, all.len, "\x8a\x01?", 3) != NULL);
                EXPECT(memmem(all.ptr, all.len, "\x20\x02\0\0", 4) != NULL);
                EXPECT(memmem(all.ptr, all.len, "\x90\x03\0\1\0", 5) != NULL);
                EXPECT(memmem(all.ptr, all.len, "\x30\x04\0\1tx", 6) != NULL);
                end_client();
        }
}

TEST(what_a_turn_writes_is_one_frame)
{
        connected(1);
        add_subscribe("t");
        say_all();
        heard();
        add_packet(publish_to("t"));
        add_packet(publish_to("t"));
        say_all();
        expect_frame(WEBSOCKET_BINARY, STR("\x30\x04\0\1tx\x30\x04\0\1tx"));
        end_client();
}

/* Its close lies behind DISCONNECT, and no descriptor tells of it. */
TEST(who_says_goodbye_is_answered_and_gone)
{
        struct disconnect_packet disconnect = { .reason = REASON_SUCCESS };

        connected(1);
        add_packet(encode_disconnect(packet, sizeof packet, MQTT_3_1_1, &disconnect));
        add_frame(FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
        say_all();
        expect_close(1000, "");
        EXPECT(is_over());
        EXPECT_EQ(clients(), 0);
        end_client();
}

TEST(who_closes_without_disconnect_is_answered_too)
{
        connected(1);
        add_frame(FIN | WEBSOCKET_CLOSE, STR("\x03\xe9"));
        say_all();
        expect_close(1001, "");
        EXPECT(is_over());
        EXPECT_EQ(clients(), 0);
        end_client();
}

TEST(the_end_has_a_code_and_words)
{
        connected(1);
        role_claim(world->broker.loops[0]);
        client_drain(world->broker.clients[0], REASON_SERVER_SHUTTING_DOWN, 1000);
        role_leave();
        EXPECT(world_run(world));
        expect_close(1001, "Server shutting down");
        EXPECT_EQ(clients(), 1);                        /* its answer is awaited */
        add_frame(FIN | WEBSOCKET_CLOSE, STR("\x03\xe9"));
        say_all();
        EXPECT_EQ(clients(), 0);
        end_client();

        connected(1);
        add_frame(FIN | WEBSOCKET_BINARY, STR("\x30\xff\xff\x03"));
        say_all();
        expect_close(1009, "beyond mqtt.max_packet_size");
        EXPECT(world_advance(world, CLIENT_LINGER_MS));
        EXPECT_EQ(clients(), 0);                        /* but not for ever */
        end_client();
}

TEST(who_is_refused_is_answered_and_let_go)
{
        begin_client(1);
        add(STR("GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n"));
        add_packet(connect_as("a"));
        say_all();
        EXPECT(str_starts(heard(), STR("HTTP/1.1 404 ")));
        EXPECT(is_over());
        EXPECT(world_advance(world, CLIENT_LINGER_MS));
        EXPECT_EQ(clients(), 0);
        end_client();
}

TEST(who_does_not_end_the_request_is_let_go)
{
        begin_client(1);
        for (unsigned i = 0; i < 100 && clients() > 0; i++) {
                put(str_from(request + i, 1));          /* one byte a second */
                EXPECT(world_advance(world, 1000));
        }
        EXPECT_EQ(clients(), 0);
        EXPECT(is_over());
        end_client();
}

SUITE(client_websocket, CASE(all_may_come_at_once_and_packets_in_pieces),
      CASE(what_a_turn_writes_is_one_frame), CASE(who_says_goodbye_is_answered_and_gone),
      CASE(who_closes_without_disconnect_is_answered_too), CASE(the_end_has_a_code_and_words),
      CASE(who_is_refused_is_answered_and_let_go), CASE(who_does_not_end_the_request_is_let_go))
