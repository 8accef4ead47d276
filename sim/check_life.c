/* Connections, sessions and wills live as long as they should.
 *
 * The broker learns late that a connection ended: at some time between `end_ms`, when it did, and
 * `gone_ms`, when everything had come to rest. What it does n seconds later it does n seconds after
 * some time in between; what has not happened when all is at rest and the last of these times has
 * passed, has been forgotten.
 */
#include <stdio.h>

#include "sim.h"

static uint64_t silent_until(uint64_t ms, const struct connection *link)
{
        return link->keep_alive_s > 0 ? ms + link->keep_alive_s * 1500ull : NEVER;
}

struct connection *check_connecting(struct sim *sim, struct sim_client *client)
{
        struct connection *link;

        if (sim->connection_count == CONNECTIONS_MAX)
                return NULL;
        link  = &sim->connections[sim->connection_count++];
        *link = (struct connection){
                .before     = client->link,
                .client     = client->index,
                .connect_ms = sim_now(sim),
                .connack_ms = NEVER,
                .written_ms = sim_now(sim),
                .heard_ms   = NEVER,
                .end_ms     = NEVER,
                .gone_ms    = NEVER,
        };
        if (client->link != NULL) {
                client->link->next  = link;
                client->link->raced = client->link->gone_ms == NEVER;
        }
        client->link = link;
        return link;
}

/* Is the session of the connection before still there? It is at MAYBE when the CONNECT crossed the
 * end of its time. */
enum presence { ABSENT, PRESENT, MAYBE };

static enum presence presence(const struct connection *link)
{
        const struct connection *before = link->before;

        if (before != NULL && before->crashed)
                return link->clean ? ABSENT : MAYBE;    /* check_connected() may know more */
        if (before == NULL || link->clean || before->expiry_s == 0 || before->expired)
                return ABSENT;
        if (link->connack_ms < sim_after(before->end_ms, before->expiry_s))
                return PRESENT;
        return MAYBE;
}

/* Connections before this one whose CONNACK was never read may have begun a session of their own:
 * that one is present now, and the client cannot know that it is not the one before. */
bool check_unsure(const struct sim_client *client)
{
        const struct connection *link = client->link->before;

        if (link != NULL && link->crashed && link->expiry_s == 0)
                return true;            /* an older one, whose end was not written yet */
        for (; link != NULL && link->connack_ms == NEVER; link = link->before) {
                const struct connection *before = link->before;

                if (before != NULL && (link->clean || before->crashed || link->crashed ||
                                       before->expiry_s != FOREVER_S))
                        return true;
        }
        return false;
}

/* Some SUBACK has promised that the session outlives a crash, and no connection since has told the
 * broker another interval, of which it may not know. */
static bool subscribed(const struct sim_client *client)
{
        const struct connection *before = client->link->before;

        if (!before->crashed || before->connack_ms == NEVER || client->link->clean)
                return false;
        for (const struct connection *link = before; link != NULL; link = link->before)
                if (link->expiry_s != FOREVER_S)
                        return false;
        for (unsigned f = 0; f < FILTERS; f++)
                if (client->record.filters[f].active)
                        return true;
        return false;
}

bool check_connected(struct sim *sim, struct sim_client *client)
{
        enum presence expected;

        client->link->connack_ms = client->at_ms;
        expected                 = presence(client->link);
        if (expected == MAYBE && subscribed(client))
                expected = PRESENT;
        return expected == MAYBE || client->present == (expected == PRESENT) ||
               sim_fail(sim, "%s: session present is %d", client->name, client->present);
}

/* The broker has closed the connection that a client thinks it has. */
bool check_hung_up(struct sim *sim, struct sim_client *client)
{
        struct connection *link = client->link;

        if (link == NULL || link->ending != ENDING_NONE)
                return true;
        if (sim_now(sim) < silent_until(link->written_ms, link) &&
            !(sim->was_full && client->version != MQTT_5))      /* refused by the close */
                return sim_fail(sim, "%s: the broker closed", client->name);
        link->ending  = ENDING_CLOSED;
        link->end_ms  = sim_now(sim);
        link->gone_ms = sim_now(sim);
        return true;
}

