#include "rt/poll.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "unit.h"

enum { PAIRS_MAX = 600 };

/* A watch that writes down what it is told: its letter, and R, W, B (both) or C. */
struct probe {
        struct watch watch;
        char         letter;
        void       (*then)(struct probe *probe);
        struct probe *other;
        int          peer_fd;           /* epoll: the other end */
};

static char   told[4 * PAIRS_MAX];
static size_t told_len;

static void on_ready(struct watch *watch, unsigned events)
{
        struct probe *probe = list_entry(watch, struct probe, watch);

        EXPECT(events > 0 && events <= POLL_CLOSED);
        told[told_len++] = probe->letter;
        told[told_len++] = " RWB----C"[events];
        told[told_len]   = 0;
        if (probe->then != NULL)
                probe->then(probe);
}

/* Waits once, without waiting; gives what was told. */
static const char *told_by(struct poll *poll)
{
        unsigned count;

        told_len = 0;
        told[0]  = 0;
        count    = poll_wait(poll, 0);
        EXPECT_EQ(count * 2, told_len);
        return told;
}

#define EXPECT_TOLD(poll, expected)                                                                \
        do {                                                                                       \
                const char *told_ = told_by(poll);                                                 \
                                                                                                   \
                EXPECT(strcmp(told_, expected) == 0, "%s, not %s", told_, expected);               \
        } while (0)

static struct probe *probe_new(char letter)
{
        struct probe *probe = mem_zalloc(sizeof *probe);

        probe->letter      = letter;
        probe->watch.fd    = -1;
        probe->watch.ready = on_ready;
        probe->peer_fd     = -1;
        return probe;
}

static struct probe *probe_of_pair(char letter)
{
        struct probe *probe = probe_new(letter);
        int           fds[2];

        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        probe->watch.fd = fds[0];
        probe->peer_fd  = fds[1];
        return probe;
}

static void probe_free(struct probe *probe)
{
        poll_remove(&probe->watch);
        if (probe->watch.fd >= 0) {
                close(probe->watch.fd);
                close(probe->peer_fd);
        }
        mem_free(probe);
}

static void make_readable(struct probe *probe)
{
        if (probe->watch.fd < 0)
                poll_memory_set(&probe->watch, probe->watch.is | POLL_READ);
        else
                EXPECT_EQ(write(probe->peer_fd, "x", 1), 1);
}

static void make_unreadable(struct probe *probe)
{
        char bytes[64];

        if (probe->watch.fd < 0)
                poll_memory_set(&probe->watch, probe->watch.is & ~(unsigned)POLL_READ);
        else
                EXPECT(read(probe->watch.fd, bytes, sizeof bytes) > 0);
}

static void make_writable(struct probe *probe)
{
        if (probe->watch.fd < 0)        /* a socket is already */
                poll_memory_set(&probe->watch, probe->watch.is | POLL_WRITE);
}

static void close_peer(struct probe *probe)
{
        if (probe->watch.fd < 0)
                poll_memory_set(&probe->watch, probe->watch.is | POLL_READ | POLL_CLOSED);
        else
                EXPECT_EQ(shutdown(probe->peer_fd, SHUT_WR), 0);
}

static void remove_other(struct probe *probe)
{
        poll_remove(&probe->other->watch);
}

static void free_other(struct probe *probe)
{
        if (probe->other != NULL)
                probe_free(TAKE(probe->other));
}

static void want_nothing_of_other(struct probe *probe)
{
        poll_change(&probe->other->watch, 0);
}

/* ---- what both polls promise ----------------------------------------------------------------- */

/* Runs the body with each poll, and two probes a and b that are added and want to read. */
static void with_each_poll(void (*body)(struct poll *poll, struct probe *a, struct probe *b))
{
        for (unsigned i = 0; i < 2; i++) {
                struct poll  *poll = i == 0 ? poll_memory_new() : poll_epoll_new();
                struct probe *a    = i == 0 ? probe_new('a') : probe_of_pair('a');
                struct probe *b    = i == 0 ? probe_new('b') : probe_of_pair('b');

                EXPECT(poll != NULL);
                EXPECT(poll_add(poll, &a->watch, POLL_READ));
                EXPECT(poll_add(poll, &b->watch, POLL_READ));
                body(poll, a, b);
                poll_free(poll);
        }
        poll_free(NULL);
}

