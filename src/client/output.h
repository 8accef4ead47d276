/* What waits to be written to one client: a chain of pieces, written with one writev.
 *
 *      | chunk: small packets, copied | reference: a large payload | chunk ...
 *
 * Chunks and references come from slabs of the client manager, so an idle client holds none. */
#ifndef LINNET_CLIENT_OUTPUT_H
#define LINNET_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "base/slab.h"
#include "base/str.h"
#include "core/message.h"
#include "net/transport.h"

struct output_pool {
        struct slab chunks, short_chunks;
        struct slab references;
};

struct output {
        struct output_pool *pool;
        struct list         pieces;
        size_t              bytes;      /* that wait, referenced ones included */
        bool                failed;     /* a packet could not be written whole: no memory */
};

void output_pool_init(struct output_pool *pool);
void output_pool_deinit(struct output_pool *pool);      /* when all outputs are empty */

void output_init(struct output *output, struct output_pool *pool);
void output_drop(struct output *output);                /* forgets what waits */

/* All: false without memory; .failed stays set, for the stream is broken then. */
bool output_write(struct output *output, struct str bytes);
bool output_write_parts(struct output *output, const struct str *parts, unsigned count);
bool output_refer(struct output *output, struct message *message, struct str bytes);

/* One writev. How many bytes went, or -errno; -EAGAIN when the transport takes none. */
ssize_t output_flush(struct output *output, struct transport *transport);

#endif
