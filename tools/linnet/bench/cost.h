/* What a process costs, from /proc: time of all its threads, memory, context switches. */
#ifndef LINNET_TOOLS_LINNET_BENCH_COST_H
#define LINNET_TOOLS_LINNET_BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cost {
        uint64_t cpu_us;                /* by the nanosecond where the kernel has schedstat */
        uint64_t switches;              /* voluntary or not */
        uint64_t rss_kb;
};

bool cost_read(pid_t pid, struct cost *out);    /* false: there is no such process */

uint64_t cost_rss_kb(pid_t pid);                /* 0: there is no such process */

#endif
