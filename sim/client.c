#include <stdio.h>
#include <string.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "sim.h"

enum { PACKET_BYTES = 1024 };

void client_cut(struct sim_client *client)
{
        if (client->end != NULL)
                client->end->ops->free(client->end);
        client->end       = NULL;
        client->closed    = false;
        client->ack_count = 0;
        for (unsigned f = 0; f < FILTERS; f++)
                client->record.filters[f].asked_id = 0;
        buffer_deinit(&client->unread);
}

/* In pieces, the broker sometimes turning between them. */
static bool client_write(struct sim *sim, struct sim_client *client, const char *bytes, size_t size)
{
        bool split = random_below(&sim->random, 4) == 0;

        while (size > 0) {
                size_t       count = split ? 1 + random_below(&sim->random, (uint32_t)size) : size;
                struct iovec part  = { (void *)(uintptr_t)bytes, count };
                ssize_t      done  = client->end->ops->write(client->end, &part, 1);

                if (done <= 0)
                        return sim_fail(sim, "%s: the broker closed, or took nothing",
                                        client->name);
                bytes += done;
                size -= (size_t)done;
                if (random_below(&sim->random, 2) == 0 && !sim_run(sim))
                        return false;
        }
        return true;
}

static uint16_t next_id(struct sim_client *client)
{
        client->last_id = (uint16_t)(client->last_id % 65535 + 1);
        return client->last_id;
}

static bool send_ack(struct sim *sim, struct sim_client *client, enum packet_type type, uint16_t id)
{
        char              bytes[PACKET_BYTES];
        struct ack_packet ack = { .packet_id = id };

        if (type == PACKET_PUBACK)
                client->record.held[id] = 0;
        return client_write(sim, client, bytes,
                            encode_ack(bytes, sizeof bytes, client->version, type, &ack));
}

static bool send_publish(struct sim *sim, struct sim_client *client, const struct outgoing *out,
                         bool dup, bool half)
{
        struct message_sent  *sent = &sim->messages[out->message];
        char                       bytes[PACKET_BYTES], payload[64];
        struct publish_packet      publish = {
                .dup       = dup,
                .qos       = sent->qos,
                .packet_id = out->id,
                .topic     = str_of(sim_topics[sent->topic]),
        };
        size_t size;

        sent->resent |= dup;
        snprintf(payload, sizeof payload, "%u %u %u %u", sent->publisher, sent->seq, sent->qos,
                 out->message);
        publish.payload = str_of(payload);
        size = encode_publish(bytes, sizeof bytes, client->version, &publish);
        return client_write(sim, client, bytes, half ? size / 2 : size);
}

bool client_publish(struct sim *sim, struct sim_client *client, bool half)
{
        struct outgoing      out = { .message = sim->message_count };
        struct message_sent *sent;

        if (sim->message_count == MESSAGES_MAX || client->out_count == OUT_MAX)
                return true;
        sent  = &sim->messages[sim->message_count++];
        *sent = (struct message_sent){
                .publisher = client->index,
                .seq       = ++client->seq,
                .topic     = random_below(&sim->random, TOPICS),
                .qos       = (uint8_t)random_below(&sim->random, 3),
        };
        check_published(sim, out.message);
        if (sent->qos > 0) {
                out.id                           = next_id(client);
                client->out[client->out_count++] = out;
        }
        return send_publish(sim, client, &out, false, half);
}

bool client_subscribe(struct sim *sim, struct sim_client *client, bool away)
{
        char                  bytes[PACKET_BYTES];
        unsigned              filter = random_below(&sim->random, FILTERS);
        struct subscribed    *state  = &client->record.filters[filter];
        struct str            name   = str_of(sim_filters[filter]);
        struct subscribe_item item   = { .filter = name,
                                         .qos = (uint8_t)random_below(&sim->random, 3) };
        uint16_t              id     = next_id(client);
        size_t                size;

        if (away || item.qos == 0)
                check_forget(sim, client, filter);
        state->asked_id = away ? 0 : id;
        state->asked    = item.qos;
        if (away)
                size = encode_unsubscribe(bytes, sizeof bytes, client->version,
                                          &(struct unsubscribe_request){
                                                  .packet_id = id, .count = 1, .filters = &name });
        else
                size = encode_subscribe(bytes, sizeof bytes, client->version,
                                        &(struct subscribe_request){
                                                .packet_id = id, .count = 1, .items = &item });
        return client_write(sim, client, bytes, size);
}

