/* Messages reach who must have them, in order, no more often than they may, and not too late. */
#include <stdio.h>
#include <string.h>

#include "mqtt/topic.h"
#include "sim.h"

const char *const sim_topics[TOPICS]   = { "a/x", "a/y", "b/x", "b/y", "s/t/1", "s/t/2" };
const char *const sim_filters[FILTERS] = { "a/x", "b/y", "a/+", "b/#",
                                           "+/x", "+/y", "a/#", "$share/g/s/t/+" };

static bool is_shared(unsigned topic)
{
        return topic >= TOPICS - 2;
}

static bool matches(unsigned filter, unsigned topic)
{
        return filter != FILTERS - 1 &&
               topic_matches(str_of(sim_filters[filter]), str_of(sim_topics[topic]));
}

/* What the session before had under way will never be done for certain. */
void check_new_session(struct sim *sim, struct sim_client *client)
{
        for (unsigned i = 0; i < client->out_count; i++) {
                struct message_sent *sent = &sim->messages[client->out[i].message];

                if (!sent->closed) {
                        sent->closed_settle = sim->settles;
                        sent->law.to        = sim->law;
                }
                sent->closed = true;
        }
        memset(&client->record, 0, sizeof client->record);
        client->record.serial = ++sim->serials;
        client->out_count     = 0;
}

