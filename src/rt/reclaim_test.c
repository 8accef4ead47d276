#include "rt/reclaim.h"

#include <pthread.h>
#include <unistd.h>

#include "base/random.h"
#include "rt/group_test.h"
#include "rt/poll_ops.h"
#include "unit.h"

enum { ALIVE = 0x600d, PLACES = 8 };

/* A piece of a structure that all loops read: found through `shared`, freed by reclamation. */
struct piece {
        unsigned       magic;
        _Atomic unsigned in_mail;       /* the model: mails on their way that hold it */
        struct retired retired;
};

static _Atomic(struct piece *) shared[PLACES];
static _Atomic unsigned        pieces, delivered;

static struct piece *piece_new(void)
{
        struct piece *piece = mem_zalloc(sizeof *piece);

        piece->magic = ALIVE;
        atomic_fetch_add_explicit(&pieces, 1, memory_order_relaxed);
        return piece;
}

/* From here on asserted, not expected: it runs on threads of its own too, where no test can end. */
static void on_release(struct retired *retired)
{
        struct piece *piece = list_entry(retired, struct piece, retired);

        assert(piece->magic == ALIVE);
        assert(atomic_load_explicit(&piece->in_mail, memory_order_relaxed) == 0);
        piece->magic = 0;
        atomic_fetch_sub_explicit(&pieces, 1, memory_order_relaxed);
        mem_free(piece);
}

struct held {
        struct mail   mail;
        struct piece *piece;
};

static void on_held(struct loop *loop, struct mail *mail)
{
        struct piece *piece = ((struct held *)(void *)mail)->piece;

        on_shard(loop);
        assert(piece->magic == ALIVE);
        atomic_fetch_sub_explicit(&piece->in_mail, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&delivered, 1, memory_order_relaxed);
}

static const struct mail_ops held_ops = { .name = "held", .deliver = on_held };

/* What a reader does: finds a piece and mails it to another loop. */
static void read_and_mail(struct loop *loop, unsigned place, unsigned to) ON_SHARD
{
        struct piece *piece = atomic_load_explicit(&shared[place], memory_order_acquire);

        if (piece == NULL)
                return;
        assert(piece->magic == ALIVE);

        struct held *held = loop_mail(loop, to, &held_ops, sizeof *held);

        if (held == NULL)
                return;
        held->piece = piece;
        atomic_fetch_add_explicit(&piece->in_mail, 1, memory_order_relaxed);
}

/* What a writer does: puts another piece into the place, or none, and retires the old one. */
static void replace(struct loop *loop, unsigned place, struct piece *by) ON_SHARD
{
        struct piece *old = atomic_exchange_explicit(&shared[place], by, memory_order_acq_rel);

        if (old != NULL)
                reclaim_retire(loop, &old->retired, on_release);
}

static void replace_by_hand(struct loop *loop, unsigned place, struct piece *by)
{
        role_claim(loop);
        replace(loop, place, by);
        role_leave();
}

/* ---- one after the other --------------------------------------------------------------------- */

TEST(what_is_retired_is_released_once_and_for_all)
{
        static const unsigned counts[] = { 1, 2, 65, SHARDS_MAX };
        const unsigned       *count;

        EACH(counts, count) {
                struct group group;

                group_init(&group, *count);
                replace_by_hand(group.loops[0], 0, piece_new());
                replace_by_hand(group.loops[0], 0, NULL);
                replace_by_hand(group.loops[*count - 1], 1, piece_new());
                replace_by_hand(group.loops[*count - 1], 1, NULL);
                EXPECT_EQ(pieces, 2);
                group_settle(&group);
                EXPECT_EQ(pieces, 0);
                group_deinit(&group);
        }
}

TEST(mail_that_lies_unread_holds_a_piece)
{
        struct group group;
        struct loop *writer, *reader, *late;

        group_init(&group, 3);
        writer = group.loops[0];
        reader = group.loops[1];
        late   = group.loops[2];

        replace_by_hand(writer, 0, piece_new());
        role_claim(reader);
        read_and_mail(reader, 0, 2);
        role_leave();
        replace_by_hand(writer, 0, NULL);
        for (unsigned i = 0; i < 20; i++) {             /* all but one go on */
                loop_turn(writer, 0);
                loop_turn(reader, 0);
        }
        EXPECT_EQ(pieces, 1);
        loop_turn(late, 0);                             /* answers round 1; its mail is read */
        EXPECT_EQ(delivered, 1);
        for (unsigned i = 0; i < 20; i++)
                loop_turn(writer, 0);
        EXPECT_EQ(pieces, 1);
        group_settle(&group);
        EXPECT_EQ(pieces, 0);
        group_deinit(&group);
}

