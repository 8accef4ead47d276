/* Whether a shard keeps up: a timer that comes late says by how much its loop lags. Pure. */
#ifndef LINNET_SERVICES_GUARD_PULSE_H
#define LINNET_SERVICES_GUARD_PULSE_H

#include <stdbool.h>
#include <stdint.h>

enum { PULSE_CALM_MS = 2000 };          /* without half the lag, until it is well again */

struct pulse {
        uint64_t due_ms;                /* when the next beat should come; 0: none has */
        uint64_t late_ms;               /* mono time at which it was late for the last time */
        bool     busy;
};

/* The beat came, or it is asked for meanwhile: it is late when it should have come already. */
void pulse_look(struct pulse *pulse, uint32_t lag_ms, uint64_t now_ms);

/* It came, and the next one is due then. */
void pulse_beat(struct pulse *pulse, uint32_t lag_ms, uint64_t now_ms, uint32_t every_ms);

#endif
