/* What there is just now (emqttd_stats). A shard keeps its own; a sum over shards is the
 * broker's. */
#ifndef LINNET_CORE_STATS_H
#define LINNET_CORE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct stats {
        _Atomic uint64_t clients;               /* connected */
        _Atomic uint64_t sessions;
        _Atomic uint64_t subscriptions;
        _Atomic uint64_t shared_subscriptions;
        _Atomic uint64_t retained;
        _Atomic uint64_t retained_bytes;
        _Atomic uint64_t queued;                /* messages in session queues */
};

/* The owner's thread only. */
static inline void stat_set(_Atomic uint64_t *stat, uint64_t value)
{
        atomic_store_explicit(stat, value, memory_order_relaxed);
}

static inline void stat_change(_Atomic uint64_t *stat, int64_t by)
{
        stat_set(stat, atomic_load_explicit(stat, memory_order_relaxed) + (uint64_t)by);
}

static inline uint64_t stat_read(const _Atomic uint64_t *stat)
{
        return atomic_load_explicit(stat, memory_order_relaxed);
}

#endif
