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
        STAGE_PUBLISH,
        STAGE_STOP,             /* disconnect, and end */
};

struct stage {
        unsigned        number;                 /* tells it from the one before */
        enum stage_kind kind;
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
        uint64_t ready, failed, dropped, published, acked, delivered, duplicates, reordered,
                foreign, expected, refused, skipped, measured_published, measured_delivered;
        uint64_t first_delivery_us, last_publish_us, last_delivery_us, last_ack_us, last_ready_us;
};

/* Looks the broker up, makes room for descriptors, starts the threads. False: it said why.
 * run_close() in either case. */
bool run_open(struct run *run, const struct bench_options *options);
void run_close(struct run *run);
void run_stop(struct run *run);                 /* ends the threads; what they counted stays */

/* Each returns how it ended. `totals` are those at its end. */
enum run_end run_connect(struct run *run, struct run_totals *totals);
enum run_end run_publish(struct run *run, struct run_totals *totals);
enum run_end run_hold(struct run *run, struct run_totals *totals);      /* --duration; 0: no end */

struct run_totals run_totals(const struct run *run);

/* Deliveries that were to come and did not, so far. */
uint64_t run_lost(const struct run *run, const struct run_totals *totals);

/* The client id of a connection, into CLIENT_ID_SIZE bytes. */
void run_client_id(const struct run *run, enum role role, uint32_t number, char *to);

#endif
