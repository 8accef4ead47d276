/* One thread's event loop. A turn is:
 *
 *      1. wait for readiness, not at all when mail or chores are there; then read the clock
 *      2. mail that lay in the mailbox, in one batch of at most TURN_PARCELS_MAX parcels
 *      3. ready descriptors, each with the budget of its owner; chores that the last turn put off
 *      4. due timers
 *      5. one post per loop written to; chores of the turn's end (dirty clients write); one post
 *         more for what these have written
 *
 * So mail lies in its mailbox before a client is told what it says: who subscribes on another shard
 * after an acknowledgement finds what was retained by it, for its query lies behind.
 * Handlers append; the end of the turn writes. All loops of a group can be turned by one thread in
 * any order, which is what the simulator does.
 */
#ifndef LINNET_RT_LOOP_H
#define LINNET_RT_LOOP_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/list.h"
#include "rt/mail.h"
#include "rt/poll.h"
#include "rt/reclaim.h"
#include "rt/role.h"
#include "rt/wheel.h"

/* Something to be done later on the same thread. Embedded by its owner; zeroed at first. A chore is
 * out of its list when it runs. */
struct chore {
        struct list in_chores;
        void (*run)(struct loop *loop, struct chore *chore);
};

struct loop_config {
        unsigned      id;               /* its place in `peers` */
        unsigned      count;            /* loops of the group, itself included */
        struct loop **peers;            /* [count]; outlives the loops; filled before a turn */
        struct poll  *poll;             /* taken */
        struct clock_time (*clock)(void *context);      /* NULL is the machine's */
        void         *clock_context;
};

struct loop {
        struct loop_config config;
        struct clock_time  now SHARD_OWNED;     /* read once a turn; mono never steps back */
        struct wheel       wheel SHARD_OWNED;
        struct list        turn_end SHARD_OWNED;        /* chores */
        struct list        next_turn SHARD_OWNED;       /* chores */
        struct parcel     *outgoing[SHARDS_MAX] SHARD_OWNED;    /* by destination */
        uint8_t            written[SHARDS_MAX] SHARD_OWNED;     /* which are not NULL */
        unsigned           written_count SHARD_OWNED;
        struct parcel     *spare SHARD_OWNED;           /* empty parcels, for the next mail */
        size_t             spare_bytes SHARD_OWNED;
        struct reclaimer   reclaimer SHARD_OWNED;
        uint64_t           answers[SHARDS_MAX / 64] SHARD_OWNED; /* bits: whose reclaimers wait */
        uint64_t           turns SHARD_OWNED;
        _Atomic bool       stopping;
        char               apart[64];                   /* others write what follows */
        struct mailbox     mailbox;                     /* any thread posts */
};

static_assert(SHARDS_MAX <= UINT8_MAX + 1, "written[] keeps a loop's id in a byte");

void loop_init(struct loop *loop, const struct loop_config *config);

/* When no loop of the group runs any more. Mail is dropped, what was retired is released, with the
 * loop's role; its poll must have no watches. */
void loop_deinit(struct loop *loop);

/* One turn; waits up to wait_ms (-1: as long as nothing happens). True when it did anything. By any
 * thread, one after the other; it has the loop's role meanwhile. */
bool loop_turn(struct loop *loop, int wait_ms);

void loop_run(struct loop *loop);       /* turns until loop_stop() */
void loop_stop(struct loop *loop);      /* any thread */

/* A zeroed mail of `size` bytes to loop `to` (itself included), posted towards the end of the
 * turn. Valid until the next mail to the same loop; NULL without memory. */
void *loop_mail(struct loop *loop, unsigned to, const struct mail_ops *ops, size_t size) ON_SHARD;

/* The same from outside of the group, with mails from MAIL_FROM_OUTSIDE: posted at once; takes the
 * parcel. */
void loop_post(struct loop *to, struct parcel *parcel) ANY_THREAD;

/* Both do nothing when the chore waits already, for whichever. What a chore of the turn's end adds
 * to the turn's end runs in this one, so it must not add itself for ever. */
void loop_at_turn_end(struct loop *loop, struct chore *chore) ON_SHARD;
void loop_at_next_turn(struct loop *loop, struct chore *chore) ON_SHARD;
void chore_cancel(struct chore *chore);                         /* nothing when it does not wait */

/* Sets a timer `after_ms` from now, or anew. */
void loop_timer(struct loop *loop, struct timer *timer, uint64_t after_ms) ON_SHARD;
void loop_timer_cancel(struct loop *loop, struct timer *timer) ON_SHARD;

#endif
