#include "rt/loop.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "rt/group_test.h"
#include "unit.h"

/* What has happened, a letter each. */
static char   events[4096];
static size_t event_count;

static void happened(char letter)
{
        assert(event_count + 1 < sizeof events);
        events[event_count++] = letter;
        events[event_count]   = 0;
}

static void nothing_happened(void)
{
        event_count = 0;
        events[0]   = 0;
}

#define EXPECT_EVENTS(expected)                                                                    \
        do {                                                                                       \
                EXPECT(strcmp(events, expected) == 0, "%s, not %s", events, expected);             \
                nothing_happened();                                                                \
        } while (0)

struct note {
        struct mail mail;
        unsigned    answers;            /* to be sent back and forth this often */
        char        letter;
};

static const struct mail_ops note_ops;

static bool send_note(struct loop *loop, unsigned to, char letter, unsigned answers) ON_SHARD
{
        struct note *note = loop_mail(loop, to, &note_ops, sizeof *note);

        if (note == NULL)
                return false;
        EXPECT_EQ(note->letter, 0);
        note->letter  = letter;
        note->answers = answers;
        return true;
}

static void on_note(struct loop *loop, struct mail *mail)
{
        struct note *note = (struct note *)(void *)mail;

        on_shard(loop);
        happened(note->letter);
        if (note->answers > 0)
                EXPECT(send_note(loop, mail->from, note->letter, note->answers - 1));
}

static void on_note_dropped(struct mail *mail)
{
        (void)mail;
        happened('!');
}

static const struct mail_ops note_ops = {
        .name    = "note",
        .deliver = on_note,
        .drop    = on_note_dropped,
};

/* As a thread of the group would, outside of a turn. */
static void send_by_hand(struct loop *loop, unsigned to, char letter, unsigned answers)
{
        role_claim(loop);
        EXPECT(send_note(loop, to, letter, answers));
        role_leave();
}

struct errand {
        struct chore   chore;
        struct errand *next;            /* added when this one runs */
        bool           next_at_turn_end;
        char           letter;
};

static void on_errand(struct loop *loop, struct chore *chore)
{
        struct errand *errand = list_entry(chore, struct errand, chore);

        on_shard(loop);
        happened(errand->letter);
        if (errand->next != NULL && errand->next_at_turn_end)
                loop_at_turn_end(loop, &errand->next->chore);
        else if (errand->next != NULL)
                loop_at_next_turn(loop, &errand->next->chore);
}

static uint64_t fired_at_ms;

static void on_timer(struct loop *loop, struct timer *timer)
{
        (void)timer;
        on_shard(loop);
        happened('t');
        fired_at_ms = loop->now.mono_ms;
}

static void on_readable(struct watch *watch, unsigned ready)
{
        EXPECT_EQ(ready, POLL_READ);
        happened('r');
        poll_memory_set(watch, 0);
}

/* ---- a turn ---------------------------------------------------------------------------------- */

TEST(a_turn_goes_mail_sockets_put_off_timers_end)
{
        struct group  group;
        struct errand last   = { .chore.run = on_errand, .letter = 'f' };
        struct errand end    = { .chore.run = on_errand, .letter = 'e', .next = &last,
                                 .next_at_turn_end = true };
        struct errand later  = { .chore.run = on_errand, .letter = 'p' };
        struct timer  timer  = { .fire = on_timer };
        struct watch  watch  = { .fd = -1, .ready = on_readable };
        struct loop  *loop;

        group_init(&group, 1);
        loop = group.loops[0];
        nothing_happened();
        EXPECT(!loop_turn(loop, 0), "nothing to do");
        EXPECT(poll_add(loop->config.poll, &watch, POLL_READ));

        send_by_hand(loop, 0, 'm', 1);
        EXPECT(loop_turn(loop, -1));            /* posts it */
        EXPECT_EVENTS("");

        role_claim(loop);
        loop_at_turn_end(loop, &end.chore);
        loop_at_turn_end(loop, &end.chore);
        loop_at_next_turn(loop, &end.chore);
        loop_at_next_turn(loop, &later.chore);
        loop_timer(loop, &timer, 5);
        role_leave();
        poll_memory_set(&watch, POLL_READ);
        group.now.mono_ms += 5;

        EXPECT(loop_turn(loop, 0));
        EXPECT_EVENTS("mrptef");
        EXPECT_EQ(fired_at_ms, 1005);
        EXPECT(loop_turn(loop, 0));             /* the answer, to itself */
        EXPECT_EVENTS("m");
        EXPECT(!loop_turn(loop, 0));
        EXPECT_EQ(loop->turns, 5);
        poll_remove(&watch);
        group_deinit(&group);
}