/* A message is sent for the first time: whose subscriptions stand must get it. */
void check_published(struct sim *sim, unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        if (sent->qos == 0 || sent->clears || sent->expiry_s != FOREVER_S)
                return;
        for (unsigned c = 0; c < sim->mix.clients; c++) {
                struct knowledge *record = &sim->clients[c].record;

                for (unsigned f = 0; f < FILTERS; f++) {
                        if (record->filters[f].active && record->filters[f].qos > 0 &&
                            matches(f, sent->topic) &&
                            law_always(sim, law_now(sim), c, sent->topic, ACCESS_DELIVER))
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

/* A QoS 1 message sent again is published again: who subscribed in between may see it behind. So is
 * one of QoS 2 that a crash took back, which only those below QoS 2 may have been sent; and what
 * expired while it waited for its record is in flight again after a crash. */
static bool check_order(struct sim *sim, struct sim_client *client, unsigned message,
                        const struct publish_packet *in)
{
        const struct message_sent *sent = &sim->messages[message], *before = sent;
        unsigned *last    = &client->record.last[sent->publisher][sent->topic][sent->qos][in->qos];
        bool      crashed = sent->restarts != sim->restarts;
        bool      again   = sent->resent && (sent->qos == 1 || (in->qos < 2 && crashed));
        bool      expired = in->dup && crashed && sent->expiry_s != FOREVER_S;
        bool      exempt  = is_shared(sent->topic) || again || sent->wavering || expired;

        if (*last != 0)
                before = &sim->messages[*last - 1];
        if (sent->seq < before->seq && !exempt)
                return sim_fail(sim, "%s got c%u's %u behind %u on %s, qos %u as %u", client->name,
                                sent->publisher, sent->seq, before->seq, sim_topics[sent->topic],
                                sent->qos, in->qos);
        if (sent->seq >= before->seq)
                *last = message + 1;
        return true;
}

static bool check_once(struct sim *sim, struct sim_client *client, unsigned message)
{
        struct message_sent *sent = &sim->messages[message];

        if (is_shared(sent->topic) && sent->restarts != sim->restarts)
                return true; /* what is handed over is, twice if a crash undoes who did it */
        if (client->record.exact[message])
                return sim_fail(sim, "%s got c%u's %u on %s twice at QoS 2", client->name,
                                sent->publisher, sent->seq, sim_topics[sent->topic]);
        client->record.exact[message] = true;
        if (!is_shared(sent->topic))
                return true;
        if (sent->shared_to != 0 && sent->shared_to != client->record.serial)
                return sim_fail(sim, "%s got c%u's %u on %s, as another member did", client->name,
                                sent->publisher, sent->seq, sim_topics[sent->topic]);
        sent->shared_to = client->record.serial;
        return true;
}

/* What is in flight already may be sent again after its time. */
static bool check_time(struct sim *sim, struct sim_client *client, const struct publish_packet *in,
                       const struct message_sent *sent)
{
        bool said = property_has(&in->properties, PROPERTY_MESSAGE_EXPIRY);

        if (client->version == MQTT_5 && said != (sent->expiry_s != FOREVER_S))
                return sim_fail(sim, "%s: an expiry came or went", client->name);
        if (client->version == MQTT_5 && said && in->properties.message_expiry_s > sent->expiry_s)
                return sim_fail(sim, "%s: an expiry grew", client->name);
        if (sent->expiry_s == FOREVER_S || in->dup)
                return true;
        return client->at_ms < sim_after(sent->latest_ms, sent->expiry_s) ||
               sim_fail(sim, "%s got c%u's %u on %s after its expiry", client->name,
                        sent->publisher, sent->seq, sim_topics[sent->topic]);
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

/* What a PUBLISH is about: a message + 1, a topic that is cleared, or a will. */
static bool token_of(struct sim *sim, const struct publish_packet *in, unsigned *token)
{
        *token = MESSAGES_MAX + TOPICS + 1;
        if (str_starts(in->topic, STR("will/")))
                return true;
        if (in->payload.len > 0) {
                if (!check_payload(sim, in, token))
                        return false;
                ++*token;
                return true;
        }
        for (unsigned t = 0; t < TOPICS; t++) {
                *token = MESSAGES_MAX + 1 + t;
                if (str_eq(in->topic, str_of(sim_topics[t])))
                        return true;
        }
        return sim_fail(sim, "nothing, on %.*s", STR_ARGS(in->topic));
}

/* The id stands for one message until it is acknowledged; *again: it was sent before. */
static bool check_id(struct sim *sim, struct sim_client *client, const struct publish_packet *in,
                     unsigned token, bool *again)
{
        uint16_t *held = &client->record.held[in->packet_id];

        *again = false;
        if (in->qos == 0)
                return true;
        *again = *held == token;
        if (*held != 0 && !*again && !client->record.vague)
                return sim_fail(sim, "%s: packet id %u used again while in flight", client->name,
                                in->packet_id);
        if (*again && !in->dup)
                return sim_fail(sim, "%s: packet id %u sent again without DUP", client->name,
                                in->packet_id);
        if (!check_opened(sim, client, in->packet_id))
                return false;
        *held = (uint16_t)token;
        client->record.held_qos[in->packet_id] = in->qos;
        return true;
}

/* Does any subscription stand by which it may have come? */
static bool check_subscribed(struct sim *sim, struct sim_client *client, unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        for (unsigned f = 0; f < FILTERS; f++) {
                bool shared = f == FILTERS - 1 && is_shared(sent->topic);

                if ((shared || matches(f, sent->topic)) &&
                    client->record.filters[f].none_from > message)
                        return true;
        }
        return client->role != ROLE_ACTOR ||
               sim_fail(sim, "%s got c%u's %u on %s without a subscription", client->name,
                        sent->publisher, sent->seq, sim_topics[sent->topic]);
}

static bool check_live(struct sim *sim, struct sim_client *client, unsigned message,
                       const struct publish_packet *in)
{
        return check_subscribed(sim, client, message) &&
               (in->qos < 2 || check_once(sim, client, message)) &&
               (client->record.got[message] > 0 || check_order(sim, client, message, in));
}

/* A message of an actor, live or retained. */
static bool check_message(struct sim *sim, struct sim_client *client,
                          const struct publish_packet *in, unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        if (!check_time(sim, client, in, sent) || !check_reads(sim, client, in, message))
                return false;
        if (in->retain) /* it may have come live, too, and may not have */
                return sent->retain || sim_fail(sim, "%s: retained by nobody", client->name);
        if (!client->record.vague && !check_live(sim, client, message, in))
                return false;
        if (client->record.got[message] < UINT8_MAX)
                client->record.got[message]++;
        return true;
}

bool check_publish(struct sim *sim, struct sim_client *client, const struct publish_packet *in)
{
        unsigned token;
        bool     again;

        if (!token_of(sim, in, &token) || !check_id(sim, client, in, token, &again))
                return false;
        if (in->qos == 2 && again)
                return true; /* before its PUBREL */
        if (token <= MESSAGES_MAX && !check_message(sim, client, in, token - 1))
                return false;
        if (client->role == ROLE_READER)
                return check_seen(sim, in, token);
        if (token == MESSAGES_MAX + TOPICS + 1)
                return client->role == ROLE_WATCHER ? check_will(sim, in)
                                                    : sim_fail(sim, "%s got a will", client->name);
        return true;
}

/* QoS 0 that was not done when all is at rest never will be. */
void check_settled_messages(struct sim *sim)
{
        for (unsigned m = 0; m < sim->message_count; m++) {
                struct message_sent *sent = &sim->messages[m];

                if (sent->qos > 0 || sent->closed)
                        continue;
                sent->done          = sent->link->ending == ENDING_NONE && check_surely(sim, sent);
                sent->closed        = true;
                sent->closed_settle = sim->settles;
                sent->latest_ms     = sim_now(sim);
                sent->law.to        = sim->law;
        }
}

/* Relaxed: what was acknowledged at QoS 1 since all was at rest may not have been written yet, nor
 * at QoS 2 for a session that ends with its connection. */
static bool is_shaky(const struct sim *sim, const struct message_sent *sent)
{
        bool exact = sent->qos == 2 && sent->link->expiry_s > 0;

        return sim_relaxed(sim) && !exact && sent->closed && sent->closed_settle == sim->settles;
}

/* What a broker that dies leaves of it. A packet id of QoS 1 means nothing any more; one of QoS 2
 * does until PUBREL. */
void check_crashed_messages(struct sim *sim)
{
        for (unsigned m = 0; m < sim->message_count; m++) {
                struct message_sent *sent = &sim->messages[m];

                if (sim->mix.durability == DURABILITY_MEMORY)
                        sent->lost = true;
                sent->shaky |= is_shaky(sim, sent);
                if (sent->qos > 0 || sent->closed)
                        continue;
                sent->closed        = true;
                sent->closed_settle = sim->settles;
                sent->latest_ms     = sim_now(sim);
                sent->law.to        = sim->law;
        }
        for (unsigned c = 0; c < sim->mix.clients + 2; c++) {
                struct knowledge *record = &sim->clients[c].record;

                for (unsigned id = 0; id < IDS; id++)
                        if (record->held_qos[id] < 2)
                                record->held[id] = 0;
        }
}

/* Nobody is owed anything, and nobody waits for an acknowledgement. */
bool check_messages(struct sim *sim)
{
        for (unsigned c = 0; c < sim->mix.clients; c++) {
                const struct sim_client *client = &sim->clients[c];

                if (client->out_count > 0)
                        return sim_fail(sim, "%s: publish id %u never completed", client->name,
                                        client->out[0].id);
                for (unsigned m = 0; m < sim->message_count; m++) {
                        const struct message_sent *sent = &sim->messages[m];

                        if (!sent->done || sent->shaky || !client->record.must[m] ||
                            client->record.got[m] > 0)
                                continue;
                        sim->missing++;
                        if (!sim_drops(sim))
                                return sim_fail(sim, "%s never got c%u's %u on %s, qos %u",
                                                client->name, sent->publisher, sent->seq,
                                                sim_topics[sent->topic], sent->qos);
                }
        }
        return check_missing(sim);
}

bool check_missing(struct sim *sim)
{
        uint64_t dropped = check_dropped(sim);

        return sim->missing <= dropped || sim_fail(sim, "%u are missing, but %llu were dropped",
                                                   sim->missing, (unsigned long long)dropped);
}
