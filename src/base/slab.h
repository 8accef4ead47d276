/* Objects of one size for one thread: no lock, no size to remember. Memory is taken in chunks, each
 * with a free list of its own; a chunk that has become empty is given back when the others have
 * room for another chunk's worth of objects, or as many as are to be kept.
 *
 *      slab.chunks -> chunk -> chunk -> …      those with room; full ones are in no list
 *
 * Under AddressSanitizer every object is an allocation of its own, so that use after slab_free() is
 * seen.
 */
#ifndef LINNET_BASE_SLAB_H
#define LINNET_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct slab {
        const char *name;               /* for whoever reports memory */
        size_t      object_size;        /* bytes, rounded up to 16 */
        size_t      chunk_size;         /* bytes, a power of two, and what a chunk is aligned to */
        uint32_t    objects_max;        /* the bound; 0 is none */
        uint32_t    objects_used;
        uint32_t    objects_room;       /* free ones in all chunks */
        uint32_t    chunk_objects;      /* how many one chunk holds */
        uint32_t    chunks_kept;        /* beyond one, though they are empty: for what comes and
                                         * goes by the thousand in every turn; its owner sets it */
        bool        plain;              /* no chunks: see above */
        struct list chunks;
};

void  slab_init(struct slab *slab, const char *name, size_t object_size, uint32_t objects_max);
void  slab_deinit(struct slab *slab);           /* asserts that objects_used == 0 */

/* Aligned to 16; NULL at the bound or without memory. What slab_take() gives is not zeroed, for
 * large objects that are filled from the front. */
void *slab_alloc(struct slab *slab);
void *slab_take(struct slab *slab);
void  slab_free(struct slab *slab, void *object); /* NULL is nothing */

/* What its objects and chunks take. */
static inline size_t slab_bytes(const struct slab *slab)
{
        size_t objects = (size_t)slab->objects_used + slab->objects_room;

        if (slab->plain)
                return objects * slab->object_size;
        return objects / slab->chunk_objects * slab->chunk_size;
}

#endif
