/* A client's end of its connection, and when what lies on it arrived. */
#include "mqtt/decode.h"
#include "sim.h"

/* Bytes up to `end`, counted from the connection's first, arrived at `ms`. */
struct arrival {
        uint64_t        end, ms;
        struct law_span law;    /* it was sent by one of these */
};

/* Takes what the broker has written from the wire, for the client to read one day. */
bool wire_arrive(struct sim *sim, struct sim_client *client)
{
        static char    bytes[65536];
        struct arrival now   = { client->arrived, sim_now(sim), { sim->law_settled, sim->law } };
        ssize_t        count = 0;

        if (client->end == NULL || client->closed)
                return true;
        while ((count = client->end->ops->read(client->end, bytes, sizeof bytes)) > 0) {
                struct str part = str_from(bytes, (size_t)count);

                sim_trace(sim, client->index, part);
                if (!buffer_append(&client->unread, part))
                        return sim_fail(sim, "no memory");
                now.end += part.len;
        }
        if (now.end > client->arrived &&
            !buffer_append(&client->arrivals, str_from(&now, sizeof now)))
                return sim_fail(sim, "no memory");
        client->arrived = now.end;
        if (count != 0)
                return true;
        client->closed = true;
        return check_hung_up(sim, client);
}

/* Sometimes in pieces, the broker turning between them. What is written to a connection that the
 * broker has closed meanwhile goes nowhere. */
bool wire_write(struct sim *sim, struct sim_client *client, const char *bytes, size_t size)
{
        bool split = sim_chance(sim, sim->mix.half_percent);

        while (size > 0) {
                size_t       count = split ? 1 + random_below(&sim->random, (uint32_t)size) : size;
                struct iovec part  = { (void *)(uintptr_t)bytes, count };
                ssize_t      done;

                if (!wire_arrive(sim, client))
                        return false;
                if (client->closed)
                        return true;
                done = client->end->ops->write(client->end, &part, 1);
                if (done <= 0)
                        return sim_fail(sim, "%s: the broker takes nothing", client->name);
                if (client->link != NULL) {
                        client->link->written_ms = sim_now(sim);
                        client->link->heard_ms   = NEVER;
                }
                sim_trace(sim, client->index, str_from(bytes, (size_t)done));
                bytes += done;
                size -= (size_t)done;
                if (size > 0 && !sim_turns(sim, random_below(&sim->random, 4)))
                        return false;
        }
        return true;
}

bool wire_next(struct sim_client *client, struct str *packet)
{
        struct frame frame;

        *packet = buffer_str(&client->unread);
        if (frame_peek(*packet, &frame) != FRAME_WHOLE)
                return false;
        packet->len = frame.header_size + frame.body_size;
        for (struct str left = buffer_str(&client->arrivals); left.len > 0;
             left            = str_skip(left, sizeof(struct arrival))) {
                struct arrival arrival;

                memcpy(&arrival, left.ptr, sizeof arrival);
                client->at_ms  = arrival.ms;
                client->at_law = arrival.law;
                if (arrival.end >= client->consumed + packet->len)
                        break;
        }
        return true;
}

void wire_consume(struct sim_client *client, size_t size)
{
        struct arrival first;

        buffer_consume(&client->unread, size);
        client->consumed += size;
        while (buffer_len(&client->arrivals) > 0) {
                memcpy(&first, buffer_str(&client->arrivals).ptr, sizeof first);
                if (first.end > client->consumed)
                        break;
                buffer_consume(&client->arrivals, sizeof first);
        }
}

void wire_reset(struct sim_client *client)
{
        if (client->end != NULL)
                client->end->ops->free(client->end);
        client->end      = NULL;
        client->closed   = false;
        client->arrived  = 0;
        client->consumed = 0;
        buffer_deinit(&client->unread);
        buffer_deinit(&client->arrivals);
}
