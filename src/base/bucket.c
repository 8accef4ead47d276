#include "base/bucket.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/* How long the rate takes to bring `count` tokens: at most 2^32 seconds, in 62 bits. */
static uint64_t time_ns(struct rate rate, uint32_t count)
{
        return (uint64_t)count * NS_PER_S / rate.per_second;
}

static uint64_t later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

bool bucket_take(struct bucket *bucket, struct rate rate, uint32_t count, uint64_t now_ms)
{
        uint64_t now_ns = now_ms * NS_PER_MS;
        uint64_t before, after;

        if (rate.per_second == 0)
                return true;
        before = atomic_load_explicit(&bucket->full_ns, memory_order_relaxed);
        do {
                after = later(before, now_ns) + time_ns(rate, count);
                if (after - now_ns > time_ns(rate, rate.burst))
                        return false;
        } while (!atomic_compare_exchange_weak_explicit(&bucket->full_ns, &before, after,
                                                        memory_order_relaxed,
                                                        memory_order_relaxed));
        return true;
}

uint64_t bucket_charge(struct bucket *bucket, struct rate rate, uint32_t count, uint64_t now_ms)
{
        uint64_t now_ns = now_ms * NS_PER_MS;
        uint64_t after, free_ns;

        if (rate.per_second == 0)
                return 0;
        after = later(atomic_load_explicit(&bucket->full_ns, memory_order_relaxed), now_ns) +
                time_ns(rate, count);
        atomic_store_explicit(&bucket->full_ns, after, memory_order_relaxed);
        free_ns = now_ns + time_ns(rate, rate.burst);
        return after > free_ns ? (after - free_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
}
