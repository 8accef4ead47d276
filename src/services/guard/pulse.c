#include "services/guard/pulse.h"

void pulse_look(struct pulse *pulse, uint32_t lag_ms, uint64_t now_ms)
{
        uint64_t late_ms = pulse->due_ms != 0 && now_ms > pulse->due_ms ? now_ms - pulse->due_ms
                                                                        : 0;

        if (lag_ms == 0) {
                pulse->busy = false;
                return;
        }
        if (late_ms >= lag_ms)
                pulse->busy = true;
        if (pulse->busy && late_ms >= lag_ms / 2 + 1)
                pulse->late_ms = now_ms;
        if (pulse->busy && now_ms - pulse->late_ms >= PULSE_CALM_MS)
                pulse->busy = false;
}

void pulse_beat(struct pulse *pulse, uint32_t lag_ms, uint64_t now_ms, uint32_t every_ms)
{
        pulse_look(pulse, lag_ms, now_ms);
        pulse->due_ms = now_ms + every_ms;
}