TEST(batches_begin_a_pause_apart)
{
        struct group group;

        group_init(&group, 2);
        for (unsigned i = 0; i < 3; i++) {
                replace_by_hand(group.loops[0], 0, piece_new());
                group_settle(&group);
        }
        EXPECT_EQ(pieces, 2);                           /* the first is released, one waits */
        group.now.mono_ms += RECLAIM_PAUSE_MS - 1;
        group_settle(&group);
        EXPECT_EQ(pieces, 2);
        group.now.mono_ms += 1;
        group_settle(&group);
        EXPECT_EQ(pieces, 1);
        replace_by_hand(group.loops[0], 0, NULL);
        group_deinit(&group);
        EXPECT_EQ(pieces, 0);
}

TEST(a_turn_releases_a_bounded_number)
{
        enum { MANY = 2 * RECLAIM_SLICE_MAX + 10 };
        struct group group;
        unsigned     left = MANY;

        group_init(&group, 1);
        for (unsigned i = 0; i < MANY; i++)
                replace_by_hand(group.loops[0], 0, piece_new());
        replace_by_hand(group.loops[0], 0, NULL);
        for (unsigned turns = 0; left > 0; turns++) {
                EXPECT(turns < 20);
                EXPECT(loop_turn(group.loops[0], 0), "there is something to do");
                EXPECT(left - pieces <= RECLAIM_SLICE_MAX);
                left = pieces;
        }
        group_deinit(&group);
}

TEST(without_memory_a_round_is_asked_later)
{
        struct group group;
        unsigned     cut_short = 0;

        for (unsigned fail_after = 0; fail_after < 8; fail_after++) {
                struct loop *writer;

                group_init(&group, 3);
                writer = group.loops[1];
                replace_by_hand(writer, 0, piece_new());
                replace_by_hand(writer, 0, NULL);
                mem_fail_after(fail_after);
                for (unsigned i = 0; i < 30; i++)
                        loop_turn(group.loops[i % 3], 0);
                mem_fail_after(-1);

                role_claim(writer);
                if (writer->reclaimer.asked < 3) {
                        cut_short++;
                        EXPECT(timer_is_set(&writer->reclaimer.timer), "who would turn it?");
                }
                role_leave();
                group.now.mono_ms += RECLAIM_PAUSE_MS;
                group_settle(&group);
                EXPECT_EQ(pieces, 0);
                group_deinit(&group);
        }
        EXPECT(cut_short > 2);
}

/* A poll that only looks on: the moment in which the last answer is given is seen nowhere else. */
static struct loop *watched;
static uint64_t     bytes_when_woken;
static unsigned     wakes;

static void spy_collect(struct poll *poll, int wait_ms)
{
        (void)poll;
        (void)wait_ms;
}

static void spy_wake(struct poll *poll)
{
        (void)poll;
        bytes_when_woken = mailbox_bytes(&watched->mailbox);
        wakes++;
}

static void spy_free(struct poll *poll)
{
        mem_free(poll);
}

static const struct poll_ops spy_ops = {
        .name    = "spy",
        .collect = spy_collect,
        .wake    = spy_wake,
        .free    = spy_free,
};

/* Else the mail of round 2 might come before the mail that holds the piece. */
TEST(an_answer_is_given_after_the_mail_of_the_turn_was_posted)
{
        struct group group;
        struct poll *spy = mem_alloc(sizeof *spy);

        group_init(&group, 3);
        poll_free(group.loops[0]->config.poll);
        poll_init(spy, &spy_ops);
        group.loops[0]->config.poll = spy;
        watched                     = group.loops[2];
        wakes                       = 0;

        replace_by_hand(group.loops[0], 0, piece_new());
        replace_by_hand(group.loops[0], 0, piece_new());
        loop_turn(group.loops[0], 0);                   /* asks */
        loop_turn(group.loops[0], 0);                   /* and answers itself */
        loop_turn(group.loops[2], 0);
        EXPECT_EQ(mailbox_bytes(&watched->mailbox), 0);
        EXPECT_EQ(wakes, 0);

        role_claim(group.loops[1]);
        read_and_mail(group.loops[1], 0, 2);
        role_leave();
        loop_turn(group.loops[1], 0);                   /* the last one to answer */
        EXPECT_EQ(wakes, 1);
        EXPECT_EQ(bytes_when_woken, sizeof(struct held));
        replace_by_hand(group.loops[0], 0, NULL);
        group_settle(&group);
        group_deinit(&group);
        EXPECT_EQ(pieces, 0);
}

struct nested {
        struct retired retired;
        struct loop   *loop;
        struct piece  *inner;
};

static void on_nested_release(struct retired *retired)
{
        struct nested *nested = list_entry(retired, struct nested, retired);

        on_shard(nested->loop);
        reclaim_retire(nested->loop, &nested->inner->retired, on_release);
}

