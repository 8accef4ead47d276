/* What a client gets. */
#include <string.h>

#include "base/memory.h"
#include "mqtt/decode.h"
#include "sim.h"

static bool queue_ack(struct sim *sim, struct sim_client *client, enum packet_type type,
                      uint16_t id)
{
        if (client->ack_count == ACKS_MAX)
                return sim_fail(sim, "%s: too much to acknowledge", client->name);
        client->acks[client->ack_count++] = (struct queued_ack){ type, id };
        return true;
}

/* The connection before must be closed by the broker once the next one is accepted. */
static bool taken_over(struct sim *sim, struct sim_client *client)
{
        static char       bytes[65536];
        struct transport *old   = TAKE(client->old);
        ssize_t           count = 0;

        while (old != NULL && (count = old->ops->read(old, bytes, sizeof bytes)) > 0)
                continue;
        if (old != NULL)
                old->ops->free(old);
        return count == 0 || sim_fail(sim, "%s: two connections", client->name);
}

/* What was not acknowledged is sent again when this packet has been done with. */
static bool on_connack(struct sim *sim, struct sim_client *client, const struct connack_packet *in)
{
        if (client->connacked)
                return sim_fail(sim, "%s: welcome twice", client->name);
        if (in->reason != REASON_SUCCESS)       /* check_turned_away() says whether it may be */
                return true;
        client->connacked = true;
        client->present   = in->session_present;
        client->resending = true;
        if (!taken_over(sim, client) || !check_connected(sim, client))
                return false;
        if (!in->session_present) {
                check_new_session(sim, client);
        } else if (client->link->before->undone &&
                   (!client->record.safe || client->link->before->finite)) {
                /* The one that a crash brought back, or the one before: nobody can say. */
                check_new_session(sim, client);
                client->record.vague = true;
        }
        if (!client->link->refusable)           /* a store that fails is not waited for */
                check_welcome(sim, client);
        return true;
}

/* The exchange has ended, as it does under a full disk, or where it may not write. */
static void on_refused(const struct sim *sim, struct message_sent *sent)
{
        if (!sent->closed) {
                sent->closed_settle = sim->settles;
                sent->law.to        = sim->law;
        }
        sent->closed = true;
}

static void forget_out(struct sim_client *client, unsigned i)
{
        client->out_count--;
        memmove(client->out + i, client->out + i + 1,
                (client->out_count - i) * sizeof client->out[0]);
}

/* Who speaks 5.0 is told when it was not. */
static bool was_published(const struct sim *sim, const struct sim_client *client,
                          const struct message_sent *sent)
{
        return (client->version == MQTT_5 && !sent->resent) || check_surely(sim, sent);
}

/* PUBACK, PUBREC or PUBCOMP of one of the client's own. */
static bool on_ack(struct sim *sim, struct sim_client *client, const struct packet *packet)
{
        struct message_sent *sent;
        unsigned             i = 0;

        while (i < client->out_count && client->out[i].id != packet->ack.packet_id)
                i++;
        if (i == client->out_count)
                return sim_fail(sim, "%s: %s for nothing", client->name, packet_name(packet->type));
        sent = &sim->messages[client->out[i].message];
        if (packet->type != PACKET_PUBCOMP &&
            !check_answer(sim, client, client->out[i].message, packet->ack.reason))
                return false;
        if (packet->ack.reason >= 0x80 && packet->type != PACKET_PUBCOMP) {
                forget_out(client, i);
                on_refused(sim, sent);
                return true;
        }
        if (!sent->done) {
                sent->latest_ms     = client->at_ms;
                sent->closed_settle = sim->settles;
                /* The session that came back may know the packet id from before. */
                sent->done   = (sent->qos < 2 || !client->record.vague) &&
                               was_published(sim, client, sent);
                sent->closed = true;
                sent->law.to = sim->law;
        }
        if (packet->type == PACKET_PUBREC) {
                client->out[i].released = true;
                return queue_ack(sim, client, PACKET_PUBREL, packet->ack.packet_id);
        }
        if (packet->type == PACKET_PUBCOMP)
                check_safe(sim, client);        /* it waits for all that went before */
        forget_out(client, i);
        return true;
}

