/* A whole broker in memory, for tests: its shards are turned by one thread on a clock
 * that moves only when it is told to. */
#ifndef LINNET_TEST_HARNESS_WORLD_H
#define LINNET_TEST_HARNESS_WORLD_H

#include "client/client.h"

enum { WORLD_PIPE_BYTES = 1 << 20, WORLD_TURNS_MAX = 100000, WORLD_STEP_MS = 100 };

struct world {
        struct broker          broker;
        struct settings        settings;
        struct clock_time      now;
        struct client_listener listener;
        struct sys            *sys;             /* the services that a daemon has too */
        struct delayed        *delayed;
        unsigned               next;            /* the shard that accepts next */
};

/* NULL without memory. The settings are copied. From the seed follow the broker's secret and all it
 * draws; its clock begins at start_ms: for worlds one after the other on one clock. */
struct world *world_new(unsigned shards, const struct settings *settings, uint64_t seed,
                        uint64_t start_ms);

/* `prepare` adds what a broker gets before its shards start, as access providers. */
typedef bool world_prepare(struct broker *broker, void *context);
struct world *world_new_with(unsigned shards, const struct settings *settings,
                             world_prepare *prepare, void *context);

/* Frees the ends' broker side too; the test's own ends are the test's to free, before. Asserts
 * that no client outlives its connection; what else is lost LeakSanitizer finds. */
void world_free(struct world *world);

/* The process dies: no loop turns any more, what was on its way is lost, the ends see it closed. */
void world_crash(struct world *world);

/* One turn of one shard; true when it did anything. */
bool world_turn(struct world *world, unsigned shard);

/* Moves the clock, which the shards see when they turn next. */
void world_tick(struct world *world, uint64_t ms);

/* Turns all loops until none does anything; false when that does not come. */
bool world_run(struct world *world);
bool world_advance(struct world *world, uint64_t ms);

/* The test's end of a new connection; shard -1: the next in turn. NULL without memory. */
struct transport *world_connect(struct world *world, int shard);

#endif
