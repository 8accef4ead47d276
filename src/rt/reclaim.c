#include "rt/reclaim.h"

#include <assert.h>

#include "base/memory.h"
#include "rt/loop.h"

static bool give_answers(struct loop *loop) ON_SHARD;
static bool end_round(struct loop *loop) ON_SHARD;
static bool release_some(struct loop *loop) ON_SHARD;
static bool begin_batch(struct loop *loop) ON_SHARD;
static bool ask(struct loop *loop) ON_SHARD;
static void on_timer(struct loop *loop, struct timer *timer);

void reclaim_init(struct loop *loop) UNCHECKED
{
        loop->reclaimer = (struct reclaimer){ .timer.fire = on_timer };
}

void reclaim_retire(struct loop *loop, struct retired *retired,
                    void (*release)(struct retired *))
{
        struct reclaimer *reclaimer = &loop->reclaimer;

        assert(release != NULL);
        retired->release   = release;
        retired->next      = reclaimer->waiting;
        reclaimer->waiting = retired;

        /* In a turn, its end sees to it; the timer is for what was retired outside of one. */
        if (reclaimer->round == RECLAIM_IDLE)
                loop_timer(loop, &reclaimer->timer, 0);
}

bool reclaim_turn_end(struct loop *loop)
{
        bool did = give_answers(loop);

        did |= end_round(loop);
        did |= release_some(loop);
        did |= begin_batch(loop);
        did |= ask(loop);
        return did;
}

void reclaim_deinit(struct loop *loop)
{
        struct reclaimer *reclaimer = &loop->reclaimer;

        /* A release may retire again. */
        while (reclaimer->batch != NULL || reclaimer->waiting != NULL) {
                if (reclaimer->batch == NULL)
                        reclaimer->batch = TAKE(reclaimer->waiting);

                struct retired *retired = reclaimer->batch;

                reclaimer->batch = retired->next;
                retired->release(retired);
        }
        wheel_remove(&loop->wheel, &reclaimer->timer);
}

/* This loop's mail of the turn is posted: that is what the askers wait for. */
static bool give_answers(struct loop *loop)
{
        bool did = false;

        for (unsigned word = 0; word < SHARDS_MAX / 64; word++) {
                uint64_t left = loop->answers[word];

                loop->answers[word] = 0;
                for (; left != 0; left &= left - 1) {
                        unsigned     from  = word * 64 + (unsigned)__builtin_ctzll(left);
                        struct loop *asker = loop->config.peers[from];

                        /* Releases our posts and reads to the asker, and acquires those of whoever
                         * answered before us, to pass them on. The asker may sleep: the last one to
                         * answer wakes it. */
                        unsigned missing = atomic_fetch_sub_explicit(&asker->reclaimer.missing, 1,
                                                                     memory_order_acq_rel);

                        assert(missing > 0);
                        if (missing == 1 && asker != loop)
                                poll_wake(asker->config.poll);
                        did = true;
                }
        }
        return did;
}

static void begin_round(struct loop *loop, enum reclaim_round round) ON_SHARD
{
        struct reclaimer *reclaimer = &loop->reclaimer;

        reclaimer->round = round;
        reclaimer->asked = 0;
        /* Relaxed: the post of the mail that asks releases it. */
        atomic_store_explicit(&reclaimer->missing, loop->config.count, memory_order_relaxed);
}

static bool end_round(struct loop *loop)
{
        struct reclaimer *reclaimer = &loop->reclaimer;

        if (reclaimer->round != RECLAIM_ROUND_1 && reclaimer->round != RECLAIM_ROUND_2)
                return false;
        /* Acquires what all that answered did before: after round 1, that their mail is posted, so
         * that the mail of round 2 comes behind it; after round 2, their last look at the batch. */
        if (reclaimer->asked < loop->config.count ||
            atomic_load_explicit(&reclaimer->missing, memory_order_acquire) > 0)
                return false;

        if (reclaimer->round == RECLAIM_ROUND_1)
                begin_round(loop, RECLAIM_ROUND_2);
        else
                reclaimer->round = RECLAIM_RELEASING;
        return true;
}

static bool release_some(struct loop *loop)
{
        struct reclaimer *reclaimer = &loop->reclaimer;

        if (reclaimer->round != RECLAIM_RELEASING)
                return false;

        for (unsigned i = 0; i < RECLAIM_SLICE_MAX && reclaimer->batch != NULL; i++) {
                struct retired *retired = reclaimer->batch;

                reclaimer->batch = retired->next;
                retired->release(retired);
        }
        if (reclaimer->batch == NULL)
                reclaimer->round = RECLAIM_IDLE;
        else
                loop_timer(loop, &reclaimer->timer, 0);
        return true;
}

static bool begin_batch(struct loop *loop)
{
        struct reclaimer *reclaimer = &loop->reclaimer;
        uint64_t          now_ms    = loop->now.mono_ms;

        if (reclaimer->round != RECLAIM_IDLE || reclaimer->waiting == NULL)
                return false;
        if (now_ms < reclaimer->next_ms) {
                loop_timer(loop, &reclaimer->timer, reclaimer->next_ms - now_ms);
                return false;
        }
        loop_timer_cancel(loop, &reclaimer->timer);
        reclaimer->next_ms = now_ms + RECLAIM_PAUSE_MS;
        reclaimer->batch   = TAKE(reclaimer->waiting);
        begin_round(loop, RECLAIM_ROUND_1);
        return true;
}

static void on_ask(struct loop *loop, struct mail *mail)
{
        on_shard(loop);
        assert(mail->from < loop->config.count);

        uint64_t *word = &loop->answers[mail->from / 64];
        uint64_t  bit  = 1ull << mail->from % 64;

        assert(!(*word & bit));         /* one round at a time */
        *word |= bit;
}

/* Asks all shards, this one too, that were not asked in this round yet. */
static bool ask(struct loop *loop)
{
        static const struct mail_ops ops       = { .name = "reclaim", .deliver = on_ask };
        struct reclaimer            *reclaimer = &loop->reclaimer;
        unsigned                     before    = reclaimer->asked;

        if (reclaimer->round != RECLAIM_ROUND_1 && reclaimer->round != RECLAIM_ROUND_2)
                return false;
        while (reclaimer->asked < loop->config.count) {
                if (loop_mail(loop, reclaimer->asked, &ops, sizeof(struct mail)) == NULL) {
                        loop_timer(loop, &reclaimer->timer, RECLAIM_PAUSE_MS);  /* no memory */
                        break;
                }
                reclaimer->asked++;
        }
        return reclaimer->asked > before;
}

/* What is to be done is done at the end of the turn; the timer has seen to it that there is one. */
static void on_timer(struct loop *loop, struct timer *timer)
{
        (void)loop;
        (void)timer;
}
