/* What the threads of one benchmark share: the plan, and the stage that it is in. */
#ifndef LINNET_TOOLS_LINNET_BENCH_RUN_H
#define LINNET_TOOLS_LINNET_BENCH_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cost.h"
#include "dial.h"
#include "options.h"

enum role { ROLE_SUBSCRIBER = 1, ROLE_PUBLISHER = 2 };

enum stage_kind {
        STAGE_IDLE,             /* keep alive, and receive */
        STAGE_CONNECT,
        STAGE_CHURN,            /* connect, subscribe, disconnect, and again */
        STAGE_SUBSCRIBE,        /* who is connected and did not yet */
        STAGE_PUBLISH,
        STAGE_PING,             /* each, once */
        STAGE_CLOSE,
        STAGE_STOP,             /* disconnect, and end */
};

struct stage {
        unsigned        number;                 /* tells it from the one before */
        enum stage_kind kind;
        unsigned        roles;                  /* of whom, in CONNECT, PING, CLOSE */
        bool            afresh;                 /* CONNECT: with a clean session, and no more */
        bool            resumed;                /* CONNECT: to sessions that are subscribed */
        bool            clearing;               /* PUBLISH: what removes retained messages */
        uint64_t        start_us;
        uint64_t        measure_us;             /* messages stamped earlier are warm-up */
};

struct worker;

struct run {
        const struct bench_options *options;
        struct dial                 dial;
        uint8_t                     id;                 /* stands in every stamp */
        char                        prefix[72];         /* of client ids */
        uint32_t                    publishers, subscribers;
        unsigned                    worker_count;
        struct worker              *workers;            /* owned */

        uint64_t                    measure_us;         /* of the last STAGE_PUBLISH */

        uint64_t                    owed;       /* deliveries of what is stored, */
        uint64_t                    receive_us; /* which come from then on */
        struct cost                 measured;           /* the broker's, at measure_us */
        uint64_t                    rss_peak_kb;        /* of the broker, as far as looked at */

        _Atomic uint32_t listening;     /* subscribers that are subscribed now */
        _Atomic unsigned stage_number;
        pthread_mutex_t  mutex;         /* guards: */
        struct stage     stage;
};

enum run_end {
        RUN_DONE,
        RUN_STOPPED,            /* by a signal */
        RUN_STALLED,            /* nothing has moved for --timeout */
        RUN_DESERTED,           /* nobody is left who could go on */
};

struct run_totals {
        uint64_t ready, failed, dropped, live, cycles, pongs, cleared, published, acked,
                delivered, duplicates, reordered, foreign, expected, refused, skipped,
                measured_published, measured_delivered;
        uint64_t first_delivery_us, last_publish_us, last_delivery_us, last_ack_us, last_ready_us;
};

/* Looks the broker up, makes room for descriptors, starts the threads. False: it said why.
 * run_close() in either case. */
bool run_open(struct run *run, const struct bench_options *options);
void run_close(struct run *run);
void run_stop(struct run *run);                 /* ends the threads; what they counted stays */

/* Each returns how it ended. `totals` are those at its end. */
enum run_end run_connect(struct run *run, const struct stage *stage, struct run_totals *totals);
enum run_end run_publish(struct run *run, struct run_totals *totals);
enum run_end run_hold(struct run *run, struct run_totals *totals);      /* --duration; 0: no end */
enum run_end run_churn(struct run *run, struct run_totals *totals);

/* Until all that is owed has come; it comes from when `stage` begins. */
enum run_end run_receive(struct run *run, const struct stage *stage, struct run_totals *totals);

/* What follows goes on although a signal has stopped what was before. */
void run_go_on(void);

/* Removes the retained messages again. */
enum run_end run_clear(struct run *run, struct run_totals *totals);

enum run_end run_ping(struct run *run, struct run_totals *totals);      /* and its answers */
enum run_end run_leave(struct run *run, unsigned roles, struct run_totals *totals);

struct run_totals run_totals(const struct run *run);

/* Deliveries that were to come and did not, so far. */
uint64_t run_lost(const struct run *run, const struct run_totals *totals);

/* Messages are delivered as they are published, not stored for later. */
static inline bool run_is_live(const struct run *run)
{
        return run->options->mode >= BENCH_PAIR && run->options->mode <= BENCH_SHARED;
}

/* The client id of a connection, into CLIENT_ID_SIZE bytes. */
void run_client_id(const struct run *run, enum role role, uint32_t number, char *to);

#endif
