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
                .restarts   = sim->restarts,
                .refusable  = sim->faulty,
                .revocable  = law_now(sim).from != sim->law,
                .revoked    = law_now(sim).from != sim->law,
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

static enum presence presence(const struct sim_client *client, const struct connection *link)
{
        const struct connection *before = link->before;

        if (before == NULL || link->clean)
                return ABSENT;
        if (before->undone)
                return client->record.safe && !before->finite ? PRESENT : MAYBE;
        if (before->expiry_s == 0 || before->expired)
                return ABSENT;
        if (link->connack_ms < sim_after(before->end_ms, before->expiry_s))
                return PRESENT;
        return MAYBE;
}

bool check_connected(struct sim *sim, struct sim_client *client)
{
        enum presence expected;

        client->link->connack_ms = client->at_ms;
        client->link->heard_ms   = client->at_ms;       /* it counts from when it is welcome */
        expected                 = presence(client, client->link);
        return expected == MAYBE || client->present == (expected == PRESENT) ||
               sim_fail(sim, "%s: session present is %d", client->name, client->present);
}

static bool is_crowded(const struct sim *sim)
{
        return sim->mix.crowd > 0 || sim->mix.connect_rate.per_second > 0;
}

/* A CONNACK lies there unread that does not let it in; or its CONNECT took too long to hear why. */
static bool is_turned_away(const struct sim *sim, const struct sim_client *client)
{
        struct str unread = buffer_str(&client->unread);

        if (client->connacked)
                return false;
        if (unread.len >= 4)
                return unread.ptr[3] != REASON_SUCCESS;
        return is_crowded(sim) && !client->link->refusable && !client->link->revoked;
}

/* It was closed before a CONNACK. */
static bool is_speechless(const struct sim_client *client)
{
        return !client->connacked && buffer_len(&client->unread) < 4;
}

/* It was not let in: the connection before is still the last one, and ends with this client's own
 * end of it. */
bool check_turned_away(struct sim *sim, struct sim_client *client)
{
        struct connection *link = client->link, *before = link->before;

        if (!is_crowded(sim) && sim->mix.never_percent == 0 && !link->refusable)
                return sim_fail(sim, "%s: turned away", client->name);
        link->ending   = ENDING_CLEAN;
        link->has_will = false;
        link->end_ms   = sim_now(sim);
        link->before   = NULL;
        client->link   = before;
        if (before == NULL)
                return true;
        before->next  = NULL;
        before->raced = false;
        if (client->old != NULL)
                before->gone_ms = NEVER;
        return true;
}

/* The broker has closed the connection that a client thinks it has. */
bool check_hung_up(struct sim *sim, struct sim_client *client)
{
        struct connection *link = client->link;

        if (link == NULL || link->ending != ENDING_NONE)
                return true;
        if (is_turned_away(sim, client))
                return check_turned_away(sim, client);
        if (sim_now(sim) < silent_until(link->written_ms, link) && !sim->faulty &&
            !link->revocable)
                return sim_fail(sim, "%s: the broker closed", client->name);
        link->ending  = ENDING_CLOSED;
        /* What it was told before waited for what it was welcomed with. */
        link->end_ms  = client->connacked ? sim_now(sim) : link->connect_ms;
        link->gone_ms = sim_now(sim);
        if (is_speechless(client)) {    /* nobody can say whether it was let in */
                link->unsure = true;
                link->undone = true;
                link->finite = true;
        }
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

        if (!link->has_will)
                return never;
        if (link->ending == ENDING_NONE && link->revoked && link->connack_ms == NEVER)
                return (struct window){ link->connect_ms, NEVER }; /* it will hear of its end */
        if (link->ending == ENDING_NONE)
                return never;
        if (link->unsure)
                return (struct window){ link->end_ms, NEVER };
        if (link->ending == ENDING_CRASH && link->expiry_s == 0) /* it went with its session */
                return never;
        /* A takeover may have come before its DISCONNECT, or the end for what could not be kept. */
        if (clean && !link->raced && !link->refusable && !link->revoked)
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
        if (link->wills++ > 0 && link->restarts == sim->restarts)
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
        link->settled = true;
        if (link->next == NULL && now >= sim_after(link->gone_ms, link->expiry_s))
                link->expired = true;
        if (link->will_due || now < will_window(link).by)
                return true;
        link->will_due = true;
        sim->missing += link->wills == 0;
        return link->wills > 0 || sim_drops(sim) ||
               sim_fail(sim, "c%u: no will", link->client);
}

/* The client got an acknowledgement that had to wait until all before it was stored. */
void check_safe(struct sim *sim, struct sim_client *client)
{
        if (client->link->expiry_s > 0)
                check_welcome(sim, client);
}

/* The same of CONNACK, which tells of a session that is not kept as well. */
void check_welcome(struct sim *sim, struct sim_client *client)
{
        if (!sim_keeps(sim))
                return;
        client->link->safe  = true;
        client->record.safe = true;
}

/* A connection that was not stored for certain may not have been: then the one before counts. */
static void undo_link(struct connection *last)
{
        struct connection *link = last;

        for (; link != NULL; link = link->safe ? NULL : link->before) {
                last->finite |= link->expiry_s != FOREVER_S;
                link->unsure = true;
                link->undone = true;
        }
}

/* The broker dies now. */
void check_crashed_life(struct sim *sim)
{
        bool kept = sim_keeps(sim);

        for (unsigned i = 0; i < sim->connection_count; i++) {
                struct connection *link  = &sim->connections[i];
                bool               known = kept && !sim_relaxed(sim) && link->expiry_s > 0;

                if (!link->settled)     /* the next broker may not know it yet */
                        link->gone_ms = NEVER;

                if (sim->mix.durability == DURABILITY_MEMORY) {
                        link->ending   = ENDING_CRASH;
                        link->expiry_s = 0;
                } else if (link->ending != ENDING_NONE && !link->will_due &&
                           (!known || (link->ending == ENDING_CLEAN && link->gone_ms == NEVER))) {
                        link->unsure = true;
                }
        }
        for (unsigned i = 0; i < sim->mix.clients + 2; i++) {
                struct sim_client *client = &sim->clients[i];
                struct connection *link   = client->link;

                check_ending(sim, client, ENDING_CRASH);
                if (sim->mix.durability == DURABILITY_MEMORY)
                        client->link = NULL;
                else if (link != NULL && !link->safe)
                        undo_link(link);
                if (!kept || (link != NULL && link->clean && link->connack_ms == NEVER))
                        client->record.safe = false;
        }
}

bool check_settled_life(struct sim *sim)
{
        for (unsigned i = 0; i < sim->mix.clients + 2; i++) {
                struct sim_client *client = &sim->clients[i];

                if (client->link == NULL || client->link->restarts != sim->restarts)
                        continue;       /* a crash has said what is left of it */
                client->record.safe = true;
                client->link->safe  = true;
        }
        for (unsigned i = 0; i < sim->connection_count; i++)
                if (!settle_link(sim, &sim->connections[i]))
                        return false;
        return true;
}
