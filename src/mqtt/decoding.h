/* What the decoders of this room share: the state of decoding one packet. Private to mqtt/. */
#ifndef LINNET_MQTT_DECODING_H
#define LINNET_MQTT_DECODING_H

#include "mqtt/decode.h"
#include "mqtt/reader.h"

struct decoding {
        struct reader        reader;    /* over the body */
        enum mqtt_version    version;   /* CONNECT sets it */
        uint8_t              flags;     /* of the fixed header */
        struct decode_error *error;
};

/* Says why, and is false. Where bytes were missing, what was read is not what was sent, so that is
 * the reason whatever the caller made of it. */
static inline bool decode_refuse(struct decoding *d, enum reason reason, const char *what)
{
        *d->error = (struct decode_error){ reason, what };
        if (d->reader.failed)
                *d->error = (struct decode_error){ REASON_MALFORMED_PACKET,
                                                   "bytes are missing, or a length is wrong" };
        return false;
}

/* A length-prefixed UTF-8 string [MQTT-1.5.4-1] [MQTT-1.5.3-1]. */
bool decode_string(struct decoding *d, struct str *out);

/* The property section that stands next; none before version 5. `place` is the packet's type, or
 * PLACE_WILL for the will's section of CONNECT. */
enum { PLACE_WILL = 0 };

bool decode_properties(struct decoding *d, unsigned place, struct properties *out);

/* What payload format 1 promises (sections 3.3.2.3.2 and 3.1.3.2.3). Checked last, when all else of
 * the packet is known to be right: see decode(). */
bool check_payload(struct decoding *d, const struct properties *properties, struct str payload);

/* One per kind of packet. The reader stands at the body, whose end decode() checks; flags that are
 * constant have been checked. */
bool decode_connect(struct decoding *d, struct packet *out);
bool decode_subscribe(struct decoding *d, struct packet *out);
bool decode_unsubscribe(struct decoding *d, struct packet *out);

#endif
