/* What the encoders of this room share. Private to mqtt/. */
#ifndef LINNET_MQTT_ENCODING_H
#define LINNET_MQTT_ENCODING_H

#include "mqtt/packet.h"
#include "mqtt/writer.h"

/* A length in front of what is not written yet: one byte is kept free for it, and should it need
 * more, what was written moves. So nothing is measured beforehand, and what is short stays. */
struct open_length {
        uint8_t *at;            /* NULL: the writer had failed */
};

struct open_length length_open(struct writer *w);
void               length_close(struct writer *w, struct open_length length);

/* The property length and section of a packet, or of a will (place 0). NULL: none. */
void encode_properties(struct writer *w, unsigned place, const struct properties *properties);

bool properties_empty(const struct properties *properties);

#endif
