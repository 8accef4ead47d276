#include <stdio.h>
#include <string.h>

#include "mqtt/topic.h"
#include "sim.h"

const char *const sim_topics[TOPICS] = { "a/x", "a/y", "b/x", "b/y", "s/t/1", "s/t/2" };
const char *const sim_filters[FILTERS] = { "a/x", "b/y", "a/+", "b/#", "+/x", "+/y", "a/#",
                                           "$share/g/s/t/+" };

static bool is_shared(unsigned topic)
{
        return topic >= TOPICS - 2;
}

static bool matches(unsigned filter, unsigned topic)
{
        return filter != FILTERS - 1 &&
               topic_matches(str_of(sim_filters[filter]), str_of(sim_topics[topic]));
}

void check_new_session(struct sim *sim, struct sim_client *client)
{
        memset(&client->record, 0, sizeof client->record);
        client->record.serial = ++sim->serials;
        client->out_count     = 0;
}

/* A message is sent for the first time: whose subscriptions stand must get it. */
void check_published(struct sim *sim, unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        for (unsigned c = 0; c < sim->count; c++) {
                struct record *record = &sim->clients[c].record;

                for (unsigned f = 0; f < FILTERS; f++) {
                        if (sent->qos > 0 && record->filters[f].active &&
                            record->filters[f].qos > 0 && matches(f, sent->topic))
                                record->must[message] = true;
                }
        }
}

/* The subscription may be gone from here on, so nothing is owed for it. */
void check_forget(struct sim *sim, struct sim_client *client, unsigned filter)
{
        client->record.filters[filter].active = false;
        for (unsigned m = 0; m < sim->message_count; m++) {
                if (matches(filter, sim->messages[m].topic))
                        client->record.must[m] = false;
        }
}

/* A QoS 1 message sent again is published again: who subscribed in between may see it behind. */
static bool check_order(struct sim *sim, struct sim_client *client, unsigned message, uint8_t qos)
{
        const struct message_sent *sent = &sim->messages[message];
        unsigned                  *last =
                &client->record.last[sent->publisher][sent->topic][sent->qos][qos];
        bool exempt = is_shared(sent->topic) || (sent->qos == 1 && sent->resent);

        if (sent->seq < *last && !exempt)
                return sim_fail(sim, "%s got c%u's %u behind %u on %s, qos %u as %u", client->name,
                                sent->publisher, sent->seq, *last, sim_topics[sent->topic],
                                sent->qos, qos);
        if (sent->seq > *last)
                *last = sent->seq;
        return true;
}

static bool check_once(struct sim *sim, struct sim_client *client, unsigned message)
{
        struct message_sent *sent = &sim->messages[message];

        if (client->record.got[message] > 0)
                return sim_fail(sim, "%s got c%u's %u on %s twice at QoS 2", client->name,
                                sent->publisher, sent->seq, sim_topics[sent->topic]);
        if (!is_shared(sent->topic))
                return true;
        if (sent->shared_to != 0 && sent->shared_to != client->record.serial)
                return sim_fail(sim, "%s got c%u's %u on %s, as another member did", client->name,
                                sent->publisher, sent->seq, sim_topics[sent->topic]);
        sent->shared_to = client->record.serial;
        return true;
}

static bool check_payload(struct sim *sim, const struct publish_packet *in, unsigned *message)
{
        char                       text[64] = "";
        unsigned                   publisher, seq, qos;
        const struct message_sent *sent;

        snprintf(text, sizeof text, "%.*s", STR_ARGS(in->payload));
        if (sscanf(text, "%u %u %u %u", &publisher, &seq, &qos, message) != 4 ||
            *message >= sim->message_count)
                return sim_fail(sim, "a payload that nobody sent: %s", text);
        sent = &sim->messages[*message];
        if (sent->publisher != publisher || sent->seq != seq || sent->qos != qos || in->qos > qos ||
            !str_eq(in->topic, str_of(sim_topics[sent->topic])))
                return sim_fail(sim, "a message changed on its way: %s on %.*s, qos %u", text,
                                STR_ARGS(in->topic), in->qos);
        return true;
}

bool check_publish(struct sim *sim, struct sim_client *client, const struct publish_packet *in)
{
        unsigned  message;
        uint16_t *held = &client->record.held[in->packet_id];

        if (!check_payload(sim, in, &message))
                return false;
        if (in->qos > 0 && *held != 0 && *held != message + 1)
                return sim_fail(sim, "%s: packet id %u used again while in flight", client->name,
                                in->packet_id);
        if (in->qos == 2 && *held != 0)
                return true; /* the same again, before its PUBREL */
        if (in->qos > 0)
                *held = (uint16_t)(message + 1);
        if (in->qos == 2 && !check_once(sim, client, message))
                return false;
        if (client->record.got[message] == 0 && !check_order(sim, client, message, in->qos))
                return false;
        if (client->record.got[message] < UINT8_MAX)
                client->record.got[message]++;
        return true;
}

bool check_end(struct sim *sim)
{
        for (unsigned c = 0; c < sim->count; c++) {
                const struct sim_client *client = &sim->clients[c];

                if (client->out_count > 0)
                        return sim_fail(sim, "%s: publish id %u never completed", client->name,
                                        client->out[0].id);
                for (unsigned m = 0; m < sim->message_count; m++) {
                        const struct message_sent *sent = &sim->messages[m];

                        if (client->durable && sent->acked && client->record.must[m] &&
                            client->record.got[m] == 0)
                                return sim_fail(sim, "%s never got c%u's %u on %s, qos %u",
                                                client->name, sent->publisher, sent->seq,
                                                sim_topics[sent->topic], sent->qos);
                }
        }
        return true;
}
