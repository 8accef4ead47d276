/* A whole broker in memory, for tests: its shards are turned by one thread on a clock
 * that moves only when it is told to. */
#ifndef LINNET_TEST_HARNESS_WORLD_H
#define LINNET_TEST_HARNESS_WORLD_H

#include "client/client.h"
#include "services/auth/auth.h"
#include "services/store/store.h"

enum { WORLD_PIPE_BYTES = 1 << 20, WORLD_TURNS_MAX = 100000, WORLD_STEP_MS = 100 };

struct world {
        struct broker          broker;
        struct settings        settings;
        struct clock_time      now;
        struct client_listener listener;
        struct sys            *sys;             /* the services that a daemon has too */
        struct delayed        *delayed;
        struct guard          *guard;
        struct auth           *auth;
        struct store          *store;           /* NULL: nothing is kept */
        struct vault          *vault;           /* what the store has committed */
        bool                   own_vault;       /* goes with the world */
        unsigned               next;            /* the shard that accepts next */
};

/* How to make one. Zeroed it is the default but for `shards` and `settings`. */
struct world_plan {
        unsigned               shards;
        const struct settings *settings;        /* copied */
        const struct auth_config *auth;         /* NULL: nobody is known */
        uint64_t               seed;            /* of the broker's secret and all it draws; 0: 1 */
        uint64_t               start_ms;        /* its clock begins there; 0: 1000 */
        enum durability        durability;
        const struct client_listener *listener; /* what clients are told, copied; NULL: nothing */
        struct vault          *vault;           /* the store's disk, the caller's; NULL: its own */
        bool                 (*prepare)(struct broker *broker, void *context);
        void                  *context;         /* adds what comes before shards start: providers */
};

/* NULL without memory, or when the store does not recover. */
struct world *world_new(const struct world_plan *plan);

/* Frees the ends' broker side too; the test's own ends are the test's to free, before. Asserts
 * that no client outlives its connection; what else is lost LeakSanitizer finds. */
void world_free(struct world *world);

/* The process dies: no loop turns any more, what was on its way is lost, the ends see it closed.
 * What was committed stays in the plan's vault. */
void world_crash(struct world *world);

/* One turn of one shard (its number), of the store (the number of shards, if there is one), or of
 * one that computes passwords (those behind it); true when it did anything. */
bool world_turn(struct world *world, unsigned loop);
unsigned world_loops(const struct world *world);

/* Moves the clock, which the shards see when they turn next. */
void world_tick(struct world *world, uint64_t ms);

/* Turns all loops until none does anything; false when that does not come. */
bool world_run(struct world *world);
bool world_advance(struct world *world, uint64_t ms);

/* The test's end of a new connection; shard -1: the next in turn. NULL without memory. */
struct transport *world_connect(struct world *world, int shard);

/* The same, at a listener that is the caller's. */
struct transport *world_connect_to(struct world *world, struct client_listener *listener,
                                   int shard);

#endif
