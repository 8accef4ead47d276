/* A client on a transport that is stacked: one that keeps bytes of which no descriptor tells. */
#include "client/client_internal.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "harness/authenticator.h"
#include "harness/world.h"
#include "mqtt/encode.h"
#include "unit.h"

/* Swallows all that comes and gives it out byte by byte; not before it was called for a watch that
 * wants POLL_WRITE, if it is shy. Takes no '!', and says to the peer why it ends. */
struct sip {
        struct transport transport;
        struct buffer    kept;
        bool             shy;
        bool             broken;
        unsigned         reads;
        const char      *proven;        /* who it is; NULL: nobody knows */
};

static struct sip *sip_of(struct transport *t)
{
        return (struct sip *)(void *)t;
}

static ssize_t sip_read(struct transport *t, void *to, size_t size)
{
        struct sip *sip = sip_of(t);
        char        from[4096];
        ssize_t     count = t->below->ops->read(t->below, from, sizeof from);

        sip->reads++;
        if (sip->broken)
                return count > 0 ? -EAGAIN : count;
        if (count > 0)
                EXPECT(buffer_append(&sip->kept, str_from(from, (size_t)count)));
        if (sip->shy && t->wants == 0) {
                t->wants = POLL_WRITE;
                return -EAGAIN;
        }
        t->wants = 0;
        if (buffer_len(&sip->kept) == 0)
                return count;
        EXPECT(size > 0);
        *(char *)to = buffer_str(&sip->kept).ptr[0];
        if (*(char *)to == '!') {
                sip->broken = true;
                t->pending  = false;
                t->why      = "it said !";
                return -EPROTO;
        }
        buffer_consume(&sip->kept, 1);
        t->pending = buffer_len(&sip->kept) > 0;
        return 1;
}

static ssize_t sip_write(struct transport *t, const struct iovec *from, int count)
{
        return t->below->ops->write(t->below, from, count);
}

static bool sip_attach(struct transport *t, struct poll *poll, struct watch *watch, unsigned wants)
{
        return t->below->ops->attach(t->below, poll, watch, wants);
}

static void sip_detach(struct transport *t, struct watch *watch)
{
        t->below->ops->detach(t->below, watch);
}

static void sip_shut(struct transport *t)
{
        char         text[128];
        struct iovec from = { text, (size_t)snprintf(text, sizeof text, "%u %s;",
                                                     (unsigned)t->farewell, t->why) };

        EXPECT_EQ(t->below->ops->write(t->below, &from, 1), from.iov_len);
        t->below->ops->shut(t->below);
}

static size_t sip_identity(struct transport *t, enum transport_name name,
                           char to[static TRANSPORT_TEXT_SIZE])
{
        const char *proven = sip_of(t)->proven;

        (void)name;
        return proven == NULL ? 0 : (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "%s", proven);
}

static void sip_free(struct transport *t)
{
        buffer_deinit(&sip_of(t)->kept);
        t->below->ops->free(t->below);
        mem_free(t);
}

static const struct transport_ops sip_ops = {
        .name   = "sip",
        .read   = sip_read,
        .write  = sip_write,
        .attach = sip_attach,
        .detach = sip_detach,
        .shut   = sip_shut,
        .free   = sip_free,
        .identity = sip_identity,
};

static struct authenticator authenticator = { .parts = AUTHENTICATOR_TOPICS };
static struct world        *world;
static struct sip          *sip;
static char                 bytes[4096], got[4096];

/* The test's end of a connection to shard 0. */
static struct transport *begin(bool shy)
{
        struct settings   settings;
        struct transport *ends[2];

        settings_init(&settings);
        world = world_new(&(struct world_plan){ .shards = 2,
                                                .settings = &settings,
                                                .prepare = authenticator_add,
                                                .context = &authenticator });
        sip = mem_zalloc(sizeof *sip);
        EXPECT(world != NULL && sip != NULL && memory_transport_pair(sizeof got, ends));
        EXPECT(address_parse(STR("127.0.0.1:40000"), &ends[1]->peer));
        sip->transport =
                (struct transport){ .ops = &sip_ops, .below = ends[1], .peer = ends[1]->peer };
        sip->shy = shy;
        role_claim(world->broker.loops[0]);
        client_accept(world->broker.clients[0], &sip->transport, &world->listener);
        role_leave();
        return ends[0];
}

static size_t put_connect(size_t at, struct str client_id)
{
        struct connect_packet packet = { .version = MQTT_3_1_1,
                                         .clean_start = true,
                                         .client_id = client_id };

        return at + encode_connect(bytes + at, sizeof bytes - at, &packet);
}

static size_t put_publish(size_t at, const char *topic)
{
        struct publish_packet packet = { .topic = str_of(topic), .payload = STR("x") };

        return at + encode_publish(bytes + at, sizeof bytes - at, MQTT_3_1_1, &packet);
}

static void say(struct transport *end, size_t size)
{
        struct iovec from = { bytes, size };

        EXPECT_EQ(end->ops->write(end, &from, 1), size);
        EXPECT(world_run(world));
}

static uint64_t received(unsigned shard)
{
        return world->broker.shards[shard]->metrics.messages_received;
}

static void finish(struct transport *end)
{
        end->ops->free(end);
        world_free(world);
}

TEST(what_a_layer_keeps_is_read_though_no_descriptor_tells)
{
        struct transport *end = begin(false);

        say(end, put_publish(put_publish(put_connect(0, STR("")), "a"), "b"));
        EXPECT_EQ(received(0), 2);
        finish(end);
}

