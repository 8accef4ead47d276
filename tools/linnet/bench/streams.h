/* Sequences by key, for publishers of whom nobody knows beforehand. Zeroed it is empty. */
#ifndef LINNET_TOOLS_LINNET_BENCH_STREAMS_H
#define LINNET_TOOLS_LINNET_BENCH_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "sequence.h"

struct stream {
        uint64_t        key;
        bool            used;
        struct sequence sequence;
};

struct streams {
        struct stream *slots;           /* owned; [size], a power of two, at most half full */
        uint32_t       size, count;
};

enum { STREAMS_MAX = 1 << 22 };

/* That of this key; a new one begins with `number`. NULL without memory, or above STREAMS_MAX.
 * Lives until the next call. */
struct sequence *streams_find(struct streams *streams, uint64_t key, uint32_t number);
void             streams_deinit(struct streams *streams);

#endif
