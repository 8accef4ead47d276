/* A set of numbers: a bit each, up to the highest. For what comes in any order, exactly. Zeroed it
 * is empty. */
#ifndef LINNET_TOOLS_LINNET_BENCH_NUMBERS_H
#define LINNET_TOOLS_LINNET_BENCH_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers {
        uint64_t *words;        /* owned */
        size_t    size;         /* in words */
};

/* False: it was there already. Without memory it is taken for a new one. */
bool numbers_add(struct numbers *numbers, uint32_t number);
void numbers_deinit(struct numbers *numbers);

#endif
