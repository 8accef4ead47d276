/* How often which value was: within 1.6 %, whatever its size. Zeroed it is empty.
 *
 *      0 .. 63         a bucket each
 *      64 .. 127       64 buckets, 128 .. 255 64 of them two wide, and so on
 *
 * One thread; those of several are added up when they have ended. */
#ifndef LINNET_TOOLS_LINNET_BENCH_HISTOGRAM_H
#define LINNET_TOOLS_LINNET_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
        HISTOGRAM_STEPS   = 64,                         /* for each power of two */
        HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 36,       /* up to 2^41; the last has all above */
};

struct histogram {
        uint64_t count;
        uint64_t max;                   /* exact */
        uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t value);
void histogram_add(struct histogram *to, const struct histogram *from);

/* The least value that is not below the share `quantile` (0 to 1) of all, rounded up to the end of
 * its bucket; 0 when there is none. */
uint64_t histogram_quantile(const struct histogram *h, double quantile);

#endif
