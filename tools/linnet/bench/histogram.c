#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
        unsigned shift = value < HISTOGRAM_STEPS ? 0 : 57 - (unsigned)__builtin_clzll(value);
        uint64_t at    = (uint64_t)HISTOGRAM_STEPS * shift + (value >> shift);

        return at < HISTOGRAM_BUCKETS ? (unsigned)at : HISTOGRAM_BUCKETS - 1;
}

/* The highest value that falls into it. */
static uint64_t bucket_end(unsigned at)
{
        unsigned shift = at < 2 * HISTOGRAM_STEPS ? 0 : at / HISTOGRAM_STEPS - 1;

        return ((uint64_t)(at - HISTOGRAM_STEPS * shift + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t value)
{
        h->count++;
        h->buckets[bucket_of(value)]++;
        if (value > h->max)
                h->max = value;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
        to->count += from->count;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
                to->buckets[i] += from->buckets[i];
        if (from->max > to->max)
                to->max = from->max;
}

uint64_t histogram_quantile(const struct histogram *h, double quantile)
{
        double   wanted = quantile * (double)h->count;
        uint64_t seen   = 0;

        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                seen += h->buckets[i];
                if (seen > 0 && (double)seen >= wanted)
                        return i < HISTOGRAM_BUCKETS - 1 && bucket_end(i) < h->max ? bucket_end(i)
                                                                                   : h->max;
        }
        return 0;
}
