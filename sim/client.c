/* What a client does: each function writes one packet, or hangs up. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "mqtt/encode.h"
#include "sim.h"

enum { EXPIRY_S_MAX = 12, WILL_DELAY_S_MAX = 8, KEEP_ALIVE_S_MAX = 4 };

void client_cut(struct sim *sim, struct sim_client *client)
{
        if (client->end != NULL)
                check_ending(sim, client, ENDING_CUT);
        wire_reset(client);
        if (client->old != NULL)
                client->old->ops->free(client->old);
        client->old        = NULL;
        client->connacked  = false;
        client->resending  = false;
        client->ack_count  = 0;
        client->open_count = 0;
        client->pings      = 0;
        for (unsigned f = 0; f < FILTERS; f++) {
                client->record.filters[f].asked_id = 0;
                client->record.filters[f].gone_id  = 0;
        }
}

static bool uses_id(const struct sim_client *client, uint16_t id)
{
        bool used = false;

        for (unsigned i = 0; i < client->out_count; i++)
                used |= client->out[i].id == id;
        for (unsigned f = 0; f < FILTERS; f++)
                used |= client->record.filters[f].asked_id == id ||
                        client->record.filters[f].gone_id == id;
        return used;
}

/* One that is free; in some seeds they come again soon. */
static uint16_t next_id(const struct sim *sim, struct sim_client *client)
{
        do
                client->last_id = (uint16_t)(client->last_id % sim->mix.ids + 1);
        while (uses_id(client, client->last_id));
        return client->last_id;
}

static bool send_ack(struct sim *sim, struct sim_client *client, enum packet_type type, uint16_t id)
{
        char              bytes[PACKET_BYTES];
        struct ack_packet ack = { .packet_id = id };

        if (type == PACKET_PUBACK)
                client->record.held[id] = 0;
        if (type == PACKET_PUBACK || type == PACKET_PUBCOMP)
                check_closed_id(client, id);
        return wire_write(sim, client, bytes,
                          encode_ack(bytes, sizeof bytes, client->version, type, &ack));
}

static bool send_publish(struct sim *sim, struct sim_client *client, const struct outgoing *out,
                         bool dup, bool half)
{
        struct message_sent  *sent = &sim->messages[out->message];
        char                  bytes[PACKET_BYTES], payload[64];
        struct publish_packet publish = {
                .dup       = dup,
                .qos       = sent->qos,
                .retain    = sent->retain,
                .packet_id = out->id,
                .topic     = str_of(sim_topics[sent->topic]),
        };
        size_t size;

        sent->resent |= dup;
        check_asks(sim, client, out->message);
        snprintf(payload, sizeof payload, "%u %u %u %u", sent->publisher, sent->seq, sent->qos,
                 out->message);
        publish.payload = str_of(sent->clears ? "" : payload);
        if (sent->expiry_s != FOREVER_S) {
                property_set(&publish.properties, PROPERTY_MESSAGE_EXPIRY);
                publish.properties.message_expiry_s = sent->expiry_s;
        }
        size = encode_publish(bytes, sizeof bytes, client->version, &publish);
        return wire_write(sim, client, bytes, half ? size / 2 : size);
}

bool client_publish(struct sim *sim, struct sim_client *client, bool half)
{
        struct outgoing      out  = { .message = sim->message_count };
        struct message_sent *sent = &sim->messages[sim->message_count];

        if (sim->message_count == MESSAGES_MAX || client->out_count == OUT_MAX)
                return true;
        sim->message_count++;
        *sent = (struct message_sent){
                .publisher    = client->index,
                .seq          = ++client->seq,
                .topic        = random_below(&sim->random, TOPICS),
                .qos          = (uint8_t)random_below(&sim->random, 3),
                .retain       = sim_chance(sim, sim->mix.retain_percent),
                .start_settle = sim->settles,
                .restarts     = sim->restarts,
                .session      = client->record.serial,
                .start_ms     = sim_now(sim),
                .expiry_s     = FOREVER_S,
                .latest_ms    = NEVER,
                .law          = law_now(sim),
                .link         = client->link,
        };
        sent->clears = sent->retain && sim_chance(sim, 25);
        if (client->version == MQTT_5 && sim_chance(sim, sim->mix.expiring_percent))
                sent->expiry_s = 1 + random_below(&sim->random, EXPIRY_S_MAX);
        check_published(sim, out.message);
        if (sent->qos > 0) {
                out.id                           = next_id(sim, client);
                client->out[client->out_count++] = out;
        }
        return send_publish(sim, client, &out, false, half);
}

