/* Bytes to packets, for servers and clients, all three versions. Pure: no allocation, no state. */
#ifndef LINNET_MQTT_DECODE_H
#define LINNET_MQTT_DECODE_H

#include <stdint.h>

#include "base/str.h"
#include "mqtt/packet.h"

enum frame_result {
        FRAME_WHOLE,            /* the first packet is all there */
        FRAME_PARTIAL,          /* more bytes are needed */
        FRAME_BAD,              /* the length is malformed: more than four bytes */
};

struct frame {
        enum packet_type type;
        uint8_t          flags;         /* the lower four bits of the first byte */
        uint8_t          header_size;   /* bytes before the body */
        uint32_t         body_size;     /* the remaining length */
};

/* Looks at the fixed header of the first packet in `bytes`. *out is filled for WHOLE, and for
 * PARTIAL as soon as the header is complete (header_size is 0 before), so that a packet that is too
 * large is refused before its body has come. Type and flags are known from the first byte on. */
enum frame_result frame_peek(struct str bytes, struct frame *out);

/* Why a packet was refused: the reason for the peer and words for the log. */
struct decode_error {
        enum reason reason;
        const char *what;               /* "reserved flags are set"; static storage */
};

/* Decodes one whole packet: `frame` as peeked, `body` its bytes behind the header. `version` is
 * that of the connection (any before CONNECT, which brings its own). True: *out is filled and valid
 * by every rule that needs nothing but the packet itself: flags, lengths, UTF-8, which properties
 * may stand where and how often, values in range, reasons that the packet may give, topic names and
 * response topics without wildcards, packet identifiers not zero. Subscription filters are only
 * checked to be UTF-8 and not empty: each of them is refused for itself. What only one side may do
 * is not checked (README.md lists it). False: *error is filled.
 *
 * A CONNECT of an unknown protocol gives UNSUPPORTED_PROTOCOL_VERSION. Whenever one is refused,
 * out->connect.version is the version to answer in: its own, or the nearest that is known, or 3.1.1
 * where it cannot be read.
 *
 * PAYLOAD_FORMAT_INVALID comes last: *out is then filled as if all were right, so that a PUBLISH
 * may be answered by an ack instead of the end of its connection. */
bool decode(const struct frame *frame, struct str body, enum mqtt_version version,
            struct packet *out, struct decode_error *error);

#endif
