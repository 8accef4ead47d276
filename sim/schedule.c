/* Who turns when. In a broker shards and store run side by side, so any of them may be ahead of
 * another by any amount: here the seed chooses who turns next, and sometimes one does not for a
 * while. */
#include "client/client_internal.h"
#include "sim.h"

enum { STARVED_TURNS_MAX = 300, SETTLE_ROUNDS_MAX = 10000, LINGER_MS = 4, PAUSE_MS = 20 };

void sim_trace(struct sim *sim, uint64_t kind, struct str bytes)
{
        sim->trace.k1 = kind;
        sim->trace.k0 = hash_str(&sim->trace, bytes);
}

bool sim_tick(struct sim *sim, uint64_t ms)
{
        /* What lies on the wire has arrived before the clock moves, so its time is known. */
        for (unsigned i = 0; i < sim->mix.clients + 2; i++)
                if (!wire_arrive(sim, &sim->clients[i]))
                        return false;
        world_tick(sim->world, ms);
        sim_trace(sim, ms, STR("tick"));
        return true;
}

static bool turn(struct sim *sim, unsigned loop)
{
        bool did = world_turn(sim->world, loop);

        sim_trace(sim, loop * 2 + did, STR("turn"));
        return did;
}

static unsigned choose(struct sim *sim)
{
        unsigned loops = world_loops(sim->world);
        unsigned loop  = random_below(&sim->random, loops);

        if (sim->starved_turns == 0 && sim_chance(sim, sim->mix.starve_percent)) {
                sim->starved       = random_below(&sim->random, loops);
                sim->starved_turns = 1 + random_below(&sim->random, STARVED_TURNS_MAX);
        }
        if (sim->starved_turns == 0)
                return loop;
        sim->starved_turns--;
        return loop == sim->starved ? (loop + 1) % loops : loop;
}

bool sim_turns(struct sim *sim, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                turn(sim, choose(sim));
                if (sim_chance(sim, sim->mix.tick_percent) &&
                    !sim_tick(sim, 1 + random_below(&sim->random, sim->mix.tick_ms)))
                        return false;
        }
        return true;
}

/* Rounds in which every loop turns once, each beginning with another one. */
static bool quiesce(struct sim *sim)
{
        for (unsigned round = 0; round < SETTLE_ROUNDS_MAX; round++) {
                unsigned loops = world_loops(sim->world);
                unsigned first = random_below(&sim->random, loops);
                bool     did   = false;

                for (unsigned i = 0; i < loops; i++)
                        did |= turn(sim, (first + i) % loops);
                if (!did)
                        return true;
        }
        return sim_fail(sim, "loops that never rest");
}

static bool all_is_safe(const struct sim *sim)
{
        const struct broker *broker = &sim->world->broker;

        for (unsigned i = 0; i < broker->shard_count; i++)
                if (!journal_idle(&broker->shards[i]->journal) ||
                    broker->shards[i]->journal.failing)
                        return false;
        return true;
}

/* Somebody is not read or not written to for a while. */
static bool somebody_waits(const struct sim *sim)
{
        const struct broker *broker = &sim->world->broker;
        bool                 waits  = sim->owed > 0;

        for (unsigned i = 0; i < broker->shard_count; i++) {
                struct client_manager *manager = broker->clients[i];

                list_each(link, after, &manager->clients) {
                        const struct client *c = list_entry(link, struct client, in_manager);

                        waits |= (c->paused & (PAUSED_BY_RATE | PAUSED_BY_MEMORY)) ||
                                 limiter_holds(c->limiter);
                }
        }
        return waits;
}

/* Batches linger, so it takes a little time until all is stored. */
static bool rest(struct sim *sim)
{
        for (unsigned round = 0; round < SETTLE_ROUNDS_MAX; round++) {
                if (!quiesce(sim))
                        return false;
                bool waits = somebody_waits(sim);

                if (all_is_safe(sim) && !waits)
                        return true;
                if (!sim_tick(sim, waits ? PAUSE_MS : LINGER_MS))
                        return false;
        }
        return sim_fail(sim, "it is never safe");
}

/* Only who waits for a CONNACK reads, and the watcher, so that each will is seen when it comes. */
static bool attend(struct sim *sim, struct sim_client *client, unsigned *moved)
{
        if (!wire_arrive(sim, client))
                return false;
        if (client->end == NULL || (client->connacked && client->role != ROLE_WATCHER))
                return true;
        if (!client_read(sim, client, moved))
                return false;
        if (client->end != NULL && !client->connacked)
                return sim_fail(sim, "%s: no CONNACK", client->name);
        if (client->role != ROLE_WATCHER)
                return true;
        *moved += client->ack_count;
        return client_flush(sim, client, ACKS_MAX);
}

bool sim_settle(struct sim *sim)
{
        unsigned moved = 1;

        end_fault(sim);
        for (unsigned round = 0; moved > 0; round++) {
                if (round == SETTLE_ROUNDS_MAX)
                        return sim_fail(sim, "it never ends");
                moved = 0;
                if (!rest(sim))
                        return false;
                for (unsigned i = 0; i < sim->mix.clients + 2; i++)
                        if (!attend(sim, &sim->clients[i], &moved))
                                return false;
        }
        sim->starved_turns = 0;
        sim->faulty        = false;
        sim->squeezed      = false;
        check_settled_messages(sim);
        sim->settles++;
        check_settled_law(sim);
        return check_settled_life(sim);
}