static bool send_subscribe(struct sim *sim, struct sim_client *client, const char *filter,
                           uint16_t id, uint8_t qos)
{
        char                           bytes[PACKET_BYTES];
        const struct subscribe_item    item    = { .filter = str_of(filter), .qos = qos };
        const struct subscribe_request request = { .packet_id = id, .count = 1, .items = &item };

        return wire_write(sim, client, bytes,
                          encode_subscribe(bytes, sizeof bytes, client->version, &request));
}

bool client_subscribe_to(struct sim *sim, struct sim_client *client, const char *filter,
                         uint8_t qos)
{
        return send_subscribe(sim, client, filter, next_id(sim, client), qos);
}

bool client_subscribe(struct sim *sim, struct sim_client *client, unsigned filter, bool away)
{
        char               bytes[PACKET_BYTES];
        struct subscribed *state = &client->record.filters[filter];
        struct str         name  = str_of(sim_filters[filter]);
        uint8_t            qos   = (uint8_t)random_below(&sim->random, 3);
        uint16_t           id    = 0;

        if (sim->mix.ids < IDS - 1 && (state->asked_id != 0 || state->gone_id != 0))
                return true;    /* else the first one's id is forgotten, and comes again */
        id = next_id(sim, client);
        if (away || qos == 0)
                check_forget(sim, client, filter);
        state->asked_id = away ? 0 : id;
        state->asked    = qos;
        state->gone_id  = away ? id : 0;
        if (!away) {
                state->none_from = UINT_MAX;
                check_asks_for(sim, client, filter);
                return send_subscribe(sim, client, sim_filters[filter], id, qos);
        }

        const struct unsubscribe_request request = { .packet_id = id,
                                                     .count     = 1,
                                                     .filters   = &name };

        return wire_write(sim, client, bytes,
                          encode_unsubscribe(bytes, sizeof bytes, client->version, &request));
}

/* Of the reader, whom nobody checks: nothing is retained on the topic any more. */
bool client_clear(struct sim *sim, struct sim_client *client, unsigned topic)
{
        char                        bytes[PACKET_BYTES];
        const struct publish_packet publish = { .retain = true,
                                                .topic  = str_of(sim_topics[topic]) };

        return wire_write(sim, client, bytes,
                          encode_publish(bytes, sizeof bytes, client->version, &publish));
}

bool client_ping(struct sim *sim, struct sim_client *client)
{
        char bytes[PACKET_BYTES];

        client->pings++;
        return wire_write(sim, client, bytes, encode_empty(bytes, sizeof bytes, PACKET_PINGREQ));
}

/* In one piece and with no turn in between, so that either the broker had closed before, or it
 * ended the connection for this. `ends` has the session end with it, as v5 can say. */
