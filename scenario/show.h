/* A packet as words: "publish topic=a payload=hi qos=1 ...", which is what
 * expectations are held against. */
#ifndef LINNET_SCENARIO_SHOW_H
#define LINNET_SCENARIO_SHOW_H

#include "base/buffer.h"
#include "mqtt/packet.h"
#include "script.h"

/* One word a line. */
bool show_packet(struct buffer *to, const struct packet *packet, enum mqtt_version version);
bool show_matches(struct str shown, const struct words *expects, unsigned first);

#endif
