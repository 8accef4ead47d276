/* Who got what it may have, and who was refused what it may not. The broker asked at some time
 * between the byte that was written and the answer that was read: what any of the laws of that time
 * allows is allowed, and what they all allow must not be refused. */
#include "sim.h"

/* From when it was sent until the broker had it for certain. */
static struct law_span span_of(const struct sim *sim, const struct message_sent *sent)
{
        struct law_span span = sent->law;

        if (!sent->closed)
                span.to = sim->law;
        return span;
}

/* It is published for certain when it is acknowledged by a client of 3.1.1, which is not told. */
bool check_surely(const struct sim *sim, const struct message_sent *sent)
{
        return !sent->doubtful && sim->mix.never_percent == 0 &&
               law_always(sim, span_of(sim, sent), sent->publisher, sent->topic, ACCESS_PUBLISH);
}

static void note_revocable(struct connection *link)
{
        link->revocable = true;
        link->revoked   = true;
}

/* Published for the first time, or again. */
void check_asks(struct sim *sim, struct sim_client *client, unsigned message)
{
        struct message_sent *sent = &sim->messages[message];

        sent->doubtful |= sim->squeezed;
        if (!check_surely(sim, sent) && sim->settings.acl_deny_disconnects)
                note_revocable(client->link);
}

/* SUBSCRIBE was written. */
void check_asks_for(struct sim *sim, struct sim_client *client, unsigned filter)
{
        struct law_span span = law_now(sim);

        client->record.filters[filter].asked_law = span.from;
        if (law_ever_denies(sim, span, client->index, filter) &&
            sim->settings.acl_deny_disconnects)
                note_revocable(client->link);
}

/* PUBACK or PUBREC. */
bool check_answer(struct sim *sim, struct sim_client *client, unsigned message, enum reason reason)
{
        const struct message_sent *sent  = &sim->messages[message];
        struct law_span            span  = span_of(sim, sent);
        bool                       known = client->version == MQTT_5 && !sent->resent;

        if (reason < 0x80)
                return !known ||
                       law_ever(sim, span, sent->publisher, sent->topic, ACCESS_PUBLISH) ||
                       sim_fail(sim, "%s may not write %s, and is not told", client->name,
                                sim_topics[sent->topic]);
        return client->link->refusable || sim->mix.never_percent > 0 ||
               !law_always(sim, span, sent->publisher, sent->topic, ACCESS_PUBLISH) ||
               sim_fail(sim, "%s: its message is refused", client->name);
}

/* A message arrived, live or retained: may its receiver read it, and might its publisher write it?
 * What is in flight is sent again, whatever has changed. */
bool check_reads(struct sim *sim, const struct sim_client *client, const struct publish_packet *in,
                 unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        if (!law_ever(sim, span_of(sim, sent), sent->publisher, sent->topic, ACCESS_PUBLISH))
                return sim_fail(sim, "%s got c%u's %u on %s, which c%u may not write",
                                client->name, sent->publisher, sent->seq, sim_topics[sent->topic],
                                sent->publisher);
        return in->dup ||
               law_ever(sim, client->at_law, client->index, sent->topic, ACCESS_DELIVER) ||
               sim_fail(sim, "%s got c%u's %u on %s, qos %u, which it may not read", client->name,
                        sent->publisher, sent->seq, sim_topics[sent->topic], in->qos);
}

/* SUBACK. What was granted may have been taken away in the meantime. */
bool check_grant(struct sim *sim, struct sim_client *client, unsigned filter, enum reason reason)
{
        struct subscribed *state = &client->record.filters[filter];
        struct law_span    span  = { state->asked_law, sim->law };
        bool               denied = law_ever_denies(sim, span, client->index, filter);
        bool excused = client->link->refusable || sim->settings.max_subscriptions > 0 ||
                       sim->mix.never_percent > 0;

        if (reason < 0x80 && (uint8_t)reason != state->asked)
                return sim_fail(sim, "%s: SUBACK does not grant", client->name);
        if (reason < 0x80 && law_always_denies(sim, span, client->index, filter))
                return sim_fail(sim, "%s: is granted %s, which it may not read", client->name,
                                sim_filters[filter]);
        if (reason >= 0x80 && !denied && !excused)
                return sim_fail(sim, "%s: is refused %s", client->name, sim_filters[filter]);
        if (reason < 0x80 && !denied) {
                state->active = true;
                state->qos    = state->asked;
        }
        state->asked_id = 0;
        return true;
}

/* Nothing is owed that may not be read any more, nor by what has been taken away. */
static void forget_rights(struct sim *sim, struct sim_client *client)
{
        struct law_span last   = { sim->law, sim->law };
        bool            denied = false;

        for (unsigned f = 0; f < FILTERS; f++) {
                if (!law_ever_denies(sim, last, client->index, f))
                        continue;
                denied = true;
                check_forget(sim, client, f);
        }
        for (unsigned m = 0; m < sim->message_count; m++)
                if (!law_ever(sim, last, client->index, sim->messages[m].topic, ACCESS_DELIVER))
                        client->record.must[m] = false;
        if (client->link == NULL ||
            !((denied && sim->settings.acl_revoke_disconnects) ||
              sim->settings.acl_deny_disconnects))
                return;
        note_revocable(client->link);
}

/* There is another law, of which the shards will learn. */
void check_reformed(struct sim *sim)
{
        for (unsigned c = 0; c < sim->mix.clients; c++)
                forget_rights(sim, &sim->clients[c]);
}

/* All go by the last one, and have looked at what there is. */
void check_settled_law(struct sim *sim)
{
        sim->law_settled = sim->law;
        for (unsigned c = 0; c < sim->mix.clients; c++)
                if (sim->clients[c].link != NULL)
                        sim->clients[c].link->revocable = false;
}