bool client_disconnect(struct sim *sim, struct sim_client *client, enum reason reason, bool ends)
{
        char                     bytes[PACKET_BYTES];
        struct disconnect_packet packet = { .reason = reason };
        size_t                   size;
        struct iovec             whole;

        if (!wire_arrive(sim, client))
                return false;
        if (!client->closed) {
                if (ends && client->version == MQTT_5) {
                        property_set(&packet.properties, PROPERTY_SESSION_EXPIRY);
                        packet.properties.session_expiry_s = 0;
                        client->link->expiry_s             = 0;
                }
                size  = encode_disconnect(bytes, sizeof bytes, client->version, &packet);
                whole = (struct iovec){ bytes, size };
                if (client->end->ops->write(client->end, &whole, 1) != (ssize_t)size)
                        return sim_fail(sim, "%s: the broker takes nothing", client->name);
                check_ending(sim, client, reason == REASON_SUCCESS ? ENDING_CLEAN : ENDING_CUT);
        }
        client_cut(sim, client);
        return true;
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

/* Was it sent while it may have been refused, without a word that was read? */
static void note_refusable(const struct sim *sim, const struct sim_client *client,
                           struct message_sent *sent)
{
        sent->wavering |= !check_surely(sim, sent);
        for (const struct connection *link = client->link->before; link != NULL;
             link                          = link != sent->link ? link->before : NULL)
                sent->wavering |= link->refusable;
}

bool client_resend(struct sim *sim, struct sim_client *client)
{
        for (unsigned i = 0; i < client->out_count; i++) {
                const struct outgoing *out = &client->out[i];

                note_refusable(sim, client, &sim->messages[out->message]);
                if (out->released ? !send_ack(sim, client, PACKET_PUBREL, out->id)
                                  : !send_publish(sim, client, out, true, false))
                        return false;
        }
        return true;
}

/* What this connection asks for. The watcher and the reader ask for nothing that could hurt. */
static void draw_terms(struct sim *sim, struct sim_client *client, struct connection *link)
{
        const struct mix *mix = &sim->mix;
        bool              v5  = client->version == MQTT_5;

        link->window = sim->settings.max_inflight;
        if (!v5)
                link->expiry_s = link->clean ? 0 : mix->v3_expiry_s;
        else if (client->durable)
                link->expiry_s = FOREVER_S;
        if (client->role != ROLE_ACTOR)
                return;
        if (v5 && client->durable && sim_chance(sim, mix->short_percent))
                link->expiry_s = 1 + random_below(&sim->random, EXPIRY_S_MAX);
        if (v5 && mix->receive_maximum > 0)     /* may be smaller than that of the one before */
                link->receive_maximum = 1 + random_below(&sim->random, mix->receive_maximum);
        if (link->receive_maximum > 0 && link->receive_maximum < link->window)
                link->window = link->receive_maximum;
        if (sim_chance(sim, mix->keep_alive_percent))
                link->keep_alive_s = (uint16_t)(1 + random_below(&sim->random, KEEP_ALIVE_S_MAX));
        link->has_will = sim_chance(sim, mix->will_percent);
        /* QoS 0 may be dropped for who is slow, or with a broker that dies. */
        link->will_qos = (uint8_t)(mix->durability != DURABILITY_MEMORY ||
                                   sim->settings.output_high_bytes < PACKET_BYTES ||
                                   sim->settings.messages_out.per_second > 0 ||
                                   sim->settings.bytes_out.per_second > 0);
        link->will_qos = (uint8_t)(link->will_qos + random_below(&sim->random, 3 - link->will_qos));
        if (v5 && link->has_will && sim_chance(sim, 60))
                link->will_delay_s = 1 + random_below(&sim->random, WILL_DELAY_S_MAX);
}

static size_t write_connect(struct sim *sim, struct sim_client *client,
                            const struct connection *link, char *bytes)
{
        char                  topic[32], payload[32];
        struct connect_packet connect = {
                .version      = client->version,
                .clean_start  = link->clean,
                .keep_alive_s = link->keep_alive_s,
                .client_id    = str_of(client->name),
        };

        if (client->version == MQTT_5 && link->expiry_s > 0) {
                property_set(&connect.properties, PROPERTY_SESSION_EXPIRY);
                connect.properties.session_expiry_s = link->expiry_s;
        }
        if (link->receive_maximum > 0) {
                property_set(&connect.properties, PROPERTY_RECEIVE_MAXIMUM);
                connect.properties.receive_maximum = (uint16_t)link->receive_maximum;
        }
        if (link->has_will) {
                snprintf(topic, sizeof topic, "will/%s", client->name);
                snprintf(payload, sizeof payload, "%u", (unsigned)(link - sim->connections));
                connect.will = (struct will_fields){
                        .present = true,
                        .qos     = link->will_qos,
                        .topic   = str_of(topic),
                        .payload = str_of(payload),
                };
                if (link->will_delay_s > 0) {
                        property_set(&connect.will.properties, PROPERTY_WILL_DELAY);
                        connect.will.properties.will_delay_s = link->will_delay_s;
                }
        }
        return encode_connect(bytes, PACKET_BYTES, &connect);
}

static bool open_end(struct sim *sim, struct sim_client *client)
{
        struct client_listener *listener = client->role == ROLE_ACTOR ? &sim->world->listener
                                                                      : &sim->lounge;

        client->end = world_connect_to(sim->world, listener,
                                       (int)random_below(&sim->random, sim->mix.shards));
        return client->end != NULL || sim_fail(sim, "no memory");
}

/* The connection that is still there stays until CONNACK, when the broker must have closed it. */
bool client_connect(struct sim *sim, struct sim_client *client, bool clean)
{
        char               bytes[PACKET_BYTES];
        struct transport  *old = NULL;
        struct connection *link;

        if (!wire_arrive(sim, client))
                return false;
        assert(client->old == NULL);
        if (client->end != NULL && !client->closed) {
                check_ending(sim, client, ENDING_TAKEN);
                old         = client->end;
                client->end = NULL;
        }
        client_cut(sim, client);
        if (!open_end(sim, client))
                return false;
        client->old = old;
        link        = check_connecting(sim, client);
        if (link == NULL)
                return sim_fail(sim, "too many connections");
        link->clean = clean;
        draw_terms(sim, client, link);
        return wire_write(sim, client, bytes, write_connect(sim, client, link, bytes));
}

/* The broker must not take half a CONNECT for anything. */
bool client_half_connect(struct sim *sim, struct sim_client *client)
{
        char              bytes[PACKET_BYTES];
        struct connection half = { .clean = true };
        struct iovec      part = { bytes, write_connect(sim, client, &half, bytes) / 2 };
        ssize_t           done;

        if (!open_end(sim, client))
                return false;
        done = client->end->ops->write(client->end, &part, 1);
        wire_reset(client);
        return done == (ssize_t)part.iov_len || sim_fail(sim, "%s: half a CONNECT", client->name);
}
