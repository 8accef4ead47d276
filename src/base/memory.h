/* The heap, through one door.
 *
 * Every allocation of the broker goes through these functions, so that a test can make the nth of
 * them fail, and so that what is held in all is known, to within a slack a thread (mem_held()). Any
 * thread may call them; the books below are kept per thread and cost a compare when no test has
 * asked for them. What was never given back is found by LeakSanitizer.
 */
#ifndef LINNET_BASE_MEMORY_H
#define LINNET_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

void *mem_alloc(size_t size);                           /* NULL when there is no memory */
void *mem_zalloc(size_t size);                          /* the same, zeroed */
void *mem_aligned(size_t alignment, size_t size);       /* a power of two, and a multiple of it */
void *mem_realloc(void *memory, size_t size);           /* NULL leaves `memory` as it was */
void *mem_realloc_array(void *memory, size_t count, size_t size); /* NULL on overflow too */
void  mem_free(void *memory);                           /* NULL is nothing */

/* A pair for those who know the size when they free, and do it for every message: the heap need not
 * be asked. What comes from the one goes to the other. */
void *mem_alloc_known(size_t size);
void  mem_free_known(void *memory, size_t size);

char *mem_dup(struct str bytes);                        /* a copy with a NUL behind it, or NULL */

/* Bytes that were allocated and not freed, by all threads, with the heap's own overhead: at most
 * MEMORY_SLACK_BYTES a thread too few or too many. Any thread; it costs one load. */
uint64_t mem_held(void);

/* Lets `count` allocations of this thread succeed and fails those after it; -1 ends it. */
void mem_fail_after(int64_t count);

/* How many allocations this thread has failed because of mem_fail_after(), since it began. */
uint64_t mem_failures(void);

/* Enters one allocation in the books; true when it must fail. For allocators that are built on
 * these functions and hand out what they already have (slab). */
bool mem_denied(void);

/* Moves a pointer out of a variable, which is NULL from here on: ownership that one can see. */
#define TAKE(pointer)                                                                              \
        __extension__({                                                                            \
                __typeof__(pointer) *from_  = &(pointer);                                          \
                __typeof__(pointer)  taken_ = *from_;                                              \
                *from_                      = NULL;                                                \
                taken_;                                                                            \
        })

#endif
