/* The first bytes of every payload: who sent it, its number, and when it was to be sent.
 *
 *      | stamp and run | publisher | number |
 *      0               8           12       16
 *
 * Times are microseconds since 1970 of a clock that does not step: the wall clock's offset is
 * looked up once. So they compare between processes, and between machines whose clocks agree. */
#ifndef LINNET_TOOLS_LINNET_BENCH_STAMP_H
#define LINNET_TOOLS_LINNET_BENCH_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { STAMP_SIZE = 16 };

struct stamp {
        uint64_t at_us;
        uint32_t publisher;
        uint32_t number;
        uint8_t  run;                   /* tells this run's messages from those of another */
};

uint64_t stamp_now(void);               /* any thread, after the first call has returned */

void stamp_write(const struct stamp *stamp, void *to);  /* STAMP_SIZE bytes */

/* False: no payload of ours, as far as one can see: too short, or of another hour than `now`. */
bool stamp_read(struct str payload, uint64_t now_us, struct stamp *out);

#endif
