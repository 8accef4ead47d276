#include "base/memory.h"
#include "harness/world.h"
#include "mqtt/decode.h"
#include "unit.h"

enum { BATCH = 500, MESSAGES = 140 * BATCH, STAYS_LATE = 40000 };

/* A subscriber that acknowledges everything but two messages. */
struct subscriber {
        struct transport *end;
        unsigned          got;
        bool              in_flight[UINT16_MAX + 1];
};

static void say(struct transport *end, const void *bytes, size_t size)
{
        struct iovec part = { (void *)(uintptr_t)bytes, size };

        EXPECT_EQ(end->ops->write(end, &part, 1), size);
}

static size_t hear(struct world *world, struct transport *end, char *to, size_t size)
{
        EXPECT(world_run(world), "the loops rest");

        ssize_t got = end->ops->read(end, to, size);

        return got > 0 ? (size_t)got : 0;
}

static void take(struct subscriber *s, const struct publish_packet *publish)
{
        unsigned char ack[] = { 0x40, 2, (unsigned char)(publish->packet_id >> 8),
                                (unsigned char)publish->packet_id };

        EXPECT(publish->packet_id != 0 && !publish->dup);
        EXPECT(!s->in_flight[publish->packet_id], "id %u is in use", publish->packet_id);
        s->in_flight[publish->packet_id] = s->got == 0 || s->got == STAYS_LATE;
        s->got++;
        if (!s->in_flight[publish->packet_id])
                say(s->end, ack, sizeof ack);
}

/* All that has come; false when that is nothing. */
static bool take_all(struct world *world, struct subscriber *s)
{
        char                bytes[65536];
        struct str          rest = str_from(bytes, hear(world, s->end, bytes, sizeof bytes));
        bool                any  = rest.len > 0;
        struct frame        frame;
        struct packet       packet;
        struct decode_error error;

        for (; rest.len > 0; rest = str_skip(rest, frame.header_size + frame.body_size)) {
                EXPECT(frame_peek(rest, &frame) == FRAME_WHOLE);
                EXPECT(decode(&frame, str_from(rest.ptr + frame.header_size, frame.body_size),
                              MQTT_3_1_1, &packet, &error));
                if (packet.type == PACKET_PUBLISH)
                        take(s, &packet.publish);
        }
        return any;
}

/* More messages than there are ids, two of which stay in flight: theirs are passed over
 * [MQTT3-2.3.1-4] [MQTT5-2.2.1-4] [MQTT5-4.3.2-1]. */
TEST(packet_ids_wrap_around_those_that_stay)
{
        static const unsigned char subscriber[] = "\x10\x0d\0\4MQTT\4\2\0\0\0\1s"
                                                  "\x82\6\0\1\0\1t\1";
        static const unsigned char publisher[]  = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p";
        static const unsigned char publish[]    = "\x32\5\0\1t\0\1";
        static struct subscriber   s;
        static char                acks[65536];
        struct settings            settings;

        settings_init(&settings);

        struct world     *world = world_new(
                &(struct world_plan){ .shards = 1, .settings = &settings });
        struct transport *p     = world_connect(world, -1);

        s.end = world_connect(world, -1);
        say(s.end, subscriber, sizeof subscriber - 1);
        say(p, publisher, sizeof publisher - 1);
        while (s.got < MESSAGES) {
                unsigned before = s.got;

                for (unsigned i = 0; i < BATCH; i++)
                        say(p, publish, sizeof publish - 1);
                while (take_all(world, &s))
                        hear(world, p, acks, sizeof acks);
                EXPECT_EQ(s.got, before + BATCH);
        }
        p->ops->free(p);
        s.end->ops->free(s.end);
        world_free(world);
}

/* Whichever allocation fails, a client is answered or closed, not left to wait [MQTT3-4.8.0-2]. */
TEST(without_memory_a_packet_ends_its_connection)
{
        static const unsigned char connect[] = "\x10\x0d\0\4MQTT\4\2\0\0\0\1p";
        static const unsigned char publish[] = "\x34\5\0\1t\0\1";
        static char                bytes[256];
        struct settings            settings;
        unsigned                   closed = 0;
        bool                       failed = true;

        settings_init(&settings);

        struct world *world = world_new(
                &(struct world_plan){ .shards = 1, .settings = &settings });

        for (int64_t allowed = 0; failed; allowed++) {
                uint64_t          before = mem_failures();
                struct transport *p      = world_connect(world, -1);

                say(p, connect, sizeof connect - 1);
                EXPECT_EQ(hear(world, p, bytes, sizeof bytes), 4);
                say(p, publish, sizeof publish - 1);
                mem_fail_after(allowed);
                EXPECT(world_run(world), "the loops rest");
                mem_fail_after(-1);
                failed = mem_failures() > before;

                ssize_t got = p->ops->read(p, bytes, sizeof bytes);

                EXPECT(got == 4 || got == 0, "allocation %d: PUBREC or the end", (int)allowed);
                closed += got == 0;
                p->ops->free(p);
                world_run(world);
        }
        EXPECT(closed > 0);
        world_free(world);
}

SUITE(protocol, CASE(packet_ids_wrap_around_those_that_stay),
      CASE(without_memory_a_packet_ends_its_connection))
