#include "harness/world.h"

#include <assert.h>

#include "base/memory.h"
#include "services/guard/guard.h"
#include "services/modules/delayed.h"
#include "services/sys/sys.h"

#define WALL_ZERO_US 1699999999000000u /* when the worlds' clocks showed zero */

enum { START_MS = 1000 }; /* of a world that nobody tells a time */

static struct clock_time world_clock(void *context)
{
        return ((struct world *)context)->now;
}

static void world_teardown(struct world *world)
{
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                if (world->broker.shards[i] == NULL)
                        continue;
                role_claim(world->broker.loops[i]);
                journal_close(world->broker.shards[i]);
                role_leave();
        }
        for (unsigned i = 0; i < world->broker.shard_count; i++)
                client_manager_free(world->broker.clients[i]);
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                if (world->broker.shards[i] == NULL)
                        continue;
                shard_deinit(world->broker.shards[i]);
                mem_free(world->broker.shards[i]);
        }
        store_free(world->store);
        broker_deinit(&world->broker);
        sys_free(world->sys);
        delayed_free(world->delayed);
        guard_free(world->guard);
        auth_free(world->auth);
        if (world->own_vault)
                vault_free(world->vault);
        mem_free(world);
}

static bool world_add_store(struct world *world, const struct world_plan *plan)
{
        struct loop_config config = { .poll          = poll_memory_new(),
                                      .clock         = world_clock,
                                      .clock_context = world };
        struct engine     *engine;

        if (plan->durability == DURABILITY_MEMORY) {
                poll_free(config.poll);
                return true;
        }
        world->own_vault = plan->vault == NULL;
        world->vault     = plan->vault != NULL ? plan->vault : vault_new();
        engine           = engine_memory_open(world->vault);
        if (engine == NULL || config.poll == NULL)
                return false;
        world->store = store_new(&world->broker, engine, plan->durability, &config);
        return world->store != NULL;
}

static bool world_add_auth(struct world *world, const struct auth_config *config)
{
        const struct hasher_host host = { .poll_new = poll_memory_new,
                                          .clock    = world_clock,
                                          .context  = world };
        char                     why[AUTH_WHY_SIZE];

        if (config != NULL)
                world->auth = auth_new(&world->broker, NULL, config, &host, why);
        return config == NULL || world->auth != NULL;
}

static bool world_add_shard(struct world *world, unsigned id, uint64_t seed)
{
        struct shard      *shard  = mem_zalloc(sizeof *shard);
        struct poll       *poll   = poll_memory_new();
        struct loop_config config = {
                .id            = id,
                .count         = world->broker.shard_count,
                .peers         = world->broker.loops,
                .poll          = poll,
                .clock         = world_clock,
                .clock_context = world,
        };

        if (shard == NULL || poll == NULL ||
            !shard_init(shard, &world->broker, &config, &world->settings, seed)) {
                mem_free(shard);
                return false;
        }
        world->broker.shards[id] = shard;
        world->broker.loops[id]  = &shard->loop;
        return true;
}

static struct world *world_make(const struct world_plan *plan, uint64_t seed)
{
        uint64_t      start_ms = plan->start_ms != 0 ? plan->start_ms : START_MS;
        struct world *world    = mem_zalloc(sizeof *world);

        if (world == NULL)
                return NULL;
        world->settings            = *plan->settings;
        if (plan->listener != NULL)
                world->listener = *plan->listener;
        world->listener.name       = "memory:test";
        world->listener.durability = plan->durability;
        world->now = (struct clock_time){ start_ms, WALL_ZERO_US + start_ms * 1000 };
        if (!broker_init(&world->broker, plan->shards, "test@world", seed)) {
                mem_free(world);
                return NULL;
        }
        world->broker.started_us = world->now.wall_us;
        world->sys               = sys_new(&world->broker);
        world->delayed           = delayed_new(&world->broker);
        world->guard             = guard_new(&world->broker, NULL);
        assert(world->sys != NULL && world->delayed != NULL && world->guard != NULL);
        return world;
}

static void world_start(struct world *world)
{
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                world->broker.clients[i] = client_manager_new(world->broker.shards[i]);
                assert(world->broker.clients[i] != NULL);
                role_claim(world->broker.loops[i]);
                shard_start(world->broker.shards[i]);
                guard_start(world->guard, world->broker.shards[i]);
                if (i == 0)
                        sys_start(world->sys, world->broker.shards[0]);
                role_leave();
        }
}

struct world *world_new(const struct world_plan *plan)
{
        uint64_t      seed  = plan->seed != 0 ? plan->seed : 1;
        struct world *world = world_make(plan, seed);
        bool          good;

        if (world == NULL)
                return NULL;
        good = (plan->prepare == NULL || plan->prepare(&world->broker, plan->context)) &&
               world_add_auth(world, plan->auth) && world_add_store(world, plan);
        for (unsigned i = 0; i < plan->shards && good; i++)
                good = world_add_shard(world, i, seed + i);
        if (good && world->store != NULL)
                good = store_recover(world->store);
        if (!good) {
                world_teardown(world);
                return NULL;
        }
        world_start(world);
        return world;
}

void world_free(struct world *world)
{
        uint32_t left = 0;

        world_run(world);
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                role_claim(world->broker.loops[i]);
                left += client_count(world->broker.clients[i]);
                role_leave();
        }
        assert(left == 0);
        world_teardown(world);
}

void world_crash(struct world *world)
{
        world_teardown(world);
}

unsigned world_loops(const struct world *world)
{
        return world->broker.shard_count + (world->store != NULL) +
               (world->auth != NULL ? auth_loops(world->auth) : 0);
}

bool world_turn(struct world *world, unsigned loop)
{
        unsigned shards = world->broker.shard_count;
        unsigned stores = world->store != NULL;

        if (loop < shards)
                return loop_turn(world->broker.loops[loop], 0);
        if (loop < shards + stores)
                return loop_turn(store_loop(world->store), 0);
        return loop_turn(auth_loop(world->auth, loop - shards - stores), 0);
}

bool world_run(struct world *world)
{
        for (unsigned turn = 0; turn < WORLD_TURNS_MAX; turn++) {
                bool did = false;

                for (unsigned i = 0; i < world_loops(world); i++)
                        did |= world_turn(world, i);
                if (!did)
                        return true;
        }
        return false;
}

void world_tick(struct world *world, uint64_t ms)
{
        world->now.mono_ms += ms;
        world->now.wall_us += ms * 1000;
}

bool world_advance(struct world *world, uint64_t ms)
{
        while (ms > 0) {
                uint64_t step = ms < WORLD_STEP_MS ? ms : WORLD_STEP_MS;

                world_tick(world, step);
                ms -= step;
                if (!world_run(world))
                        return false;
        }
        return true;
}

struct transport *world_connect(struct world *world, int shard)
{
        return world_connect_to(world, &world->listener, shard);
}

struct transport *world_connect_to(struct world *world, struct client_listener *listener,
                                   int shard)
{
        struct transport *ends[2];
        unsigned          at = shard >= 0 ? (unsigned)shard : world->next++;

        at %= world->broker.shard_count;
        if (!memory_transport_pair(WORLD_PIPE_BYTES, ends))
                return NULL;
        if (!address_parse(STR("127.0.0.1:40000"), &ends[1]->peer))
                assert(false);
        role_claim(world->broker.loops[at]);
        client_accept(world->broker.clients[at], ends[1], listener);
        role_leave();
        return ends[0];
}