TEST(what_a_layer_keeps_moves_along_to_the_home_shard)
{
        struct transport *end = begin(false);
        char              id[2] = "a";

        while (broker_home(&world->broker, str_of(id)) != 1)
                id[0]++;
        say(end, put_publish(put_connect(0, str_of(id)), "a"));
        EXPECT_EQ(received(1), 1);
        EXPECT(end->ops->read(end, got, sizeof got) > 0 && memcmp(got, "\x20\x02", 2) == 0);
        finish(end);
}

/* Whether there is a session of that name, anywhere. */
static bool is_known(const char *client_id)
{
        struct str id   = str_of(client_id);
        unsigned   home = broker_home(&world->broker, id);
        bool       known;

        role_claim(world->broker.loops[home]);
        known = session_find(world->broker.shards[home], id) != NULL;
        role_leave();
        return known;
}

TEST(who_a_connection_proves_to_be_is_no_other)
{
        static const struct row {
                const char *proven;
                bool        good;
        } rows[] = { { "robot", true }, { NULL, false }, { "rob\xffot", false } };
        const struct row *row;

        EACH(rows, row) {
                struct transport *end = begin(false);

                sip->proven                           = row->proven;
                world->listener.identity_as_client_id = true;
                say(end, put_connect(0, STR("claimed")));
                EXPECT(!is_known("claimed"));
                if (row->proven != NULL)
                        EXPECT_EQ(is_known(row->proven), row->good);
                finish(end);
        }
}

TEST(what_a_layer_keeps_waits_for_an_answer_without_a_spinning_loop)
{
        struct transport *end = begin(false);

        say(end, put_publish(put_publish(put_connect(0, STR("")), "slow/a"), "b"));
        EXPECT_EQ(received(0), 0);

        unsigned reads = sip->reads;

        EXPECT(world_run(world));
        EXPECT_EQ(sip->reads, reads);
        EXPECT(world_advance(world, AUTHENTICATOR_DELAY_MS + WORLD_STEP_MS));
        EXPECT_EQ(received(0), 2);
        finish(end);
}

TEST(a_layer_that_waits_for_room_is_called_when_there_is_some)
{
        struct transport *end = begin(true);
        struct client    *c = NULL;

        say(end, put_connect(0, STR("")));
        c = list_entry(((struct client_manager *)world->broker.clients[0])->clients.next,
                       struct client, in_manager);
        EXPECT(end->ops->read(end, got, sizeof got) > 0 && memcmp(got, "\x20\x02", 2) == 0);
        EXPECT_EQ(c->watch.wants, sip->transport.wants | POLL_READ);
        finish(end);
}

/* What the peer was told, and that it is the end. */
static void expect_farewell(struct transport *end, enum farewell farewell, const char *why)
{
        char    want[128];
        size_t  len = (size_t)snprintf(want, sizeof want, "%u %s;", (unsigned)farewell, why);
        ssize_t count = end->ops->read(end, got, sizeof got);

        EXPECT(count >= (ssize_t)len && memcmp(got + count - len, want, len) == 0, "%.*s",
               (int)count, got);
        EXPECT_EQ(end->ops->read(end, got, sizeof got), 0);
}

TEST(a_layer_that_is_misspoken_to_tells_the_peer_why)
{
        static const size_t befores[] = { 0, 1 };
        const size_t       *connected;

        EACH(befores, connected) {
                struct transport *end = begin(false);
                size_t            size = *connected ? put_connect(0, STR("")) : 0;

                bytes[size++] = '!';
                say(end, size);
                expect_farewell(end, FAREWELL_PROTOCOL, "it said !");
                say(end, size); /* thrown away, and no reset */
                EXPECT_EQ(client_count(world->broker.clients[0]) +
                                  client_count(world->broker.clients[1]),
                          1);
                finish(end);
        }
}

TEST(a_client_that_ends_has_its_layer_say_why)
{
        struct transport *end = begin(false);
        size_t            size = put_connect(0, STR(""));

        size = put_connect(size, STR(""));
        say(end, size);
        expect_farewell(end, FAREWELL_PROTOCOL, "not to be sent now");
        finish(end);
        end = begin(false);
        size = put_connect(0, STR(""));
        size += encode_disconnect(bytes + size, sizeof bytes - size, MQTT_3_1_1,
                                  &(struct disconnect_packet){ .reason = REASON_SUCCESS });
        say(end, size);
        expect_farewell(end, FAREWELL_NORMAL, "disconnected by the client");
        finish(end);
        end = begin(false);
        say(end, put_connect(0, STR("")));
        for (unsigned i = 0; i < 2; i++) {
                role_claim(world->broker.loops[i]);
                client_drain(world->broker.clients[i], REASON_SERVER_SHUTTING_DOWN, 1);
                role_leave();
        }
        EXPECT(world_run(world));
        expect_farewell(end, FAREWELL_LEAVING, "Server shutting down");
        finish(end);
}

SUITE(client_layer, CASE(what_a_layer_keeps_is_read_though_no_descriptor_tells),
      CASE(what_a_layer_keeps_moves_along_to_the_home_shard),
      CASE(who_a_connection_proves_to_be_is_no_other),
      CASE(what_a_layer_keeps_waits_for_an_answer_without_a_spinning_loop),
      CASE(a_layer_that_waits_for_room_is_called_when_there_is_some),
      CASE(a_layer_that_is_misspoken_to_tells_the_peer_why),
      CASE(a_client_that_ends_has_its_layer_say_why))
