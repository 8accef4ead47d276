/* Frames of WebSocket (RFC 6455, section 5) in and out of bytes, through libwslay. Which frames may
 * come, and when, is for whoever reads them. */
#ifndef LINNET_NET_WEBSOCKET_FRAME_H
#define LINNET_NET_WEBSOCKET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum websocket_opcode {
        WEBSOCKET_CONTINUATION = 0,
        WEBSOCKET_TEXT = 1,
        WEBSOCKET_BINARY = 2,
        WEBSOCKET_CLOSE = 8,
        WEBSOCKET_PING = 9,
        WEBSOCKET_PONG = 10,
};

enum {
        WEBSOCKET_HEADER_SIZE = 14,  /* at most */
        WEBSOCKET_CONTROL_MAX = 125, /* bytes in a close, ping or pong */
};

/* What has come of a frame. */
struct websocket_part {
        unsigned   opcode;   /* any of 4 bits */
        unsigned   reserved; /* its three bits */
        bool       final;    /* no continuation follows */
        bool       masked;
        bool       starts, ends; /* the first, the last of this frame */
        uint64_t   size;         /* of the whole frame's payload */
        struct str bytes;        /* unmasked; until the next call */
};

/* A frame that is on its way in: some 4 KB, so one who waits for none has none. */
struct websocket_reader;

struct websocket_reader *websocket_reader_new(void); /* NULL without memory */
void                     websocket_reader_free(struct websocket_reader *reader);

enum websocket_result { WEBSOCKET_PART, WEBSOCKET_MORE, WEBSOCKET_BAD };

/* Takes from the front of `bytes`. MORE: all of it, and there is no part yet. BAD: a length that no
 * frame may have, or a control frame in pieces. */
enum websocket_result websocket_read(struct websocket_reader *reader, struct str *bytes,
                                     struct websocket_part *out);

/* Between two frames, and all it took was told of: a new one would do as well. */
bool websocket_at_rest(const struct websocket_reader *reader);

/* The header of a server's frame with `size` bytes behind it; its length, 0 without memory. */
size_t websocket_header(char to[static WEBSOCKET_HEADER_SIZE], enum websocket_opcode opcode,
                        size_t size);

#endif
