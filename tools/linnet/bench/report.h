/* What a benchmark has measured, and how it is told: a table for people, an object for programs. */
#ifndef LINNET_TOOLS_LINNET_BENCH_REPORT_H
#define LINNET_TOOLS_LINNET_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"
#include "faults.h"
#include "histogram.h"
#include "options.h"
#include "run.h"

enum { PHASES_MAX = 8 };

struct phase {
        const char *name;
        uint64_t    messages;           /* or connections, or cycles */
        double      elapsed_s;
        uint64_t    cpu_us;             /* of the broker */
};

struct report {
        const struct bench_options *options;
        double            elapsed_s;
        double            connect_s;
        double            publish_s;    /* from the first measured message to the last one */
        double            delivery_s;   /* and to the last delivery */
        struct run_totals totals;
        uint64_t          connected, refused;   /* of the first connecting, or of all churn */
        uint64_t          connections;          /* at the end */
        uint64_t          lost;
        struct histogram  connecting, latency;
        struct faults     faults;

        bool        has_broker;
        struct cost idle, before;       /* without connections; with all of them */
        struct cost measured, after;    /* around what is measured */
        uint64_t    rss_peak_kb;
        unsigned    phase_count;
        struct phase phases[PHASES_MAX];
};

void report_print(const struct report *report);         /* the table, to stdout */

/* The object, to the file of --json. False: it said why. */
bool report_json(const struct report *report);

double report_bytes_per_connection(const struct report *report);

static inline double report_rate(uint64_t count, double seconds)
{
        return seconds > 0 ? (double)count / seconds : 0;
}

static inline double report_each(uint64_t us, uint64_t count)
{
        return count > 0 ? (double)us / (double)count : 0;
}

#endif
