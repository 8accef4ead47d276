/* The heap, through one door: the only file that calls malloc and its kin. */
#include "base/memory.h"

#include <assert.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { CHUNK_OVERHEAD = 8 };    /* of glibc, which keeps each chunk's size beside it */

static _Thread_local int64_t  successes_left = -1;      /* -1: no test has asked */
static _Thread_local uint64_t failures;
static _Thread_local int64_t  unsettled;                /* of this thread, not in `held` yet */
static _Atomic int64_t        held;

/* A thread that frees what another took settles both in the end: only the sum means anything. */
static void settle(size_t more, size_t less)
{
        unsettled += (int64_t)more - (int64_t)less;
        if (__builtin_expect(unsettled < MEMORY_SLACK_BYTES && unsettled > -MEMORY_SLACK_BYTES, 1))
                return;
        atomic_fetch_add_explicit(&held, unsettled, memory_order_relaxed);
        unsettled = 0;
}

static size_t size_of(void *memory)
{
        return memory != NULL ? malloc_usable_size(memory) + CHUNK_OVERHEAD : 0;
}

static void *taken(void *memory)
{
        settle(size_of(memory), 0);
        return memory;
}

uint64_t mem_held(void)
{
        int64_t sum = atomic_load_explicit(&held, memory_order_relaxed);

        return sum > 0 ? (uint64_t)sum : 0;
}

void *mem_alloc(size_t size)
{
        if (mem_denied())
                return NULL;
        return taken(malloc(size > 0 ? size : 1));      /* NULL is to mean one thing only */
}

void *mem_zalloc(size_t size)
{
        if (mem_denied())
                return NULL;
        return taken(calloc(1, size > 0 ? size : 1));
}

void *mem_aligned(size_t alignment, size_t size)
{
        assert(alignment > 0 && (alignment & (alignment - 1)) == 0);
        assert(size > 0 && size % alignment == 0);

        if (mem_denied())
                return NULL;
        return taken(aligned_alloc(alignment, size));
}

void *mem_realloc(void *memory, size_t size)
{
        size_t before = size_of(memory);
        void  *after;

        if (mem_denied())
                return NULL;
        after = realloc(memory, size > 0 ? size : 1);   /* realloc(p, 0) would free p */
        if (after != NULL)
                settle(size_of(after), before);
        return after;
}

void *mem_realloc_array(void *memory, size_t count, size_t size)
{
        size_t bytes;

        if (__builtin_mul_overflow(count, size, &bytes))
                return NULL;
        return mem_realloc(memory, bytes);
}

void mem_free(void *memory)
{
        settle(0, size_of(memory));
        free(memory);
}

/* About what the heap makes of it. */
static size_t known_size(size_t size)
{
        return (size + CHUNK_OVERHEAD + 15) & ~(size_t)15;
}

void *mem_alloc_known(size_t size)
{
        void *memory = mem_denied() ? NULL : malloc(size > 0 ? size : 1);

        if (memory != NULL)
                settle(known_size(size), 0);
        return memory;
}

void mem_free_known(void *memory, size_t size)
{
        if (memory == NULL)
                return;
        settle(0, known_size(size));
        free(memory);
}

char *mem_dup(struct str bytes)
{
        assert(bytes.len < SIZE_MAX);

        char *copy = mem_alloc(bytes.len + 1);

        if (copy == NULL)
                return NULL;
        if (bytes.len > 0)
                memcpy(copy, bytes.ptr, bytes.len);
        copy[bytes.len] = '\0';
        return copy;
}

void mem_fail_after(int64_t count)
{
        assert(count >= -1);
        successes_left = count;
}

uint64_t mem_failures(void)
{
        return failures;
}

bool mem_denied(void)
{
        if (__builtin_expect(successes_left < 0, 1))
                return false;
        if (successes_left == 0) {
                failures++;
                return true;
        }
        successes_left--;
        return false;
}
