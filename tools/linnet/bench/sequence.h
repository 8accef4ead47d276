/* The numbers of one publisher as they come to one subscriber: which are missing, which came
 * twice, which came late. Zeroed it has seen nothing and expects 0, 1, 2 ... modulo 2^32.
 *
 * The last 64 numbers are known exactly. One that is older was a duplicate if nothing before those
 * is missing; otherwise it is taken for a late one. */
#ifndef LINNET_TOOLS_LINNET_BENCH_SEQUENCE_H
#define LINNET_TOOLS_LINNET_BENCH_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

struct sequence {
        uint32_t next;                  /* one more than the highest that has come */
        uint32_t missing;               /* below it */
        uint64_t recent;                /* bit n: next - 1 - n has come */
};

enum sequence_verdict { SEQUENCE_NEXT, SEQUENCE_AHEAD, SEQUENCE_LATE, SEQUENCE_DUPLICATE };

/* AHEAD: those between are missing until they come LATE. */
enum sequence_verdict sequence_take(struct sequence *s, uint32_t number);

/* Whoever joins a stream that runs: what was before `number` is not missed. */
void sequence_begin(struct sequence *s, uint32_t number);

#endif
