/* Objects of one size, in chunks.
 *
 * A chunk is aligned to its own size, so that an object's address with its low bits cleared is the
 * address of its chunk: freeing needs no search and objects have no header.
 */
#include "base/slab.h"

#include "base/memory.h"
#include "base/platform.h"

#include <assert.h>
#include <string.h>

enum {
        SLAB_ALIGNMENT       = 16,
        SLAB_CHUNK_BYTES     = 65536,   /* the least that is taken from the heap at once */
        SLAB_CHUNK_OBJECTS   = 8,       /* large objects make a chunk larger, not lonely */
        SLAB_OBJECT_SIZE_MAX = 1 << 24,
};

struct slab_object {
        struct slab_object *next;       /* while it is free */
};

struct slab_chunk {
        _Alignas(SLAB_ALIGNMENT) struct list in_slab;   /* slab.chunks, while it has room */
        struct slab        *slab;
        struct slab_object *free;       /* given back */
        uint32_t            used;
        uint32_t            touched;    /* the objects before this one have been handed out once */
};

static_assert(sizeof(struct slab_chunk) % SLAB_ALIGNMENT == 0, "objects follow the header");

static struct slab_chunk *chunk_new(struct slab *slab);
static struct slab_chunk *chunk_of(const struct slab *slab, const void *object);
static void              *chunk_take(struct slab_chunk *chunk);
static void               chunk_give(struct slab_chunk *chunk, void *object);
static void               chunk_free(struct slab_chunk *chunk);

void slab_init(struct slab *slab, const char *name, size_t object_size, uint32_t objects_max)
{
        assert(object_size > 0 && object_size <= SLAB_OBJECT_SIZE_MAX);

        *slab = (struct slab){
                .name        = name,
                .object_size = (object_size + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT,
                .chunk_size  = SLAB_CHUNK_BYTES,
                .objects_max = objects_max,
                .plain       = PLATFORM_ASAN,
        };
        list_init(&slab->chunks);

        size_t least = sizeof(struct slab_chunk) + SLAB_CHUNK_OBJECTS * slab->object_size;

        while (slab->chunk_size < least)
                slab->chunk_size *= 2;
        slab->chunk_objects =
                (uint32_t)((slab->chunk_size - sizeof(struct slab_chunk)) / slab->object_size);
}

void slab_deinit(struct slab *slab)
{
        struct list *link;

        assert(slab->objects_used == 0);
        while ((link = list_pop(&slab->chunks)) != NULL)        /* so every chunk is listed */
                mem_free(list_entry(link, struct slab_chunk, in_slab));
        slab->objects_room = 0;
}

void *slab_alloc(struct slab *slab)
{
        void *object = slab_take(slab);

        return object != NULL ? memset(object, 0, slab->object_size) : NULL;
}

void *slab_take(struct slab *slab)
{
        if (slab->objects_used >= (slab->objects_max > 0 ? slab->objects_max : UINT32_MAX / 2))
                return NULL;

        void *object;

        if (slab->plain) {
                object = mem_alloc(slab->object_size);
        } else {
                struct slab_chunk *chunk;

                /* Enters the books of memory.h even where there is room: to a test that makes the
                 * nth allocation fail, this is one. */
                if (mem_denied())
                        return NULL;
                chunk  = list_empty(&slab->chunks)
                               ? chunk_new(slab)
                               : list_entry(slab->chunks.next, struct slab_chunk, in_slab);
                object = chunk != NULL ? chunk_take(chunk) : NULL;
        }
        if (object != NULL)
                slab->objects_used++;
        return object;
}

void slab_free(struct slab *slab, void *object)
{
        if (object == NULL)
                return;
        assert(slab->objects_used > 0);
        slab->objects_used--;
        if (slab->plain)
                mem_free(object);
        else
                chunk_give(chunk_of(slab, object), object);
}

static struct slab_chunk *chunk_new(struct slab *slab)
{
        struct slab_chunk *chunk = mem_aligned(slab->chunk_size, slab->chunk_size);

        if (chunk == NULL)
                return NULL;
        *chunk = (struct slab_chunk){ .slab = slab };
        list_push_front(&slab->chunks, &chunk->in_slab);
        slab->objects_room += slab->chunk_objects;
        return chunk;
}

static struct slab_chunk *chunk_of(const struct slab *slab, const void *object)
{
        size_t             offset = (uintptr_t)object & (slab->chunk_size - 1);
        struct slab_chunk *chunk  = (struct slab_chunk *)((uintptr_t)object - offset);

        assert(chunk->slab == slab);
        assert(offset >= sizeof *chunk);
        assert((offset - sizeof *chunk) % slab->object_size == 0);
        return chunk;
}

/* An object of a chunk that has room. */
static void *chunk_take(struct slab_chunk *chunk)
{
        struct slab        *slab   = chunk->slab;
        struct slab_object *object = chunk->free;

        assert(chunk->used < slab->chunk_objects);
        if (object != NULL) {
                chunk->free = object->next;
        } else {
                assert(chunk->touched < slab->chunk_objects);
                object = (void *)((char *)(chunk + 1) + chunk->touched * slab->object_size);
                chunk->touched++;
        }

        slab->objects_room--;
        if (++chunk->used == slab->chunk_objects)
                list_remove(&chunk->in_slab);
        return object;
}

static void chunk_give(struct slab_chunk *chunk, void *object)
{
        struct slab        *slab  = chunk->slab;
        struct slab_object *freed = object;

        assert(chunk->used > 0);
        freed->next = chunk->free;
        chunk->free = freed;
        slab->objects_room++;

        /* What was full a moment ago is filled first, what is empty last: so chunks empty. */
        if (chunk->used-- == slab->chunk_objects)
                list_push_front(&slab->chunks, &chunk->in_slab);
        if (chunk->used > 0)
                return;
        if (slab->objects_room - slab->chunk_objects >=
            slab->chunk_objects * (1 + slab->chunks_kept)) {
                chunk_free(chunk);
                return;
        }
        list_remove(&chunk->in_slab);
        list_push_back(&slab->chunks, &chunk->in_slab);
}

static void chunk_free(struct slab_chunk *chunk)
{
        assert(chunk->used == 0);
        chunk->slab->objects_room -= chunk->slab->chunk_objects;
        list_remove(&chunk->in_slab);
        mem_free(chunk);
}
