/* Keep alive [MQTT5-3.1.2-22] [MQTT3-3.1.2-24]: the time of the last byte, looked
 * at when a timer fires. Nothing is done to the timer when bytes come. */
#ifndef LINNET_CLIENT_KEEPALIVE_H
#define LINNET_CLIENT_KEEPALIVE_H

#include <stdint.h>

struct keepalive {
        uint64_t allowed_ms;            /* silence that is borne; 0: any */
        uint64_t last_ms;               /* bytes came */
};

void keepalive_start(struct keepalive *keepalive, uint16_t interval_s, uint32_t backoff_percent,
                     uint64_t now_ms);

/* 0: the client was silent for too long. UINT64_MAX: it may be so for ever. */
uint64_t keepalive_left_ms(const struct keepalive *keepalive, uint64_t now_ms);

#endif