void check_ending(struct sim *sim, struct sim_client *client, enum ending ending)
{
        struct connection *link = client->link;

        if (link == NULL || link->ending != ENDING_NONE)
                return;
        link->ending = ending;
        link->end_ms = sim_now(sim);
}

struct window {
        uint64_t from, by;
};

/* When the will may be published, and by when it must have been. */
static struct window will_window(const struct connection *link)
{
        struct window            never = { NEVER, NEVER }, due = never;
        const struct connection *next   = link->next;
        uint32_t                 wait_s = link->will_delay_s;
        bool                     clean  = link->ending == ENDING_CLEAN;

        if (link->has_will && link->crashed) {  /* perhaps: the end may be what it does not know */
                due.from = link->connect_ms;
                return due;
        }
        if (!link->has_will || link->ending == ENDING_NONE)
                return never;
        if (clean && !link->raced) /* raced: a takeover may have come before its DISCONNECT */
                return never;
        if (link->expiry_s < wait_s)
                wait_s = link->expiry_s;
        due.from = sim_after(link->end_ms, wait_s);
        if (!clean)
                due.by = sim_after(link->gone_ms, wait_s);
        if (next == NULL || link->will_due)
                return due;
        if (link->will_delay_s == 0 || next->clean || link->expiry_s == 0) {
                if (next->connect_ms < due.from) /* its session ends, or it does not wait */
                        due.from = next->connect_ms;
                if (next->connack_ms < due.by && !clean)
                        due.by = next->connack_ms;
                return due;
        }
        if (next->connack_ms < due.from) /* back in time */
                return never;
        due.by = NEVER; /* it may have been */
        return due;
}

/* The watcher got a will: "<connection>" on will/<client>. */
bool check_will(struct sim *sim, const struct publish_packet *in)
{
        char               text[32];
        unsigned           index;
        struct connection *link;
        struct sim_client *owner;
        uint64_t           from;

        snprintf(text, sizeof text, "%.*s", STR_ARGS(in->payload));
        if (sscanf(text, "%u", &index) != 1 || index >= sim->connection_count)
                return sim_fail(sim, "a will that nobody made: %s", text);
        link  = &sim->connections[index];
        owner = &sim->clients[link->client];
        if (!str_eq(str_skip(in->topic, 5), str_of(owner->name)) || !link->has_will)
                return sim_fail(sim, "a will changed: %s on %.*s", text, STR_ARGS(in->topic));
        if (!wire_arrive(sim, owner)) /* has it been closed? */
                return false;
        if (link->wills++ > 0 && !link->crashed)
                return sim_fail(sim, "%s: a will published twice", owner->name);
        from = will_window(link).from;
        if (from == NEVER)
                return sim_fail(sim, "%s: a will that was not due", owner->name);
        return sim->watcher->at_ms >= from ||
               sim_fail(sim, "%s: a will %llu ms too early", owner->name,
                        (unsigned long long)(from - sim->watcher->at_ms));
}

/* What follows from the time is known, now that everything has come to rest. */
static bool settle_link(struct sim *sim, struct connection *link)
{
        uint64_t now = sim_now(sim);

        if (link->ending == ENDING_NONE) {
                if (link->heard_ms == NEVER)
                        link->heard_ms = now;
                return now <= sim_after(silent_until(link->heard_ms, link), 1) ||
                       sim_fail(sim, "c%u: silent for too long, and not closed", link->client);
        }
        if (link->gone_ms == NEVER)
                link->gone_ms = now;
        if (link->next == NULL && now >= sim_after(link->gone_ms, link->expiry_s))
                link->expired = true;
        if (link->will_due || now < will_window(link).by)
                return true;
        link->will_due = true;
        sim->missing += link->wills == 0;
        return link->wills > 0 || sim->settings.mqueue_max_length > 0 ||
               sim_fail(sim, "c%u: no will", link->client);
}

bool check_settled_life(struct sim *sim)
{
        for (unsigned i = 0; i < sim->connection_count; i++)
                if (!settle_link(sim, &sim->connections[i]))
                        return false;
        return true;
}