TEST(a_chore_put_off_runs_once_in_the_next_turn)
{
        struct group  group;
        struct errand again = { .chore.run = on_errand, .letter = 'a', .next = &again };
        struct errand other = { .chore.run = on_errand, .letter = 'o' };
        struct loop  *loop;

        group_init(&group, 1);
        loop = group.loops[0];
        nothing_happened();
        role_claim(loop);
        loop_at_next_turn(loop, &again.chore);
        loop_at_turn_end(loop, &other.chore);
        chore_cancel(&other.chore);
        chore_cancel(&other.chore);
        role_leave();
        for (unsigned i = 0; i < 3; i++)
                EXPECT(loop_turn(loop, -1));
        EXPECT_EVENTS("aaa");
        group_deinit(&group);
        chore_cancel(&again.chore);             /* nothing: the loop has let it go */
}

TEST(the_clock_is_read_once_a_turn_and_never_goes_back)
{
        struct group group;
        struct timer timer = { .fire = on_timer };
        struct loop *loop;

        group_init(&group, 1);
        loop = group.loops[0];
        nothing_happened();
        role_claim(loop);
        loop_timer(loop, &timer, 10);
        role_leave();
        group.now = (struct clock_time){ .mono_ms = 400, .wall_us = 77 };
        loop_turn(loop, 0);
        role_claim(loop);
        EXPECT_EQ(loop->now.mono_ms, 1000);
        EXPECT_EQ(loop->now.wall_us, 77);
        loop_timer(loop, &timer, UINT64_MAX);
        EXPECT_EQ(timer.due_ms, UINT64_MAX);
        loop_timer(loop, &timer, 9);
        loop_timer_cancel(loop, &timer);
        loop_timer(loop, &timer, 10);
        role_leave();
        group.now.mono_ms = 1009;
        EXPECT(!loop_turn(loop, 0));
        group.now.mono_ms = 1010;
        EXPECT(loop_turn(loop, 0));
        EXPECT_EVENTS("t");
        group_deinit(&group);
}

/* ---- mail ------------------------------------------------------------------------------------ */

TEST(mail_of_a_turn_is_posted_once_for_each_loop)
{
        struct group group;

        group_init(&group, 3);
        nothing_happened();
        send_by_hand(group.loops[0], 2, 'a', 0);
        send_by_hand(group.loops[0], 1, 'x', 0);
        send_by_hand(group.loops[0], 2, 'b', 0);
        send_by_hand(group.loops[1], 2, 'c', 0);
        EXPECT(!loop_turn(group.loops[2], 0), "not posted yet");
        EXPECT(loop_turn(group.loops[1], 0));
        EXPECT(loop_turn(group.loops[0], 0));
        EXPECT_EQ(mailbox_bytes(&group.loops[2]->mailbox), 3 * sizeof(struct note));

        struct parcel *first = mailbox_take(&group.loops[2]->mailbox);

        EXPECT_EQ(first->len, sizeof(struct note));
        mailbox_done(&group.loops[2]->mailbox, first);
        mem_free(first);
        EXPECT(loop_turn(group.loops[2], 0));
        EXPECT_EVENTS("ab");
        EXPECT(loop_turn(group.loops[1], 0));
        EXPECT_EVENTS("x");
        EXPECT_EQ(mailbox_bytes(&group.loops[2]->mailbox), 0);
        group_deinit(&group);
}

struct look {
        struct chore chore;
        struct loop *at;
        size_t       bytes;             /* that lay there */
};

static void on_look(struct loop *loop, struct chore *chore)
{
        struct look *look = list_entry(chore, struct look, chore);

        on_shard(loop);
        look->bytes = mailbox_bytes(&look->at->mailbox);
        EXPECT(send_note(loop, look->at->config.id, 'z', 0));
}

/* What a chore of the turn's end writes to a socket may be known before the chore has ended. */
TEST(mail_is_posted_before_the_turn_s_end_speaks)
{
        struct group group;
        struct look  look = { .chore.run = on_look };

        group_init(&group, 2);
        nothing_happened();
        look.at = group.loops[1];
        send_by_hand(group.loops[0], 1, 'a', 0);
        role_claim(group.loops[0]);
        loop_at_turn_end(group.loops[0], &look.chore);
        role_leave();
        EXPECT(loop_turn(group.loops[0], 0));
        EXPECT_EQ(look.bytes, sizeof(struct note));
        EXPECT(loop_turn(group.loops[1], 0));
        EXPECT_EVENTS("az");                    /* nor is it late itself */
        group_deinit(&group);
}

