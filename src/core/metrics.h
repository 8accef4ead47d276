/* Counters (emqttd_metrics). Each shard has a set that only it writes; any thread may read and
 * sum. */
#ifndef LINNET_CORE_METRICS_H
#define LINNET_CORE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct metrics {
#define METRIC(field, name, help) _Atomic uint64_t field;
#include "core/metrics.tbl.h"
};

struct metric_info {
        const char *name, *help;
        size_t      offset;             /* in struct metrics */
};

/* The table, in its order; *count is set to its length. Static storage. */
const struct metric_info *metrics_table(size_t *count);

/* A single writer needs no read-modify-write. */
static inline void metric_add(_Atomic uint64_t *metric, uint64_t n)
{
        uint64_t now = atomic_load_explicit(metric, memory_order_relaxed);

        atomic_store_explicit(metric, now + n, memory_order_relaxed);
}

static inline uint64_t metric_read(const struct metrics *metrics, const struct metric_info *info)
{
        const void *at = (const char *)metrics + info->offset;

        return atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
}

#endif
