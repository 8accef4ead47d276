/* What a subscribing link asks for, and how it checks what comes. */
#ifndef LINNET_TOOLS_LINNET_BENCH_SUBSCRIBER_H
#define LINNET_TOOLS_LINNET_BENCH_SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "mqtt/decode.h"
#include "numbers.h"
#include "sequence.h"
#include "streams.h"

struct link;

struct subscriber {
        struct sequence *sequences;     /* [count]; owned: of the publishers from `first` on */
        uint32_t         first, count;
        struct numbers   taken;         /* BENCH_RETAIN: of all messages, in any order */
        struct streams   strangers;     /* of publishers that are not ours: BENCH_SUB */
};

bool subscriber_init(struct link *link);        /* false without memory */
void subscriber_deinit(struct link *link);

void subscriber_ask(struct link *link);         /* writes its SUBSCRIBE */

/* A PUBLISH: counts it, and writes its acknowledgement. */
void subscriber_take(struct link *link, const struct frame *frame, struct str body,
                     uint64_t now_us);

#endif