static void level_body(struct poll *poll, struct probe *a, struct probe *b)
{
        EXPECT_TOLD(poll, "");
        make_readable(a);
        EXPECT_TOLD(poll, "aR");
        EXPECT_TOLD(poll, "aR");
        poll_change(&a->watch, 0);
        EXPECT_TOLD(poll, "");
        poll_change(&a->watch, POLL_READ);
        EXPECT_TOLD(poll, "aR");
        make_writable(a);
        EXPECT_TOLD(poll, "aR");
        poll_change(&a->watch, POLL_READ | POLL_WRITE);
        EXPECT_TOLD(poll, "aB");
        poll_change(&a->watch, POLL_WRITE);
        EXPECT_TOLD(poll, "aW");
        poll_change(&a->watch, POLL_READ);
        make_unreadable(a);
        EXPECT_TOLD(poll, "");
        make_readable(b);
        EXPECT_TOLD(poll, "bR");
        poll_remove(&b->watch);
        EXPECT(b->watch.poll == NULL);
        poll_remove(&b->watch);
        EXPECT_TOLD(poll, "");
        EXPECT(poll_add(poll, &b->watch, POLL_READ), "what it is ready for, it still is");
        EXPECT_TOLD(poll, "bR");
        probe_free(a);
        probe_free(b);
}

TEST(a_watch_is_told_as_long_as_it_is_ready_and_wants_it)
{
        with_each_poll(level_body);
}

static void closed_body(struct poll *poll, struct probe *a, struct probe *b)
{
        make_readable(b);
        poll_change(&a->watch, POLL_CLOSED);
        poll_change(&b->watch, POLL_CLOSED);
        EXPECT_TOLD(poll, "");
        close_peer(a);
        EXPECT_TOLD(poll, "aC");
        EXPECT_TOLD(poll, "aC");
        close_peer(b);                  /* with something unread */
        poll_change(&a->watch, 0);
        EXPECT_TOLD(poll, "bC");
        poll_change(&b->watch, POLL_READ);
        EXPECT_TOLD(poll, "bR");
        probe_free(a);
        probe_free(b);
}

TEST(who_does_not_read_is_told_that_the_peer_has_closed)
{
        with_each_poll(closed_body);
}

static void removed_body(struct poll *poll, struct probe *a, struct probe *b)
{
        make_readable(a);
        make_readable(b);
        a->then  = remove_other;
        a->other = b;
        EXPECT_TOLD(poll, "aR");
        EXPECT(poll_add(poll, &b->watch, POLL_READ));
        EXPECT_TOLD(poll, "aR");
        EXPECT(poll_add(poll, &b->watch, POLL_READ));
        a->then = want_nothing_of_other;
        EXPECT_TOLD(poll, "aR");
        poll_change(&b->watch, POLL_READ);
        a->then  = free_other;
        EXPECT_TOLD(poll, "aR");
        EXPECT_TOLD(poll, "aR");
        probe_free(a);
}

TEST(what_another_callback_removes_is_not_told)
{
        with_each_poll(removed_body);
}

static void free_self(struct probe *probe)
{
        probe_free(probe);
}

static void self_body(struct poll *poll, struct probe *a, struct probe *b)
{
        make_readable(a);
        make_readable(b);
        a->then = free_self;
        EXPECT_TOLD(poll, "aRbR");
        EXPECT_TOLD(poll, "bR");
        probe_free(b);
}

TEST(a_callback_may_free_its_own_watch)
{
        with_each_poll(self_body);
}

