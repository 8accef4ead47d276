/* Publishers that keep a bounded number of QoS 1 messages unacknowledged, and a durable subscriber
 * that is there and acknowledges at once, or has been there. One thread, one epoll. A further
 * connection listens to what the broker says of its store under $SYS. */
#ifndef LINNET_BENCH_LOAD_H
#define LINNET_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct load_plan {
        uint16_t port;
        unsigned publishers;
        unsigned window;                /* messages of one publisher without an acknowledgement */
        unsigned payload;               /* bytes */
        bool     absent;                /* the subscriber is */
};

/* Buckets of latencies: exact up to 64 us, then 64 for each power of two: within 2 %. */
enum { LOAD_STEPS = 64, LOAD_BUCKETS = LOAD_STEPS * 27 };

/* Counters of the store that were heard of: as first and as last heard. */
enum load_figure { LOAD_COMMITS, LOAD_RECORDS, LOAD_COMMIT_US, LOAD_FIGURES };

struct load_counts {
        uint64_t acknowledged;          /* to publishers */
        uint64_t received;              /* by the subscriber */
        uint64_t ns;                    /* that was measured */
        uint32_t latencies[LOAD_BUCKETS];
        uint64_t first[LOAD_FIGURES], last[LOAD_FIGURES];
        bool     heard[LOAD_FIGURES];
        uint64_t heard_ns[2];           /* when the first and the last commits were */
};

struct load_link;

struct load {
        struct load_plan   plan;
        int                epoll;
        unsigned           link_count;
        struct load_link  *links;       /* owned: the monitor, the subscriber, the publishers */
        struct buffer      payload;
        struct load_counts counts;
        bool               failed;      /* it said why */
};

/* Connects all of them. False: it said why. load_close() in either case. */
bool load_open(struct load *load, const struct load_plan *plan);
void load_close(struct load *load);

/* Publishes for so long; counts anew after load_reset(). False: a connection was lost. */
bool load_run(struct load *load, unsigned ms);
void load_reset(struct load *load);

double load_latency_ms(const struct load_counts *counts, double quantile);

#endif
