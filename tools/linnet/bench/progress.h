/* The line a second that says how a run goes, to stderr: on a terminal, or when asked for. */
#ifndef LINNET_TOOLS_LINNET_BENCH_PROGRESS_H
#define LINNET_TOOLS_LINNET_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

struct progress {
        const struct run *run;
        bool              shown;
        uint64_t          start_us, last_us;
        struct run_totals last;
};

struct progress progress_begin(const struct run *run);
void progress_show(struct progress *progress, const struct run_totals *totals, uint64_t now_us);

#endif
