/* The two clocks of the machine. Only rt/loop and what lies outside the core ask them; the core is
 * told the time. */
#ifndef LINNET_BASE_CLOCK_H
#define LINNET_BASE_CLOCK_H

#include <stdint.h>

struct clock_time {
        uint64_t mono_ms;       /* never steps back; its zero means nothing */
        uint64_t wall_us;       /* microseconds since 1970 UTC; may step */
};

struct clock_time clock_read(void);

/* "2026-11-23T08:15:04.123Z" of a wall time, with its NUL, into 25 bytes. */
void clock_format(uint64_t wall_us, char to[static 25]);

#endif
