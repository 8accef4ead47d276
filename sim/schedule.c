/* Who turns when. In a broker shards run side by side, so any of them may be ahead of another by
 * any amount: here the seed chooses who turns next, and sometimes that one does not for a while. */
#include "sim.h"

enum { STARVED_TURNS_MAX = 300, SETTLE_ROUNDS_MAX = 10000 };

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

static bool turn(struct sim *sim, unsigned shard)
{
        bool did = world_turn(sim->world, shard);

        sim_trace(sim, shard * 2 + did, STR("turn"));
        return did;
}

static unsigned choose(struct sim *sim)
{
        unsigned shards = world_loops(sim->world);      /* the store is like one of them */
        unsigned shard  = random_below(&sim->random, shards);

        if (sim->starved_turns == 0 && sim_chance(sim, sim->mix.starve_percent)) {
                sim->starved       = random_below(&sim->random, shards);
                sim->starved_turns = 1 + random_below(&sim->random, STARVED_TURNS_MAX);
        }
        if (sim->starved_turns == 0)
                return shard;
        sim->starved_turns--;
        return shard == sim->starved ? (shard + 1) % shards : shard;
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

/* Rounds in which every shard turns once, each beginning with another one. */
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

        for (unsigned round = 0; moved > 0; round++) {
                if (round == SETTLE_ROUNDS_MAX)
                        return sim_fail(sim, "it never ends");
                moved = 0;
                if (!quiesce(sim))
                        return false;
                for (unsigned i = 0; i < sim->mix.clients + 2; i++)
                        if (!attend(sim, &sim->clients[i], &moved))
                                return false;
        }
        sim->starved_turns = 0;
        check_settled_messages(sim);
        sim->settles++;
        return check_settled_life(sim);
}
