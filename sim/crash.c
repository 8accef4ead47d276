/* The store fails for a while, or the broker dies: between any two writes to the store, and with
 * whatever is on its way. Another one begins on what was committed, with more or fewer shards, at
 * once or minutes later. */
#include "base/memory.h"
#include "sim.h"

enum {
        GAP_MS_MAX = 3000, LONG_GAP_MS_MAX = 120000, CUT_CHANGES_MAX = 24, CUT_TURNS_MAX = 24,
        COMMITS_MAX = 3
};

/* The disk is full after a few commits, or takes no more than it has; a transaction is cut half
 * way. */
static void draw_fault(struct sim *sim)
{
        if (sim_chance(sim, 30))
                vault_fill_after(sim->vault, random_below(&sim->random, COMMITS_MAX));
        else if (sim_chance(sim, 50))
                vault_tighten(sim->vault, true);
        else
                vault_fail_after(sim->vault, random_below(&sim->random, CUT_CHANGES_MAX));
}

/* memory.limit is reached, or near: what would need more is refused. */
static void squeeze(struct sim *sim)
{
        bool hard = sim_chance(sim, 50);

        sim->world->settings.memory_limit = hard ? 1 : mem_held() / 93 * 100;
        sim->squeezed                     = true;
        for (unsigned m = 0; m < sim->message_count; m++)
                sim->messages[m].doubtful |= !sim->messages[m].closed;
}

static void begin_fault(struct sim *sim)
{
        if (sim->vault == NULL || sim_chance(sim, 30))
                squeeze(sim);
        else
                draw_fault(sim);
        sim->faulty = true;
        for (unsigned i = 0; i < sim->mix.clients + 2; i++)
                if (sim->clients[i].link != NULL)
                        sim->clients[i].link->refusable = true;
}

void end_fault(struct sim *sim)
{
        if (sim->world != NULL)
                sim->world->settings.memory_limit = 0;
        if (sim->vault == NULL)
                return;
        vault_tighten(sim->vault, false);
        vault_fill_after(sim->vault, UINT64_MAX);
        vault_fail_after(sim->vault, UINT64_MAX);
}

/* It begins or ends; when it has ended the broker needs some time to notice. */
bool act_fault(struct sim *sim, struct sim_client *client)
{
        (void)client;
        if (sim->faulty && sim_chance(sim, 50)) {
                end_fault(sim);
                return true;
        }
        begin_fault(sim);
        return true;
}

static struct world *make_world(struct sim *sim, uint64_t start_ms)
{
        const struct client_listener listener = { .max_connections = sim->mix.crowd,
                                                  .connect_rate    = sim->mix.connect_rate };

        sim->lounge = (struct client_listener){ .name       = "memory:lounge",
                                                .durability = sim->mix.durability };
        return world_new(&(struct world_plan){ .shards     = sim->mix.shards,
                                               .settings   = &sim->settings,
                                               .seed       = sim->seed + sim->restarts,
                                               .start_ms   = start_ms,
                                               .durability = sim->mix.durability,
                                               .listener   = &listener,
                                               .prepare    = law_begin,
                                               .context    = sim,
                                               .vault      = sim->vault });
}

bool begin_world(struct sim *sim, uint64_t start_ms)
{
        bool kept = sim->mix.durability != DURABILITY_MEMORY;

        if (kept && sim->vault == NULL)
                sim->vault = vault_new();
        if (kept && sim_chance(sim, 10))        /* then it does not begin, and changes nothing */
                draw_fault(sim);
        sim->world = make_world(sim, start_ms);
        end_fault(sim);
        if (kept && sim->world == NULL)
                sim->world = make_world(sim, start_ms);
        if (sim->world == NULL)
                return sim_fail(sim, "the broker does not begin");
        if (!client_connect(sim, sim->watcher, false))
                return false;
        if (sim->watching)
                return sim_chance(sim, 50) || sim_settle(sim);
        sim->watching = sim_keeps(sim);
        return sim_settle(sim) && client_subscribe_to(sim, sim->watcher, "will/+", 1) &&
               sim_settle(sim);
}

/* Some take what the broker had written before it died, some never see it. */
static bool last_words(struct sim *sim)
{
        unsigned moved = 0;

        for (unsigned i = 0; i < sim->mix.clients; i++)
                if (sim_chance(sim, 50) && sim->clients[i].end != NULL &&
                    !client_read(sim, &sim->clients[i], &moved))
                        return false;
        if (sim->vault != NULL && sim_chance(sim, 50)) {
                begin_fault(sim);
                if (!sim_turns(sim, random_below(&sim->random, CUT_TURNS_MAX)))
                        return false;
        }
        return client_read(sim, sim->watcher, &moved);
}

static bool crash(struct sim *sim)
{
        sim->dropped = check_dropped(sim);
        check_crashed_life(sim);
        check_crashed_messages(sim);
        for (unsigned i = 0; i < sim->mix.clients + 2; i++)
                client_cut(sim, &sim->clients[i]);
        world_crash(TAKE(sim->world));
        end_fault(sim);
        sim->faulty   = false;
        sim->squeezed = false;
        sim->starved_turns = 0;
        sim->restarts++;
        sim_trace(sim, sim->restarts, STR("restart"));
        return check_vault(sim, false);
}

bool act_restart(struct sim *sim, struct sim_client *client)
{
        unsigned gap_ms = random_below(&sim->random,
                                       sim_chance(sim, 75) ? GAP_MS_MAX : LONG_GAP_MS_MAX);
        uint64_t now;

        (void)client;
        if (sim->restarts == sim->mix.restarts)
                return true;
        if (!last_words(sim))
                return false;
        now = sim_now(sim);
        if (!crash(sim))
                return false;
        if (sim_chance(sim, 30))
                sim->mix.shards = 1 + random_below(&sim->random, SHARDS_DRAWN);
        return begin_world(sim, now + gap_ms);
}
