/* What a peer is told: MQTT 5.0 reason codes, and the return codes of the older CONNACK. */
#ifndef LINNET_MQTT_REASON_H
#define LINNET_MQTT_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum reason {
#define REASON(value, name, words) REASON_##name = (value),
#include "mqtt/reason.tbl.h"
};

static inline bool reason_is_error(enum reason reason)
{
        return reason >= 0x80;
}

/* The specification's words, "Not authorized"; "reason 0x.." is never needed: unknown values give
 * "Unknown reason". Static storage. */
const char *reason_text(enum reason reason);

/* The same as a word for logs and scenarios, "not_authorized". Static storage. */
const char *reason_name(enum reason reason);

/* The reason of that name; false when there is none. */
bool reason_from_name(const char *name, enum reason *out);

enum { CONNACK_V3_NONE = 0xff };

/* The CONNACK return code of MQTT 3.1 and 3.1.1 (section 3.2.2.3) that says it best, 0 to 5; or
 * CONNACK_V3_NONE. */
uint8_t reason_connack_v3(enum reason reason);

#endif
