/* A thread with connections of its own: it dials, publishes, receives and counts. Its turn: what
 * has happened on its sockets; who is to be dialled; who is to publish. Other threads read its
 * tally, and wake it. */
#ifndef LINNET_TOOLS_LINNET_BENCH_WORKER_H
#define LINNET_TOOLS_LINNET_BENCH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "faults.h"
#include "histogram.h"
#include "numbers.h"
#include "run.h"

struct link;

/* One writer, any reader. */
struct tally {
        _Atomic uint64_t ready;                 /* connected, and subscribed */
        _Atomic uint64_t failed;                /* before that */
        _Atomic uint64_t dropped;               /* after it */
        _Atomic uint64_t live;                  /* connections that are ready now */
        _Atomic uint64_t cycles, pongs, cleared;
        _Atomic uint64_t published, acked, delivered, duplicates, reordered, foreign;
        _Atomic uint64_t expected;              /* deliveries of what was published */
        _Atomic uint64_t refused;               /* by PUBACK or PUBREC with an error */
        _Atomic uint64_t skipped;               /* numbers that a foreign publisher's lack */
        _Atomic uint64_t measured_published, measured_delivered;        /* behind the warm-up */
        _Atomic uint64_t first_delivery_us, last_publish_us, last_delivery_us, last_ack_us,
                last_ready_us;
};

static inline void tally_add(_Atomic uint64_t *counter, uint64_t more)
{
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                              memory_order_relaxed);
}

static inline uint64_t tally_read(const _Atomic uint64_t *counter)
{
        return atomic_load_explicit(counter, memory_order_relaxed);
}

struct worker {
        struct run  *run;
        unsigned     index;
        pthread_t    thread;
        bool         started;
        int          epoll;
        int          wake;                      /* an eventfd */
        struct stage stage;                     /* a copy of the run's */

        struct link  *links;                    /* owned: subscribers, then publishers */
        uint32_t      subscribers, publishers;
        struct list   ready;                    /* publishers that may have something to send */
        uint64_t      cursor;                   /* of the schedule: rounds x publishers */
        struct list   waiting;                  /* links that are to be dialled */
        uint32_t      dialled;                  /* in this stage */
        uint32_t      dialling;                 /* of those: no answer yet */
        uint32_t      looked;                   /* how far the keepalive's walk is */
        uint64_t      tick_us;                  /* when the next tick is due */

        char         *in;                       /* owned; shared by all reads of this thread */
        size_t        in_size;
        struct buffer out;                      /* what the link in hand writes in this turn */
        char         *payload;                  /* [options->size]; owned */
        bool          pokes[BENCH_THREADS_MAX]; /* who is to be woken when this turn ends */

        struct numbers   *taken;                /* [publishers]; owned: BENCH_SHARED, by any */
        _Atomic uint64_t *delivered;            /* [run's publishers]; owned; here, of each */
        struct tally      tally;
        struct histogram  latency;              /* of deliveries; in BENCH_PUB, of acks */
        struct histogram  connecting;
        struct faults     faults;
};

/* Makes the links of this worker. False: it said why; worker_deinit() in either case. */
bool worker_prepare(struct worker *worker, struct run *run, unsigned index);
void worker_deinit(struct worker *worker);

bool worker_start(struct worker *worker);       /* its thread, once all are prepared */
void worker_join(struct worker *worker);        /* after STAGE_STOP; what it counted stays */
void worker_wake(struct worker *worker);        /* any thread */

/* On the worker's thread, from the links. */
void worker_ready(struct worker *worker, struct link *publisher);
void worker_ready_number(struct worker *worker, uint32_t publisher);    /* any worker's */

/* The deliveries of a publisher's messages that all workers together have counted. */
uint64_t worker_delivered(const struct worker *worker, uint32_t publisher);

#endif
