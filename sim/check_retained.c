/* What is retained when all is at rest. Of each publisher it can only be the last message that was
 * done for certain, or one behind that; between publishers the order is free, unless everything
 * came to rest in between. */
#include "sim.h"

bool check_seen(struct sim *sim, const struct publish_packet *in, unsigned token)
{
        unsigned topic;

        if (str_starts(in->topic, STR("will/")) && !in->retain)
                return true;
        if (!in->retain || token > MESSAGES_MAX)
                return sim_fail(sim, "%s: not a retained message on %.*s", sim->reader->name,
                                STR_ARGS(in->topic));
        topic = sim->messages[token - 1].topic;
        if (sim->seen[topic] != 0)
                return sim_fail(sim, "%s: two retained on %s", sim->reader->name,
                                sim_topics[topic]);
        sim->seen[topic] = token;
        return true;
}

/* Is it in the way of `sent`, whatever else happened? */
static bool overrides(const struct sim *sim, unsigned later, unsigned earlier)
{
        const struct message_sent *by   = &sim->messages[later];
        const struct message_sent *sent = &sim->messages[earlier];

        if (!by->retain || !by->done || by->lost || by->shaky || by->topic != sent->topic ||
            later == earlier)
                return false;
        if (sent->closed && sent->closed_settle < by->start_settle)
                return true;
        /* QoS 1 sent again is published again, QoS 0 and what QoS 2 had come already are not. */
        return by->publisher == sent->publisher && by->seq > sent->seq && !sent->wavering &&
               !(sent->qos == 1 && sent->resent && by->qos != 1);
}

/* What is in its way; NULL: nothing. */
static const struct message_sent *overridden(const struct sim *sim, unsigned message)
{
        for (unsigned m = 0; m < sim->message_count; m++)
                if (overrides(sim, m, message))
                        return &sim->messages[m];
        return NULL;
}

static bool may_stand(const struct sim *sim, unsigned message)
{
        const struct message_sent *sent = &sim->messages[message];

        return sent->retain && !sent->lost && overridden(sim, message) == NULL;
}

static bool may_be_empty(const struct sim *sim, unsigned topic)
{
        bool any = false;

        for (unsigned m = 0; m < sim->message_count; m++) {
                const struct message_sent *sent = &sim->messages[m];
                uint64_t                   end  = sim_after(sent->start_ms, sent->expiry_s);

                if (sent->topic != topic || !sent->retain || sent->lost)
                        continue;
                any |= sent->done && !sent->shaky;
                if ((sent->clears || sim_now(sim) >= end) && may_stand(sim, m))
                        return true;
        }
        return !any;
}

static bool check_topic(struct sim *sim, unsigned topic)
{
        unsigned                   token = sim->seen[topic];
        const struct message_sent *found, *by;

        if (token == 0)
                return may_be_empty(sim, topic) ||
                       sim_fail(sim, "nothing is retained on %s", sim_topics[topic]);
        if (may_stand(sim, token - 1))
                return true;
        found = &sim->messages[token - 1];
        by    = overridden(sim, token - 1);
        return sim_fail(sim, "c%u's %u is retained on %s, not c%u's %u", found->publisher,
                        found->seq, sim_topics[topic], by != NULL ? by->publisher : 0,
                        by != NULL ? by->seq : 0);
}

/* The reader comes, takes what it is given and goes; nobody else does anything meanwhile. */
bool check_retained(struct sim *sim)
{
        struct sim_client *reader = sim->reader;
        unsigned           moved  = 1;

        for (unsigned t = 0; t < TOPICS; t++)
                sim->seen[t] = 0;
        if (!sim_settle(sim) || !client_connect(sim, reader, true) || !sim_settle(sim) ||
            !client_subscribe_to(sim, reader, "#", (uint8_t)random_below(&sim->random, 3)))
                return false;
        while (moved > 0) {
                moved = 0;
                if (!sim_settle(sim) || !client_read(sim, reader, &moved))
                        return false;
                moved += reader->ack_count;
                if (!client_flush(sim, reader, ACKS_MAX))
                        return false;
        }
        for (unsigned t = 0; t < TOPICS; t++)
                if (!check_topic(sim, t))
                        return false;
        return client_disconnect(sim, reader, REASON_SUCCESS, true);
}