TEST(a_release_may_retire)
{
        for (unsigned turned = 0; turned < 2; turned++) {
                struct group  group;
                struct nested nested;

                group_init(&group, 1);
                nested = (struct nested){ .loop = group.loops[0], .inner = piece_new() };
                role_claim(group.loops[0]);
                reclaim_retire(group.loops[0], &nested.retired, on_nested_release);
                role_leave();
                if (turned) {
                        group_settle(&group);
                        EXPECT_EQ(pieces, 1);
                        group.now.mono_ms += RECLAIM_PAUSE_MS;
                        group_settle(&group);
                        EXPECT_EQ(pieces, 0);
                }
                group_deinit(&group);
                EXPECT_EQ(pieces, 0);
        }
}

/* ---- the model: random order, one thread ----------------------------------------------------- */

enum { LOOPS_MAX = 5, STEPS = 20000, SEEDS = 15 };

static struct random dice;

/* Something that a loop does in its turn, or between two. */
static void act(struct loop *loop) ON_SHARD
{
        unsigned place = random_below(&dice, PLACES);

        switch (random_below(&dice, 4)) {
        case 0:
                replace(loop, place, random_below(&dice, 3) > 0 ? piece_new() : NULL);
                break;
        default:
                read_and_mail(loop, place, random_below(&dice, loop->config.count));
                break;
        }
}

static void on_chore(struct loop *loop, struct chore *chore)
{
        (void)chore;
        on_shard(loop);
        act(loop);
}

static void step(struct group *group, struct chore *chores)
{
        unsigned     id   = random_below(&dice, group->count);
        struct loop *loop = group->loops[id];

        role_claim(loop);
        switch (random_below(&dice, 4)) {
        case 0:
                loop_at_turn_end(loop, &chores[id]);
                break;
        case 1:
                loop_at_next_turn(loop, &chores[id]);
                break;
        case 2:
                act(loop);
                break;
        default:
                break;
        }
        role_leave();
        if (random_below(&dice, 2) == 0)
                group->now.mono_ms += random_below(&dice, RECLAIM_PAUSE_MS);

        /* Some loops are slow, each at its time. */
        unsigned slowness = (id + (unsigned)(group->now.mono_ms >> 10)) % group->count;

        if (random_below(&dice, 1 + 4 * slowness) == 0)
                loop_turn(loop, 0);
}