static bool on_suback(struct sim *sim, struct sim_client *client, const struct suback_packet *in)
{
        for (unsigned f = 0; f < FILTERS; f++) {
                const struct subscribed *state = &client->record.filters[f];

                if (state->asked_id != in->packet_id)
                        continue;
                if (in->reasons.len != 1)
                        return sim_fail(sim, "%s: SUBACK of %zu", client->name, in->reasons.len);
                if (!check_grant(sim, client, f, (enum reason)(uint8_t)in->reasons.ptr[0]))
                        return false;
        }
        check_safe(sim, client);
        return true;
}

/* From here on nothing new comes by that subscription. */
static void on_unsuback(struct sim *sim, struct sim_client *client, uint16_t id)
{
        for (unsigned f = 0; f < FILTERS; f++) {
                struct subscribed *state = &client->record.filters[f];

                if (state->gone_id != id)
                        continue;
                state->gone_id   = 0;
                state->none_from = sim->message_count;
        }
        check_safe(sim, client);
}

static bool on_publish(struct sim *sim, struct sim_client *client, const struct publish_packet *in)
{
        if (!check_publish(sim, client, in))
                return false;
        if (in->qos == 0)
                return true;
        return queue_ack(sim, client, in->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, in->packet_id);
}

/* PINGRESP, or DISCONNECT because it was silent: whether it was, check_hung_up() says. */
static bool on_other(struct sim *sim, struct sim_client *client, const struct packet *packet)
{
        if (packet->type == PACKET_PINGRESP && client->pings > 0) {
                client->pings--;
                return true;
        }
        if (packet->type == PACKET_DISCONNECT &&
            (packet->disconnect.reason == REASON_KEEP_ALIVE_TIMEOUT ||
             (packet->disconnect.reason == REASON_NOT_AUTHORIZED && client->link->revoked) ||
             (packet->disconnect.reason == REASON_QUOTA_EXCEEDED && client->link->refusable)))
                return true;
        return packet->type == PACKET_UNSUBACK ||
               sim_fail(sim, "%s: got %s", client->name, packet_name(packet->type));
}

static bool on_packet(struct sim *sim, struct sim_client *client, const struct packet *packet)
{
        uint16_t id = packet->ack.packet_id;

        if (packet->type == PACKET_CONNACK)
                return on_connack(sim, client, &packet->connack);
        if (packet->type == PACKET_PUBLISH)
                return on_publish(sim, client, &packet->publish);
        if (packet->type == PACKET_PUBACK || packet->type == PACKET_PUBREC ||
            packet->type == PACKET_PUBCOMP)
                return on_ack(sim, client, packet);
        if (packet->type == PACKET_PUBREL) {
                client->record.held[id] = 0;
                return queue_ack(sim, client, PACKET_PUBCOMP, id);
        }
        if (packet->type == PACKET_SUBACK)
                return on_suback(sim, client, &packet->suback);
        if (packet->type == PACKET_UNSUBACK)
                on_unsuback(sim, client, packet->suback.packet_id);
        return on_other(sim, client, packet);
}

static bool read_one(struct sim *sim, struct sim_client *client, struct str bytes)
{
        struct frame        frame;
        struct packet       packet;
        struct decode_error error;

        frame_peek(bytes, &frame);
        if (!decode(&frame, str_skip(bytes, frame.header_size), client->version, &packet, &error))
                return sim_fail(sim, "%s: undecodable: %s", client->name, error.what);
        if (!client->connacked && packet.type != PACKET_CONNACK)
                return sim_fail(sim, "%s: %s before CONNACK", client->name,
                                packet_name(packet.type));
        if (!on_packet(sim, client, &packet))
                return false;
        wire_consume(client, bytes.len);
        if (!client->resending)
                return true;
        client->resending = false;
        return client_resend(sim, client);
}

/* All that is there; then the end, if the broker has closed. */
bool client_read(struct sim *sim, struct sim_client *client, unsigned *moved)
{
        struct str packet;

        if (!wire_arrive(sim, client))
                return false;
        while (wire_next(client, &packet)) {
                if (!read_one(sim, client, packet))
                        return false;
                ++*moved;
        }
        if (client->closed)
                client_cut(sim, client);
        return true;
}
