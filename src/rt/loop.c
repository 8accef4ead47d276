#include "rt/loop.h"

#include <assert.h>
#include <limits.h>

#include "base/memory.h"

enum { SPARE_BYTES_MAX = 256 * 1024 };   /* of empty parcels that are kept */

static void read_clock(struct loop *loop) ON_SHARD;
static void wait_for_work(struct loop *loop, int wait_ms) ON_SHARD;
static bool deliver_mail(struct loop *loop) ON_SHARD;
static bool run_chores(struct loop *loop, struct list *chores) ON_SHARD;
static bool post_outgoing(struct loop *loop) ON_SHARD;

void loop_init(struct loop *loop, const struct loop_config *config) UNCHECKED
{
        assert(config->count > 0 && config->count <= SHARDS_MAX);
        assert(config->id < config->count);
        assert(config->peers != NULL && config->poll != NULL);

        *loop = (struct loop){ .config = *config };
        read_clock(loop);
        wheel_init(&loop->wheel, loop->now.mono_ms);
        list_init(&loop->turn_end);
        list_init(&loop->next_turn);
        reclaim_init(loop);
        mailbox_init(&loop->mailbox);
}

void loop_deinit(struct loop *loop)
{
        role_claim(loop);
        /* Chores belong to others, which may cancel them later. */
        while (list_pop(&loop->turn_end) != NULL || list_pop(&loop->next_turn) != NULL)
                continue;
        mailbox_deinit(&loop->mailbox);
        reclaim_deinit(loop);
        for (unsigned i = 0; i < loop->written_count; i++)
                parcel_drop(TAKE(loop->outgoing[loop->written[i]]));
        while (loop->spare != NULL) {
                struct parcel *parcel = loop->spare;

                loop->spare = parcel->next;
                mem_free(parcel);
        }
        poll_free(TAKE(loop->config.poll));
        role_leave();
}

bool loop_turn(struct loop *loop, int wait_ms)
{
        struct list put_off;
        bool        did = false;

        role_claim(loop);
        wait_for_work(loop, wait_ms);
        read_clock(loop);

        list_init(&put_off);            /* what this turn puts off must wait for the next */
        list_splice(&put_off, &loop->next_turn);

        did |= deliver_mail(loop);
        did |= poll_tell(loop->config.poll) > 0;
        did |= run_chores(loop, &put_off);
        did |= wheel_advance(&loop->wheel, loop->now.mono_ms, loop) > 0;
        did |= post_outgoing(loop);     /* before anybody outside can know of what it says */
        did |= run_chores(loop, &loop->turn_end);
        did |= post_outgoing(loop);
        did |= reclaim_turn_end(loop);
        did |= post_outgoing(loop);     /* what reclamation wrote, after the rest was posted */

        loop->turns++;
        role_leave();
        return did;
}

void loop_run(struct loop *loop)
{
        /* Acquires what was done before loop_stop(). */
        while (!atomic_load_explicit(&loop->stopping, memory_order_acquire))
                loop_turn(loop, -1);
}

void loop_stop(struct loop *loop)
{
        /* The wake-up lasts: it ends the wait that the loop is in, or the next one. */
        atomic_store_explicit(&loop->stopping, true, memory_order_release);
        poll_wake(loop->config.poll);
}

void *loop_mail(struct loop *loop, unsigned to, const struct mail_ops *ops, size_t size)
{
        assert(to < loop->config.count);

        struct parcel *parcel = loop->outgoing[to];
        bool           first  = parcel == NULL;

        if (first && loop->spare != NULL) {
                if (mem_denied())               /* to a test, one allocation like another */
                        return NULL;
                parcel             = loop->spare;
                loop->spare        = TAKE(parcel->next);
                loop->spare_bytes -= parcel->size;
        }

        struct mail *mail = parcel_append(&parcel, ops, size, loop->config.id);

        if (mail == NULL) {
                if (first)
                        mem_free(parcel);       /* a spare one that could not grow */
                return NULL;
        }
        loop->outgoing[to] = parcel;
        if (first)
                loop->written[loop->written_count++] = (uint8_t)to;
        return mail;
}

