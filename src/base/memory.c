/* The heap, through one door: the only file that calls malloc and its kin. */
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local int64_t  successes_left = -1;      /* -1: no test has asked */
static _Thread_local uint64_t failures;

void *mem_alloc(size_t size)
{
        if (mem_denied())
                return NULL;
        return malloc(size > 0 ? size : 1);     /* NULL is to mean one thing only */
}

void *mem_zalloc(size_t size)
{
        if (mem_denied())
                return NULL;
        return calloc(1, size > 0 ? size : 1);
}

void *mem_aligned(size_t alignment, size_t size)
{
        assert(alignment > 0 && (alignment & (alignment - 1)) == 0);
        assert(size > 0 && size % alignment == 0);

        if (mem_denied())
                return NULL;
        return aligned_alloc(alignment, size);
}

void *mem_realloc(void *memory, size_t size)
{
        if (mem_denied())
                return NULL;
        return realloc(memory, size > 0 ? size : 1);    /* realloc(p, 0) would free p */
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
