#include "harness/world.h"

#include <assert.h>

#include "base/memory.h"
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
        for (unsigned i = 0; i < world->broker.shard_count; i++)
                client_manager_free(world->broker.clients[i]);
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                if (world->broker.shards[i] == NULL || world->delayed == NULL)
                        continue;
                role_claim(world->broker.loops[i]);
                delayed_clear(world->delayed, world->broker.shards[i]);
                role_leave();
        }
        for (unsigned i = 0; i < world->broker.shard_count; i++) {
                if (world->broker.shards[i] == NULL)
                        continue;
                shard_deinit(world->broker.shards[i]);
                mem_free(world->broker.shards[i]);
        }
        broker_deinit(&world->broker);
        sys_free(world->sys);
        delayed_free(world->delayed);
        mem_free(world);
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

static struct world *world_make(unsigned shards, const struct settings *settings, uint64_t seed,
                                uint64_t start_ms)
{
        struct world *world = mem_zalloc(sizeof *world);

        if (world == NULL)
                return NULL;
        world->settings      = *settings;
        world->listener.name = "memory:test";
        world->now           = (struct clock_time){ start_ms, WALL_ZERO_US + start_ms * 1000 };
        if (!broker_init(&world->broker, shards, "test@world", seed)) {
                mem_free(world);
                return NULL;
        }
        world->broker.started_us = world->now.wall_us;
        world->sys               = sys_new(&world->broker);
        world->delayed           = delayed_new(&world->broker);
        assert(world->sys != NULL && world->delayed != NULL);
        return world;
}

static struct world *world_begin(struct world *world, uint64_t seed)
{
        unsigned shards = world->broker.shard_count;

        for (unsigned i = 0; i < shards; i++) {
                if (!world_add_shard(world, i, seed + i)) {
                        world_teardown(world);
                        return NULL;
                }
        }
        for (unsigned i = 0; i < shards; i++) {
                world->broker.clients[i] = client_manager_new(world->broker.shards[i]);
                assert(world->broker.clients[i] != NULL);
                role_claim(world->broker.loops[i]);
                shard_start(world->broker.shards[i]);
                if (i == 0)
                        sys_start(world->sys, world->broker.shards[0]);
                role_leave();
        }
        return world;
}

struct world *world_new(unsigned shards, const struct settings *settings, uint64_t seed,
                        uint64_t start_ms)
{
        struct world *world = world_make(shards, settings, seed, start_ms);

        return world != NULL ? world_begin(world, seed) : NULL;
}

struct world *world_new_with(unsigned shards, const struct settings *settings,
                             world_prepare *prepare, void *context)
{
        struct world *world = world_make(shards, settings, 1, START_MS);

        if (world != NULL && prepare != NULL && !prepare(&world->broker, context)) {
                world_teardown(world);
                return NULL;
        }
        return world != NULL ? world_begin(world, 1) : NULL;
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

bool world_turn(struct world *world, unsigned shard)
{
        return loop_turn(world->broker.loops[shard], 0);
}

bool world_run(struct world *world)
{
        for (unsigned turn = 0; turn < WORLD_TURNS_MAX; turn++) {
                bool did = false;

                for (unsigned i = 0; i < world->broker.shard_count; i++)
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
        struct transport *ends[2];
        unsigned          at = shard >= 0 ? (unsigned)shard : world->next++;

        at %= world->broker.shard_count;
        if (!memory_transport_pair(WORLD_PIPE_BYTES, ends))
                return NULL;
        if (!address_parse(STR("127.0.0.1:40000"), &ends[1]->peer))
                assert(false);
        role_claim(world->broker.loops[at]);
        client_accept(world->broker.clients[at], ends[1], &world->listener);
        role_leave();
        return ends[0];
}