bool client_disconnect(struct sim *sim, struct sim_client *client)
{
        char                     bytes[PACKET_BYTES];
        struct disconnect_packet packet = { .reason = REASON_SUCCESS };
        bool                     fine;

        fine = client_write(sim, client, bytes,
                            encode_disconnect(bytes, sizeof bytes, client->version, &packet));
        client_cut(client);
        return fine;
}

bool client_flush(struct sim *sim, struct sim_client *client, unsigned count)
{
        count = count < client->ack_count ? count : client->ack_count;
        for (unsigned i = 0; i < count; i++) {
                if (!send_ack(sim, client, client->acks[i].type, client->acks[i].id))
                        return false;
        }
        client->ack_count -= count;
        memmove(client->acks, client->acks + count, client->ack_count * sizeof client->acks[0]);
        return true;
}

static bool queue_ack(struct sim *sim, struct sim_client *client, enum packet_type type,
                      uint16_t id)
{
        if (client->ack_count == ACKS_MAX)
                return sim_fail(sim, "%s: too much to acknowledge", client->name);
        client->acks[client->ack_count++] = (struct queued_ack){ type, id };
        return true;
}

/* PUBACK, PUBREC or PUBCOMP of one of the client's own. */
static bool on_ack(struct sim *sim, struct sim_client *client, const struct packet *packet)
{
        unsigned i = 0;

        if (packet->ack.reason >= 0x80 && packet->type != PACKET_PUBCOMP)
                return sim_fail(sim, "%s: %s with reason %u", client->name,
                                packet_name(packet->type), packet->ack.reason);
        while (i < client->out_count && client->out[i].id != packet->ack.packet_id)
                i++;
        if (i == client->out_count)
                return sim_fail(sim, "%s: %s for nothing", client->name, packet_name(packet->type));
        sim->messages[client->out[i].message].acked = true;
        if (packet->type == PACKET_PUBREC) {
                client->out[i].released = true;
                return queue_ack(sim, client, PACKET_PUBREL, packet->ack.packet_id);
        }
        client->out_count--;
        memmove(client->out + i, client->out + i + 1,
                (client->out_count - i) * sizeof client->out[0]);
        return true;
}

static bool on_suback(struct sim *sim, struct sim_client *client, const struct suback_packet *in)
{
        for (unsigned f = 0; f < FILTERS; f++) {
                struct subscribed *state = &client->record.filters[f];

                if (state->asked_id != in->packet_id)
                        continue;
                if (in->reasons.len != 1 || (uint8_t)in->reasons.ptr[0] != state->asked)
                        return sim_fail(sim, "%s: SUBACK does not grant", client->name);
                state->active   = true;
                state->qos      = state->asked;
                state->asked_id = 0;
        }
        return true;
}

static bool on_packet(struct sim *sim, struct sim_client *client, const struct packet *packet)
{
        uint16_t id = packet->ack.packet_id;

        if (packet->type == PACKET_CONNACK) {
                client->connacked = true;
                client->present   = packet->connack.session_present;
                return packet->connack.reason == REASON_SUCCESS ||
                       sim_fail(sim, "%s: refused", client->name);
        }
        if (packet->type == PACKET_PUBLISH) {
                if (!check_publish(sim, client, &packet->publish))
                        return false;
                return packet->publish.qos == 0 ||
                       queue_ack(sim, client,
                                 packet->publish.qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
                                 packet->publish.packet_id);
        }
        if (packet->type == PACKET_PUBACK || packet->type == PACKET_PUBREC ||
            packet->type == PACKET_PUBCOMP)
                return on_ack(sim, client, packet);
        if (packet->type == PACKET_PUBREL) {
                client->record.held[id] = 0;
                return queue_ack(sim, client, PACKET_PUBCOMP, id);
        }
        if (packet->type == PACKET_SUBACK)
                return on_suback(sim, client, &packet->suback);
        return packet->type == PACKET_UNSUBACK ||
               sim_fail(sim, "%s: got %s", client->name, packet_name(packet->type));
}

