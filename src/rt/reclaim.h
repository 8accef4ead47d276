/* Freeing what other shards may still be reading.
 *
 * Readers of shared structures (the route index) take no lock and write nothing. Whoever unlinks a
 * piece retires it; it is freed when no shard can reach it any more, neither from a function that
 * is still running nor from mail on its way. Two rounds of mail prove that, since mail is first
 * in, first out:
 *
 *   round 1   every shard has ended a turn since, so all mail that could hold the piece is posted
 *   round 2   every shard has handled the mail that lay in its mailbox after round 1
 *
 * One batch is under way per shard; what is retired meanwhile waits for the next, and batches begin
 * RECLAIM_PAUSE_MS apart, since each costs every shard two mails. A handler must not pass on a
 * pointer that its mail brought: it looks the thing up again. No pointer is kept from turn to turn,
 * and the drop of a mail does not follow those that it holds.
 */
#ifndef LINNET_RT_RECLAIM_H
#define LINNET_RT_RECLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rt/role.h"
#include "rt/wheel.h"

struct loop;

struct retired {
        struct retired *next;
        void (*release)(struct retired *retired);
};

enum {
        RECLAIM_PAUSE_MS  = 20,
        RECLAIM_SLICE_MAX = 1024,       /* released in one turn */
};

enum reclaim_round { RECLAIM_IDLE, RECLAIM_ROUND_1, RECLAIM_ROUND_2, RECLAIM_RELEASING };

struct reclaimer {
        struct retired    *waiting;     /* for the next batch */
        struct retired    *batch;       /* under way, or being released */
        enum reclaim_round round;
        unsigned           asked;       /* shards that were asked in this round */
        _Atomic unsigned   missing;     /* that have not answered yet; they count it down */
        uint64_t           next_ms;     /* no batch begins before */
        struct timer       timer;       /* makes a turn when there is something to do later */
};

void reclaim_init(struct loop *loop);

/* `release` is called later, on this loop's thread (or when the loops are torn down). It may retire
 * other things. */
void reclaim_retire(struct loop *loop, struct retired *retired,
                    void (*release)(struct retired *)) ON_SHARD;

/* The loop's: answers rounds, then moves its own batch on. Called at the end of a turn, after all
 * mail of the turn was posted; the mail that it writes is posted after it. True when it did
 * anything. */
bool reclaim_turn_end(struct loop *loop) ON_SHARD;

/* Releases everything at once; only when no loop runs any more. */
void reclaim_deinit(struct loop *loop) ON_SHARD;

#endif
