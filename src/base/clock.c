/* The two clocks of the machine. */
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define WALL_US_MAX 253402300799999999ull       /* the last microsecond of the year 9999 */

struct date {
        unsigned year, month, day;
};

static struct date date_of(unsigned days);

struct clock_time clock_read(void)
{
        struct timespec mono, wall;
        int             failed = clock_gettime(CLOCK_MONOTONIC, &mono) |
                                 clock_gettime(CLOCK_REALTIME, &wall);

        assert(!failed);        /* Linux has both, and the pointers are good */
        return (struct clock_time){
                .mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000,
                .wall_us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000,
        };
}

void clock_format(uint64_t wall_us, char to[static 25])
{
        if (wall_us > WALL_US_MAX)
                wall_us = WALL_US_MAX;

        /* By hand, because gmtime_r() takes a lock that all threads share. */
        unsigned    ms   = (unsigned)(wall_us / 1000 % 1000);
        uint64_t    s    = wall_us / 1000000;
        unsigned    rest = (unsigned)(s % 86400);
        struct date date = date_of((unsigned)(s / 86400));

        int len = snprintf(to, 25, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", date.year % 10000,
                           date.month, date.day, rest / 3600, rest / 60 % 60, rest % 60, ms);

        assert(len == 24);
}

/* The date of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms"): years
 * that begin in March have their leap day last, and 400 of them are 146097 days. */
static struct date date_of(unsigned days)
{
        unsigned shifted = days + 719468;       /* since 0000-03-01 */
        unsigned era     = shifted / 146097;
        unsigned in_era  = shifted % 146097;
        unsigned year    = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
        unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
        unsigned month   = (5 * in_year + 2) / 153;     /* 0 is March */

        return (struct date){
                .year  = year + era * 400 + (month >= 10),
                .month = month < 10 ? month + 3 : month - 9,
                .day   = in_year - (153 * month + 2) / 5 + 1,
        };
}
