/* A shard: the slice of the broker that one thread owns, and what all shards share. */
#ifndef LINNET_CORE_SHARD_H
#define LINNET_CORE_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/random.h"
#include "base/slab.h"
#include "core/access.h"
#include "core/hooks.h"
#include "core/journal.h"
#include "core/metrics.h"
#include "core/retainer.h"
#include "core/route_memo.h"
#include "core/router.h"
#include "core/settings.h"
#include "core/stats.h"
#include "rt/loop.h"

struct gather;

/* Shared by all shards; fixed before they start, but for what its parts say of themselves. */
struct broker {
        unsigned        shard_count;
        struct shard   *shards[SHARDS_MAX];
        struct loop    *loops[SHARDS_MAX];
        struct router  *router;
        struct hooks   *hooks;
        struct access  *access;
        struct store_port *store;       /* NULL: nothing outlives the process */
        uint64_t        machine_memory; /* bytes the process may have at all; 0: unknown */
        _Atomic uint32_t pressure;      /* enum pressure */
        _Atomic uint32_t connections;   /* of all shards, connected or not */
        struct bucket   connects;       /* limits.max_conn_rate */
        _Atomic uint32_t kept_sessions; /* that outlive it, of all shards */
        struct hash_key key;            /* of client ids and topics; a secret of the process */
        char            node_name[128];
        uint64_t        started_us;
        void           *clients[SHARDS_MAX]; /* client_manager of each shard; client/ knows it */
};

struct shard {
        struct loop            loop;
        struct broker         *broker;
        const struct settings *settings;                /* swapped by mail at a reload */
        struct random          random;
        struct guid_source     guids;
        struct metrics         metrics;
        struct stats           stats;
        struct journal         journal;
        struct list            pendings;                /* messages that wait for their time */
        uint32_t               pending_count;
        struct list            dues;                    /* of which it is asked whether they may */
        struct map             sessions;                /* client id -> struct session */
        struct slab            session_slab;
        struct retainer       *retainer;
        struct route_memo     *memo;                    /* of what topics have matched; owned */
        struct matches         matches;                 /* scratch of one publish */
        struct gather         *gathered;                /* scratch of one dispatch */
        uint32_t               gathered_count, gathered_size;
        uint64_t               dispatch_serial;
        struct timer           sweep;                   /* of expired retained messages */
        struct map             replays;                 /* id -> struct replay, of its sessions */
        struct map             cursors;                 /* id -> struct walk, of any replays */
        uint64_t               serial;                  /* of sessions and replays */
        uint32_t               access_epoch;            /* rises when rules on topics change */
        struct list            order;                   /* of sessions (core/review) */
        struct list            leavers;                 /* users whose clients are to go */
        struct chore           review;
        size_t                 review_at;               /* in the first session's subscriptions */
        bool                   review_ended;            /* some of them have ended */
};

/* False without memory. `settings` must outlive the shard or be swapped. */
bool shard_init(struct shard *shard, struct broker *broker, const struct loop_config *config,
                const struct settings *settings, uint64_t seed);

/* When no loop runs: ends all sessions silently and gives everything back. */
void shard_deinit(struct shard *shard);

/* After all shards were initialised: starts the shard's own timers. */
void shard_start(struct shard *shard) ON_SHARD;

static inline struct shard *shard_of(struct loop *loop)
{
        return list_entry(loop, struct shard, loop);
}

static inline unsigned broker_home(const struct broker *broker, struct str client_id)
{
        return (unsigned)(hash_str(&broker->key, client_id) % broker->shard_count);
}

/* A shard's part of a limit for the whole broker, rounded up: hashes spread evenly. */
static inline uint32_t broker_share(const struct broker *broker, uint32_t limit)
{
        return limit / broker->shard_count + (limit % broker->shard_count != 0);
}

/* Shared parts of a broker: router, hooks, access chain. False without memory. */
bool broker_init(struct broker *broker, unsigned shard_count, const char *node_name, uint64_t seed);
void broker_deinit(struct broker *broker);      /* after its shards */

#endif