static void between_body(struct poll *poll, struct probe *a, struct probe *b)
{
        make_readable(a);
        make_readable(b);
        poll_collect(poll, 0);
        told_len = 0;
        probe_free(a);
        poll_change(&b->watch, POLL_WRITE);
        EXPECT_EQ(poll_tell(poll), 0);
        poll_change(&b->watch, POLL_READ);
        EXPECT_TOLD(poll, "bR");
        probe_free(b);
}

TEST(what_mail_changes_between_the_halves_of_a_wait_counts)
{
        with_each_poll(between_body);
}

/* ---- epoll ----------------------------------------------------------------------------------- */

TEST(epoll_tells_errors_whatever_is_wanted)
{
        struct poll  *poll  = poll_epoll_new();
        struct probe *probe = probe_of_pair('a');

        EXPECT(poll_add(poll, &probe->watch, 0));
        EXPECT_TOLD(poll, "");
        close(probe->peer_fd);
        EXPECT_TOLD(poll, "aB");
        probe->peer_fd = dup(probe->watch.fd);
        probe_free(probe);
        poll_free(poll);
}

TEST(epoll_says_why_it_cannot_add)
{
        struct poll  *poll  = poll_epoll_new();
        struct probe *probe = probe_new('a');

        errno = 0;
        EXPECT(!poll_add(poll, &probe->watch, POLL_READ));
        EXPECT_EQ(errno, EBADF);
        EXPECT(probe->watch.poll == NULL);
        probe_free(probe);
        poll_free(poll);
}

TEST(a_change_to_the_same_costs_no_call)
{
        struct poll  *poll  = poll_epoll_new();
        struct probe *probe = probe_of_pair('a');
        int           kept  = dup(probe->watch.fd);

        EXPECT(poll_add(poll, &probe->watch, POLL_READ));
        close(probe->watch.fd);                         /* a call would fail, and be asserted */
        poll_change(&probe->watch, POLL_READ);
        EXPECT_EQ(dup2(kept, probe->watch.fd), probe->watch.fd);
        close(kept);
        probe_free(probe);
        poll_free(poll);
}

TEST(epoll_tells_more_than_one_batch_in_turn)
{
        struct poll  *poll = poll_epoll_new();
        struct probe *probes[PAIRS_MAX];
        unsigned      count = 0, waits = 0;

        for (unsigned i = 0; i < PAIRS_MAX; i++) {
                probes[i] = probe_of_pair('x');
                EXPECT(poll_add(poll, &probes[i]->watch, POLL_READ));
                make_readable(probes[i]);
                probes[i]->then = make_unreadable;      /* each is told once */
        }
        for (; count < PAIRS_MAX; waits++) {
                EXPECT(waits < 10);
                told_len = 0;
                count += poll_wait(poll, 0);
        }
        EXPECT_EQ(count, PAIRS_MAX);
        EXPECT(waits > 1);
        for (unsigned i = 0; i < PAIRS_MAX; i++)
                probe_free(probes[i]);
        poll_free(poll);
}

static void *wake_later(void *poll)
{
        usleep(20000);
        poll_wake(poll);
        return NULL;
}