TEST(mail_from_outside_is_posted_at_once)
{
        struct group   group;
        struct parcel *parcel = NULL;
        struct note   *note;

        group_init(&group, 1);
        nothing_happened();
        note = (struct note *)(void *)parcel_append(&parcel, &note_ops, sizeof *note,
                                                    MAIL_FROM_OUTSIDE);
        note->letter = 'o';
        loop_post(group.loops[0], parcel);
        EXPECT(!poll_memory_woken(group.loops[0]->config.poll), "it does not sleep");
        loop_turn(group.loops[0], 0);
        EXPECT_EVENTS("o");
        group_deinit(&group);
}

TEST(a_turn_delivers_a_bounded_number_of_parcels)
{
        struct group group;

        group_init(&group, 2);
        nothing_happened();
        for (unsigned i = 0; i < TURN_PARCELS_MAX + 3; i++) {
                send_by_hand(group.loops[0], 1, 'm', 0);
                loop_turn(group.loops[0], 0);
        }
        loop_turn(group.loops[1], -1);
        EXPECT_EQ(event_count, TURN_PARCELS_MAX);
        EXPECT(loop_turn(group.loops[1], -1));
        EXPECT_EQ(event_count, TURN_PARCELS_MAX + 3);
        group_deinit(&group);
}

TEST(without_memory_a_mail_is_refused_and_the_others_go)
{
        struct group group;
        struct loop *loop;

        group_init(&group, 2);
        loop = group.loops[0];
        nothing_happened();
        role_claim(loop);
        mem_fail_after(0);
        EXPECT(!send_note(loop, 1, 'x', 0));
        mem_fail_after(-1);
        EXPECT(send_note(loop, 1, 'a', 0));
        mem_fail_after(0);
        while (send_note(loop, 1, 'b', 0))
                continue;
        EXPECT(!send_note(loop, 0, 'y', 0));
        mem_fail_after(-1);
        EXPECT(send_note(loop, 1, 'c', 0));
        role_leave();
        group_settle(&group);
        EXPECT_EQ(events[0], 'a');
        EXPECT_EQ(events[1], 'b');
        EXPECT_EQ(events[event_count - 1], 'c');
        EXPECT(strpbrk(events, "xy") == NULL);

        /* A parcel that is kept from an earlier turn counts as an allocation, and grows as one. */
        loop = group.loops[1];          /* has kept that of "abb" */
        for (unsigned fail_after = 0; fail_after < 2; fail_after++) {
                nothing_happened();
                role_claim(loop);
                mem_fail_after(fail_after);
                EXPECT(loop_mail(loop, 1, &note_ops, 1u << 20) == NULL);
                mem_fail_after(-1);
                EXPECT(send_note(loop, 1, 'd', 0));
                role_leave();
                group_settle(&group);
                EXPECT_EVENTS("d");
        }
        group_deinit(&group);
}

TEST(what_is_not_delivered_is_dropped_with_the_loop)
{
        struct group group;

        group_init(&group, 2);
        nothing_happened();
        send_by_hand(group.loops[0], 1, 'm', 0);
        loop_turn(group.loops[0], 0);                   /* in the mailbox */
        send_by_hand(group.loops[0], 1, 'm', 0);        /* not yet posted */
        group_deinit(&group);
        EXPECT_EVENTS("!!");
}

/* ---- with the kernel ------------------------------------------------------------------------- */

TEST(a_turn_waits_until_the_first_timer)
{
        struct group      group;
        struct timer      timer = { .fire = on_timer };
        struct clock_time before;

        group_init_real(&group, 1);
        nothing_happened();
        role_claim(group.loops[0]);
        loop_timer(group.loops[0], &timer, 30);
        before = group.loops[0]->now;
        role_leave();
        EXPECT(!loop_turn(group.loops[0], 1), "the caller does not want to wait that long");
        while (event_count == 0)
                loop_turn(group.loops[0], -1);
        EXPECT(fired_at_ms >= before.mono_ms + 30);
        role_claim(group.loops[0]);
        EXPECT(group.loops[0]->turns < 10, "it waited, and did not spin");
        role_leave();
        group_deinit(&group);
}

