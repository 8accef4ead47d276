#include "core/pressure.h"

#include "base/memory.h"
#include "core/alarm.h"

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 1000 };

uint64_t pressure_limit(const struct shard *shard)
{
        const struct settings *settings = shard->settings;

        return settings->memory_limit > 0
                       ? settings->memory_limit
                       : shard->broker->machine_memory / 100 * settings->memory_share_percent;
}

enum pressure pressure_at(enum pressure before, uint64_t held, uint64_t limit)
{
        uint64_t percent = limit / 100;

        if (limit == 0 || held < 85 * percent)
                return PRESSURE_NONE;
        if (held >= limit || (before == PRESSURE_HARD && held >= 95 * percent))
                return PRESSURE_HARD;
        return held >= 90 * percent || before != PRESSURE_NONE ? PRESSURE_SOFT : PRESSURE_NONE;
}

/* Whichever shard sees a change first tells of it. */
ON_SHARD static void change(struct shard *shard, uint32_t before, enum pressure now)
{
        static const char *const why[] = {
                [PRESSURE_NONE] = NULL,
                [PRESSURE_SOFT] = "above 90% of memory.limit: publishers are slowed down",
                [PRESSURE_HARD] = "at memory.limit: connections and messages are refused",
        };

        if (atomic_compare_exchange_strong_explicit(&shard->broker->pressure, &before, now,
                                                    memory_order_relaxed, memory_order_relaxed))
                alarm_tell(shard, "memory", STR("limit"), why[now]);
}

enum pressure pressure_of(struct shard *shard)
{
        uint32_t      before = atomic_load_explicit(&shard->broker->pressure, memory_order_relaxed);
        enum pressure now = pressure_at((enum pressure)before, mem_held(), pressure_limit(shard));

        if (__builtin_expect(now != before, 0))
                change(shard, before, now);
        return now;
}

uint32_t pressure_pause_ms(struct shard *shard)
{
        uint64_t limit = pressure_limit(shard), held = mem_held(), soft = limit / 100 * 90;

        if (pressure_of(shard) == PRESSURE_NONE)
                return 0;
        if (held <= soft)
                return PAUSE_MIN_MS;
        if (held >= limit)
                return PAUSE_MAX_MS;
        return (uint32_t)(PAUSE_MIN_MS +
                          (PAUSE_MAX_MS - PAUSE_MIN_MS) * (held - soft) / (limit - soft));
}