static bool next_packet(struct sim *sim, struct sim_client *client, bool *any)
{
        struct str          unread = buffer_str(&client->unread);
        struct frame        frame;
        struct packet       packet;
        struct decode_error error;

        *any = frame_peek(unread, &frame) == FRAME_WHOLE;
        if (!*any)
                return true;
        if (!decode(&frame, str_from(unread.ptr + frame.header_size, frame.body_size),
                    client->version, &packet, &error))
                return sim_fail(sim, "%s: undecodable: %s", client->name, error.what);
        if (packet.type == PACKET_CONNACK && !packet.connack.session_present)
                check_new_session(sim, client);
        if (!on_packet(sim, client, &packet))
                return false;
        buffer_consume(&client->unread, frame.header_size + frame.body_size);
        return true;
}

bool client_read(struct sim *sim, struct sim_client *client, unsigned *packets)
{
        static char bytes[65536];
        ssize_t     count;
        bool        any = true;

        while ((count = client->end->ops->read(client->end, bytes, sizeof bytes)) > 0)
                buffer_append(&client->unread, str_from(bytes, (size_t)count));
        while (any) {
                if (!next_packet(sim, client, &any))
                        return false;
                *packets += any;
        }
        return count != 0 || sim_fail(sim, "%s: the broker closed", client->name);
}

/* The connection before must be closed by the broker once the next one is accepted. */
static bool taken_over(struct sim *sim, struct sim_client *client, struct transport *old)
{
        static char bytes[65536];
        ssize_t     count = 0;

        while (old != NULL && (count = old->ops->read(old, bytes, sizeof bytes)) > 0)
                continue;
        if (old != NULL)
                old->ops->free(old);
        return count == 0 || sim_fail(sim, "%s: two connections", client->name);
}

static bool resend(struct sim *sim, struct sim_client *client)
{
        for (unsigned i = 0; i < client->out_count; i++) {
                const struct outgoing *out = &client->out[i];

                if (out->released ? !send_ack(sim, client, PACKET_PUBREL, out->id)
                                  : !send_publish(sim, client, out, true, false))
                        return false;
        }
        return true;
}

bool client_connect(struct sim *sim, struct sim_client *client, bool clean)
{
        char                  bytes[PACKET_BYTES];
        struct transport     *old     = client->end;
        unsigned              packets = 0;
        bool                  fine;
        struct connect_packet connect = {
                .version     = client->version,
                .clean_start = clean,
                .client_id   = str_of(client->name),
        };

        if (client->version == MQTT_5 && client->durable) {
                property_set(&connect.properties, PROPERTY_SESSION_EXPIRY);
                connect.properties.session_expiry_s = UINT32_MAX;
        }
        client->end = NULL;
        client_cut(client);
        client->connacked = false;
        client->end       = world_connect(sim->world,
                                          (int)random_below(&sim->random, 4));
        fine = client_write(sim, client, bytes, encode_connect(bytes, sizeof bytes, &connect)) &&
               sim_run(sim) && client_read(sim, client, &packets);
        fine = taken_over(sim, client, old) && fine;
        if (!fine)
                return false;
        if (!client->connacked)
                return sim_fail(sim, "%s: no CONNACK", client->name);
        if (client->present != (client->known && !clean))
                return sim_fail(sim, "%s: session present is %d", client->name, client->present);
        client->known = client->durable && !(clean && client->version != MQTT_5);
        return resend(sim, client);
}
