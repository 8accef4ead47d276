/* From the words of a line to the bytes of a packet. */
#ifndef LINNET_SCENARIO_BUILD_H
#define LINNET_SCENARIO_BUILD_H

#include "mqtt/packet.h"
#include "script.h"

/* The client that sends it. */
struct build_client {
        enum mqtt_version version;
        const char       *name;
        const char       *assigned;     /* its client id where the line gives "?" */
        uint16_t          last_id;      /* of acknowledgements where the line gives none */
};

/* The bytes of the packet that `verb` names; 0 when there is no such verb or it does not fit. */
size_t build_packet(void *to, size_t size, const char *verb, const struct words *words,
                    const struct build_client *client);
size_t build_hex(unsigned char *to, size_t size, const struct words *words, unsigned first);
enum reason build_reason(const char *text, enum reason otherwise);

#endif
