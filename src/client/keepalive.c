/* Keep alive: arithmetic only. */
#include "client/keepalive.h"

#include <assert.h>

void keepalive_start(struct keepalive *keepalive, uint16_t interval_s, uint32_t backoff_percent,
                     uint64_t now_ms)
{
        assert(backoff_percent > 0);
        keepalive->allowed_ms = (uint64_t)interval_s * 10 * backoff_percent;
        keepalive->last_ms    = now_ms;
}

uint64_t keepalive_left_ms(const struct keepalive *keepalive, uint64_t now_ms)
{
        uint64_t end_ms = keepalive->last_ms + keepalive->allowed_ms;

        if (keepalive->allowed_ms == 0)
                return UINT64_MAX;
        return end_ms > now_ms ? end_ms - now_ms : 0;
}