void loop_post(struct loop *to, struct parcel *parcel)
{
        if (mailbox_post(&to->mailbox, parcel))
                poll_wake(to->config.poll);
}

void loop_at_turn_end(struct loop *loop, struct chore *chore)
{
        assert(chore->run != NULL);
        if (!list_linked(&chore->in_chores))
                list_push_back(&loop->turn_end, &chore->in_chores);
}

void loop_at_next_turn(struct loop *loop, struct chore *chore)
{
        assert(chore->run != NULL);
        if (!list_linked(&chore->in_chores))
                list_push_back(&loop->next_turn, &chore->in_chores);
}

void chore_cancel(struct chore *chore)
{
        if (list_linked(&chore->in_chores))
                list_remove(&chore->in_chores);
}

void loop_timer(struct loop *loop, struct timer *timer, uint64_t after_ms)
{
        uint64_t due_ms;

        if (__builtin_add_overflow(loop->now.mono_ms, after_ms, &due_ms))
                due_ms = UINT64_MAX;
        wheel_add(&loop->wheel, timer, due_ms);
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
        wheel_remove(&loop->wheel, timer);
}

static void read_clock(struct loop *loop)
{
        struct clock_time now = loop->config.clock != NULL
                                        ? loop->config.clock(loop->config.clock_context)
                                        : clock_read();

        if (now.mono_ms < loop->now.mono_ms)
                now.mono_ms = loop->now.mono_ms;
        loop->now = now;
}

/* How long to wait: not longer than until the first timer, and not at all with work at hand.
 * Reckoned from the time at which the last turn began, so a timer may be late by the length of
 * that turn. */
static int wait_time(const struct loop *loop, int wait_ms) ON_SHARD
{
        uint64_t next_ms = wheel_next_ms(&loop->wheel);
        uint64_t now_ms  = loop->now.mono_ms;
        uint64_t left_ms = next_ms > now_ms ? next_ms - now_ms : 0;

        if (!list_empty(&loop->turn_end) || !list_empty(&loop->next_turn) ||
            loop->written_count > 0)
                return 0;
        if (next_ms == UINT64_MAX || (wait_ms >= 0 && (uint64_t)wait_ms < left_ms))
                return wait_ms;
        return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static void wait_for_work(struct loop *loop, int wait_ms)
{
        wait_ms = wait_time(loop, wait_ms);
        if (wait_ms == 0 || !mailbox_sleep(&loop->mailbox)) {
                poll_collect(loop->config.poll, 0);
                return;
        }
        poll_collect(loop->config.poll, wait_ms);
        mailbox_awake(&loop->mailbox);
}

static void keep_or_free(struct loop *loop, struct parcel *parcel) ON_SHARD
{
        if (loop->spare_bytes + parcel->size > SPARE_BYTES_MAX) {
                mem_free(parcel);
                return;
        }
        parcel_clear(parcel);
        parcel->next       = loop->spare;
        loop->spare        = parcel;
        loop->spare_bytes += parcel->size;
}

static bool deliver_mail(struct loop *loop)
{
        bool did = false;

        for (unsigned i = 0; i < TURN_PARCELS_MAX; i++) {
                struct parcel *parcel = mailbox_take(&loop->mailbox);
                struct mail   *mail;
                uint32_t       at = 0;

                if (parcel == NULL)
                        break;
                while ((mail = parcel_next(parcel, &at)) != NULL)
                        mail->ops->deliver(loop, mail);
                mailbox_done(&loop->mailbox, parcel);
                keep_or_free(loop, parcel);
                did = true;
        }
        return did;
}

static bool run_chores(struct loop *loop, struct list *chores)
{
        struct list *link;
        bool         did = false;

        while ((link = list_pop(chores)) != NULL) {
                struct chore *chore = list_entry(link, struct chore, in_chores);

                chore->run(loop, chore);
                did = true;
        }
        return did;
}

static bool post_outgoing(struct loop *loop)
{
        unsigned count = loop->written_count;

        loop->written_count = 0;
        for (unsigned i = 0; i < count; i++) {
                unsigned to = loop->written[i];

                loop_post(loop->config.peers[to], TAKE(loop->outgoing[to]));
        }
        return count > 0;
}