TEST(a_wake_ends_a_wait_once)
{
        struct poll *poll = poll_epoll_new();
        pthread_t    thread;

        EXPECT_EQ(pthread_create(&thread, NULL, wake_later, poll), 0);
        EXPECT_EQ(poll_wait(poll, -1), 0);
        pthread_join(thread, NULL);

        poll_wake(poll);                /* before the wait: it is kept */
        poll_wake(poll);
        EXPECT_EQ(poll_wait(poll, -1), 0);

        uint64_t before_ms = clock_read().mono_ms;

        EXPECT_EQ(poll_wait(poll, 20), 0);
        EXPECT(clock_read().mono_ms >= before_ms + 20, "the wake-up has ended two waits");
        poll_wake(poll);                /* nobody has read the last one: another comes through */
        EXPECT_EQ(poll_wait(poll, -1), 0);
        poll_free(poll);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void make_other_readable(struct probe *probe)
{
        make_readable(probe->other);
}

static void remove_and_add_other(struct probe *probe)
{
        struct poll *poll = probe->other->watch.poll;

        poll_remove(&probe->other->watch);
        EXPECT(poll_add(poll, &probe->other->watch, POLL_READ));
}

TEST(memory_tells_in_the_order_of_becoming_ready)
{
        struct poll  *poll = poll_memory_new();
        struct probe *probes[4];

        for (unsigned i = 0; i < 4; i++) {
                probes[i] = probe_new((char)('a' + i));
                EXPECT(poll_add(poll, &probes[i]->watch, POLL_READ));
        }
        make_readable(probes[2]);
        make_readable(probes[0]);
        make_readable(probes[3]);
        make_writable(probes[0]);               /* nothing that it wants: keeps its place */
        EXPECT_TOLD(poll, "cRaRdR");
        EXPECT_TOLD(poll, "cRaRdR");
        make_unreadable(probes[2]);
        make_readable(probes[1]);
        make_readable(probes[2]);
        EXPECT_TOLD(poll, "aRdRbRcR");

        /* What becomes ready while others are told waits for the next wait, as the kernel's
         * does. */
        make_unreadable(probes[1]);
        probes[0]->then  = make_other_readable;
        probes[0]->other = probes[1];
        probes[3]->then  = remove_and_add_other;
        probes[3]->other = probes[2];
        EXPECT_TOLD(poll, "aRdR");
        probes[3]->then = NULL;
        EXPECT_TOLD(poll, "aRbRdRcR");
        poll_memory_set(&probes[1]->watch, POLL_FAILED);
        poll_change(&probes[1]->watch, 0);
        EXPECT_TOLD(poll, "aRbBdRcR");
        for (unsigned i = 0; i < 4; i++)
                probe_free(probes[i]);
        poll_free(poll);
}

TEST(memory_readiness_moves_along_to_another_poll)
{
        struct poll  *from  = poll_memory_new(), *to = poll_memory_new();
        struct probe *probe = probe_new('a');

        EXPECT(poll_add(from, &probe->watch, POLL_READ));
        poll_remove(&probe->watch);
        make_readable(probe);                   /* on its way */
        EXPECT(poll_add(to, &probe->watch, POLL_READ));
        EXPECT_TOLD(from, "");
        EXPECT_TOLD(to, "aR");
        probe_free(probe);
        poll_free(from);
        poll_free(to);
}

TEST(memory_never_waits_and_notes_a_wake)
{
        struct poll *poll = poll_memory_new();

        EXPECT(!poll_memory_woken(poll));
        poll_wake(poll);
        EXPECT(poll_memory_woken(poll));
        EXPECT_EQ(poll_wait(poll, -1), 0);
        EXPECT(!poll_memory_woken(poll));
        poll_free(poll);
}

TEST(without_memory_there_is_no_poll)
{
        mem_fail_after(0);
        EXPECT(poll_memory_new() == NULL && errno == ENOMEM);
        EXPECT(poll_epoll_new() == NULL && errno == ENOMEM);
        mem_fail_after(-1);
}

SUITE(poll,
      CASE(a_watch_is_told_as_long_as_it_is_ready_and_wants_it),
      CASE(who_does_not_read_is_told_that_the_peer_has_closed),
      CASE(what_another_callback_removes_is_not_told),
      CASE(a_callback_may_free_its_own_watch),
      CASE(what_mail_changes_between_the_halves_of_a_wait_counts),
      CASE(epoll_tells_errors_whatever_is_wanted),
      CASE(epoll_says_why_it_cannot_add),
      CASE(a_change_to_the_same_costs_no_call),
      CASE(epoll_tells_more_than_one_batch_in_turn),
      CASE(a_wake_ends_a_wait_once),
      CASE(memory_tells_in_the_order_of_becoming_ready),
      CASE(memory_readiness_moves_along_to_another_poll),
      CASE(memory_never_waits_and_notes_a_wake),
      CASE(without_memory_there_is_no_poll))
