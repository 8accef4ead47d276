/* One way of waiting for readiness, as poll.c uses it. Internal to rt/poll*.c. */
#ifndef LINNET_RT_POLL_OPS_H
#define LINNET_RT_POLL_OPS_H

#include <stdbool.h>

#include "base/list.h"
#include "rt/poll.h"

/* All but `wake` are called on the poll's thread. */
struct poll_ops {
        const char *name;

        /* The watch's wants are set and its poll is not. False with errno: nothing was added. */
        bool (*add)(struct poll *poll, struct watch *watch);

        /* The watch wants something else than before; it may be among those that are to be told. */
        void (*change)(struct poll *poll, struct watch *watch);

        /* The watch is among those to be told no more. */
        void (*remove)(struct poll *poll, struct watch *watch);

        /* Waits as poll_collect() says, and moves what is ready to poll->ready, which is empty. */
        void (*collect)(struct poll *poll, int wait_ms);

        /* The watch, taken out of poll->ready, is told next (or not, if it does not want it any
         * more). */
        void (*tell)(struct poll *poll, struct watch *watch);

        void (*wake)(struct poll *poll);
        void (*free)(struct poll *poll);
};

/* The first member of every poll. */
struct poll {
        const struct poll_ops *ops;
        struct list            ready;   /* noted by poll_collect(), to be told by poll_tell() */
        unsigned               count;   /* of watches */
};

enum { POLL_WANTED = POLL_READ | POLL_WRITE | POLL_CLOSED };     /* what a watch may want */

/* What of the watch's readiness is to be told. */
static inline unsigned watch_events(const struct watch *watch)
{
        return watch->is & POLL_FAILED ? POLL_READ | POLL_WRITE : watch->is & watch->wants;
}

static inline void poll_init(struct poll *poll, const struct poll_ops *ops)
{
        *poll = (struct poll){ .ops = ops };
        list_init(&poll->ready);
}

#endif
