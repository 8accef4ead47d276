/* UTF-8 as MQTT wants it: well formed, no surrogates, no overlong forms, no U+0000
 * [MQTT-1.5.4-1] [MQTT-1.5.4-2]. */
#ifndef LINNET_MQTT_UTF8_H
#define LINNET_MQTT_UTF8_H

#include <stdbool.h>

#include "base/str.h"

bool utf8_valid(struct str text);               /* for strings of the protocol */
bool utf8_valid_payload(struct str text);       /* the same, but U+0000 is allowed */

#endif