/* Nothing would end the waits. */
TEST(a_turn_with_work_at_hand_does_not_wait)
{
        struct group  group;
        struct errand errand = { .chore.run = on_errand, .letter = 'e' };
        struct loop  *loop;

        group_init_real(&group, 1);
        loop = group.loops[0];
        nothing_happened();
        send_by_hand(loop, 0, 'm', 0);
        EXPECT(loop_turn(loop, -1));
        EXPECT(loop_turn(loop, -1));
        role_claim(loop);
        loop_at_turn_end(loop, &errand.chore);
        role_leave();
        EXPECT(loop_turn(loop, -1));
        role_claim(loop);
        loop_at_next_turn(loop, &errand.chore);
        role_leave();
        EXPECT(loop_turn(loop, -1));
        EXPECT_EVENTS("mee");
        group_deinit(&group);
}

struct runner {
        struct loop *loop;
        pthread_t    thread;
};

static void *run(void *context)
{
        loop_run(((struct runner *)context)->loop);
        return NULL;
}

enum { RUNNERS = 4, LAPS = 2000, BALLS = 3 };

static _Atomic unsigned balls_home;

struct ball {
        struct mail mail;
        unsigned    hops;
        uint64_t   *counts;             /* of each loop: touched on its thread only */
};

static const struct mail_ops ball_ops;

static void on_ball(struct loop *loop, struct mail *mail)
{
        struct ball *ball = (struct ball *)(void *)mail;

        on_shard(loop);
        ball->counts[loop->config.id]++;
        if (ball->hops == 0) {
                atomic_fetch_add(&balls_home, 1);
                return;
        }

        unsigned     to   = (loop->config.id + 1) % RUNNERS;
        struct ball *next = loop_mail(loop, to, &ball_ops, sizeof *next);

        next->hops   = ball->hops - 1;
        next->counts = ball->counts;
}

static const struct mail_ops ball_ops = { .name = "ball", .deliver = on_ball };

/* Most of the time all but a few loops sleep: a wake-up that is lost stops the game. */
TEST(loops_on_threads_wake_each_other_and_stop)
{
        struct group  group;
        struct runner runners[RUNNERS];
        uint64_t      counts[RUNNERS] = { 0 };
        uint64_t      sum             = 0;
        unsigned      waited          = 0;

        atomic_store(&balls_home, 0);
        group_init_real(&group, RUNNERS);
        for (unsigned i = 0; i < RUNNERS; i++) {
                runners[i].loop = group.loops[i];
                EXPECT_EQ(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
        }
        for (unsigned i = 0; i < BALLS; i++) {
                struct parcel *parcel = NULL;
                struct ball   *ball   = (struct ball *)(void *)parcel_append(
                        &parcel, &ball_ops, sizeof *ball, MAIL_FROM_OUTSIDE);

                ball->hops   = RUNNERS * LAPS - 1;
                ball->counts = counts;
                loop_post(group.loops[i], parcel);
                usleep(1000);
        }
        for (; atomic_load(&balls_home) < BALLS && waited < 60000; waited++)
                usleep(1000);
        EXPECT_EQ(atomic_load(&balls_home), BALLS);
        usleep(2000);                   /* now all sleep */
        for (unsigned i = 0; i < RUNNERS; i++)
                loop_stop(group.loops[i]);
        for (unsigned i = 0; i < RUNNERS; i++) {
                pthread_join(runners[i].thread, NULL);
                EXPECT_EQ(counts[i], BALLS * LAPS);
                sum += counts[i];
        }
        EXPECT_EQ(sum, BALLS * LAPS * RUNNERS);
        group_deinit(&group);
}

SUITE(loop,
      CASE(a_turn_goes_mail_sockets_put_off_timers_end),
      CASE(a_chore_put_off_runs_once_in_the_next_turn),
      CASE(the_clock_is_read_once_a_turn_and_never_goes_back),
      CASE(mail_of_a_turn_is_posted_once_for_each_loop),
      CASE(mail_is_posted_before_the_turn_s_end_speaks),
      CASE(mail_from_outside_is_posted_at_once),
      CASE(a_turn_delivers_a_bounded_number_of_parcels),
      CASE(without_memory_a_mail_is_refused_and_the_others_go),
      CASE(what_is_not_delivered_is_dropped_with_the_loop),
      CASE(a_turn_waits_until_the_first_timer),
      CASE(a_turn_with_work_at_hand_does_not_wait),
      CASE(loops_on_threads_wake_each_other_and_stop))
