#include "stamp.h"

#include <string.h>
#include <time.h>

#define HOUR_US 3600000000ull

enum { RUN_SHIFT = 56 };

static uint64_t read_clock(clockid_t id)
{
        struct timespec now;

        clock_gettime(id, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t stamp_now(void)
{
        static uint64_t offset;

        if (offset == 0)
                offset = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
        return read_clock(CLOCK_MONOTONIC) + offset;
}

void stamp_write(const struct stamp *stamp, void *to)
{
        uint64_t head = stamp->at_us | (uint64_t)stamp->run << RUN_SHIFT;

        memcpy(to, &head, sizeof(head));
        memcpy((char *)to + 8, &stamp->publisher, 4);
        memcpy((char *)to + 12, &stamp->number, 4);
}

bool stamp_read(struct str payload, uint64_t now_us, struct stamp *out)
{
        uint64_t head;

        if (payload.len < STAMP_SIZE)
                return false;
        memcpy(&head, payload.ptr, sizeof(head));
        memcpy(&out->publisher, payload.ptr + 8, 4);
        memcpy(&out->number, payload.ptr + 12, 4);
        out->run   = (uint8_t)(head >> RUN_SHIFT);
        out->at_us = head & (((uint64_t)1 << RUN_SHIFT) - 1);
        return out->at_us + HOUR_US > now_us && out->at_us < now_us + HOUR_US;
}