TEST(nothing_is_freed_that_any_loop_may_still_reach)
{
        for (unsigned seed = 1; seed <= SEEDS; seed++) {
                struct group group;
                struct chore chores[LOOPS_MAX] = { 0 };
                unsigned     made              = 0;

                random_init(&dice, seed);
                delivered = 0;
                group_init(&group, 1 + seed % LOOPS_MAX);
                for (unsigned i = 0; i < group.count; i++)
                        chores[i].run = on_chore;
                for (unsigned i = 0; i < STEPS; i++) {
                        step(&group, chores);
                        made = pieces > made ? pieces : made;
                }
                EXPECT(delivered > STEPS / 100, "seed %u does not test much", seed);

                /* All that was retired comes free when nothing happens any more. */
                for (unsigned i = 0; i < 3; i++) {
                        group_settle(&group);
                        group.now.mono_ms += RECLAIM_PAUSE_MS;
                }
                for (unsigned place = 0; place < PLACES; place++)
                        if (shared[place] != NULL)
                                EXPECT_EQ(shared[place]->in_mail, 0);
                for (unsigned place = 0; place < PLACES; place++)
                        replace_by_hand(group.loops[0], place, NULL);
                EXPECT(pieces <= PLACES);
                for (unsigned i = 0; i < 3; i++) {
                        group_settle(&group);
                        group.now.mono_ms += RECLAIM_PAUSE_MS;
                }
                EXPECT_EQ(pieces, 0);
                group_deinit(&group);
        }
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { READERS = 4, TURNS = 3000 };

struct reader {
        struct loop  *loop;
        struct chore  chore;
        struct random random;
        pthread_t     thread;
        unsigned      turns;
};

static _Atomic unsigned readers_done;

/* Every turn: reads all places and mails some; now and then replaces one. */
static void on_reader(struct loop *loop, struct chore *chore)
{
        struct reader *reader = list_entry(chore, struct reader, chore);

        on_shard(loop);
        for (unsigned place = 0; place < PLACES; place++)
                read_and_mail(loop, place, random_below(&reader->random, READERS));
        if (random_below(&reader->random, 4) == 0)
                replace(loop, random_below(&reader->random, PLACES), piece_new());
        if (++reader->turns < TURNS)
                loop_at_next_turn(loop, chore);
        else
                atomic_fetch_add(&readers_done, 1);
}

static void *run_loop(void *loop)
{
        loop_run(loop);
        return NULL;
}

/* ThreadSanitizer and AddressSanitizer do the checking. */
TEST(threads_read_what_others_retire)
{
        struct group   group;
        static struct reader readers[READERS];
        unsigned       left = 0;

        atomic_store(&readers_done, 0);
        group_init_real(&group, READERS);
        for (unsigned i = 0; i < READERS; i++) {
                readers[i] = (struct reader){ .loop = group.loops[i], .chore.run = on_reader };
                random_init(&readers[i].random, i);
                role_claim(group.loops[i]);
                loop_at_next_turn(group.loops[i], &readers[i].chore);
                role_leave();
        }
        for (unsigned i = 0; i < READERS; i++) {
                struct reader *reader = &readers[i];

                EXPECT_EQ(pthread_create(&reader->thread, NULL, run_loop, reader->loop), 0);
        }
        for (unsigned i = 0; i < 60000 && atomic_load(&readers_done) < READERS; i++)
                usleep(1000);
        EXPECT_EQ(atomic_load(&readers_done), READERS);

        /* Only reclamation is left: asleep, the loops must be woken by its answers. */
        for (unsigned i = 0; i < 5000 && atomic_load(&pieces) > PLACES; i++)
                usleep(1000);
        EXPECT(atomic_load(&pieces) <= PLACES);

        for (unsigned i = 0; i < READERS; i++)
                loop_stop(group.loops[i]);
        for (unsigned i = 0; i < READERS; i++)
                pthread_join(readers[i].thread, NULL);
        for (unsigned place = 0; place < PLACES; place++) {
                left += shared[place] != NULL;
                replace_by_hand(group.loops[0], place, NULL);
        }
        EXPECT_EQ(pieces, left);
        group_deinit(&group);
        EXPECT_EQ(pieces, 0);
}

/* A writer that mails a piece to all, retires it, and is silent until it is freed, while the
 * others never sleep (falling asleep would tell the writer something): then nothing but the
 * answers says that they have done with the piece, and ThreadSanitizer sees whether that
 * suffices. */
enum { CYCLES = 300 };

static _Atomic bool quiet_over;

static void mail_and_retire(struct loop *loop)
{
        role_claim(loop);
        replace(loop, 0, piece_new());
        for (unsigned i = 0; i < READERS; i++)
                read_and_mail(loop, 0, i);
        replace(loop, 0, NULL);
        role_leave();
}

static void *run_quietly(void *context)
{
        struct loop *loop = context;

        for (unsigned cycles = 0; !atomic_load_explicit(&quiet_over, memory_order_relaxed);) {
                bool freed = atomic_load_explicit(&pieces, memory_order_relaxed) == 0;

                if (loop->config.id == 0 && freed) {
                        if (cycles++ == CYCLES)
                                atomic_store_explicit(&quiet_over, true, memory_order_relaxed);
                        else
                                mail_and_retire(loop);
                }
                loop_turn(loop, 0);
                sched_yield();
        }
        return NULL;
}

static struct clock_time hurrying_clock(void *ms)
{
        return (struct clock_time){ .mono_ms = *(uint64_t *)ms += RECLAIM_PAUSE_MS };
}

TEST(the_answers_alone_order_reading_before_freeing)
{
        pthread_t    threads[READERS];
        uint64_t     ms[READERS];
        struct group group;

        atomic_store(&quiet_over, false);
        group_init_real(&group, READERS);
        for (unsigned i = 0; i < READERS; i++) {
                struct loop *loop = group.loops[i];

                role_claim(loop);
                ms[i]                      = loop->now.mono_ms;
                loop->config.clock         = hurrying_clock;
                loop->config.clock_context = &ms[i];
                role_leave();
        }
        for (unsigned i = 0; i < READERS; i++)
                EXPECT_EQ(pthread_create(&threads[i], NULL, run_quietly, group.loops[i]), 0);
        for (unsigned i = 0; i < READERS; i++)
                pthread_join(threads[i], NULL);
        group_deinit(&group);
        EXPECT_EQ(pieces, 0);
}

SUITE(reclaim,
      CASE(what_is_retired_is_released_once_and_for_all),
      CASE(mail_that_lies_unread_holds_a_piece),
      CASE(batches_begin_a_pause_apart),
      CASE(a_turn_releases_a_bounded_number),
      CASE(without_memory_a_round_is_asked_later),
      CASE(an_answer_is_given_after_the_mail_of_the_turn_was_posted),
      CASE(a_release_may_retire),
      CASE(nothing_is_freed_that_any_loop_may_still_reach),
      CASE(threads_read_what_others_retire),
      CASE(the_answers_alone_order_reading_before_freeing))
