/* A token bucket: so much at once, and so much a second after that.
 *
 * All of it is one time: when the bucket will be full again. What is taken moves it onwards, so
 * there is nothing to refill and no timer. Times are those of the loop, in milliseconds.
 */
#ifndef LINNET_BASE_BUCKET_H
#define LINNET_BASE_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
        uint32_t per_second;            /* 0: no limit */
        uint32_t burst;                 /* what a full bucket holds; at least 1 */
};

/* Zeroed it is full. */
struct bucket {
        _Atomic uint64_t full_ns;
};

/* Takes `count` tokens if there are as many; no limit: true. Any thread. */
bool bucket_take(struct bucket *bucket, struct rate rate, uint32_t count, uint64_t now_ms);

/* Takes them in any case and returns for how many milliseconds the bucket is in debt then; 0: it
 * is not. One thread per bucket. */
uint64_t bucket_charge(struct bucket *bucket, struct rate rate, uint32_t count, uint64_t now_ms);

#endif
