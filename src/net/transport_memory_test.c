#include "net/transport.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

static ssize_t put(struct transport *t, const char *text)
{
        struct iovec from = { (void *)(uintptr_t)text, strlen(text) };

        return t->ops->write(t, &from, 1);
}

static ssize_t get(struct transport *t, size_t size)
{
        char to[64];

        return t->ops->read(t, to, size);
}

static unsigned told;

static void on_ready(struct watch *watch, unsigned events)
{
        (void)watch;
        told |= events;
}

/* What the watches of this poll are told now. */
static unsigned turn(struct poll *poll)
{
        told = 0;
        poll_wait(poll, 0);
        return told;
}

TEST(bytes_cross_in_order_up_to_the_capacity)
{
        struct transport  *ends[2];
        char               to[16] = { 0 };
        char               bytes[] = "abcdefghi";
        const struct iovec from[]  = {
                { bytes, 3 }, { NULL, 0 }, { bytes + 3, 5 }, { bytes + 8, 1 }
        };

        EXPECT(memory_transport_pair(6, ends));
        EXPECT_EQ(get(ends[1], 8), -EAGAIN);
        EXPECT_EQ(ends[0]->ops->write(ends[0], from, 4), 6);
        EXPECT_EQ(put(ends[0], "x"), -EAGAIN);
        EXPECT_EQ(ends[1]->ops->read(ends[1], to, 4), 4);
        EXPECT_EQ(put(ends[0], "12345"), 4);
        EXPECT_EQ(ends[1]->ops->read(ends[1], to + 4, 12), 6);
        EXPECT(strcmp(to, "abcdef1234") == 0, "%s", to);
        EXPECT_EQ(put(ends[1], "back"), 4);             /* each direction has its own room */
        EXPECT_EQ(get(ends[0], 8), 4);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
}

TEST(a_freed_end_is_the_end_for_the_other)
{
        struct transport *ends[2];

        EXPECT(memory_transport_pair(8, ends));
        EXPECT_EQ(put(ends[0], "last"), 4);
        ends[0]->ops->free(ends[0]);
        EXPECT_EQ(put(ends[1], "x"), -EPIPE);
        EXPECT_EQ(get(ends[1], 8), 4);
        EXPECT_EQ(get(ends[1], 8), 0);
        ends[1]->ops->shut(ends[1]);
        ends[1]->ops->free(ends[1]);
}

TEST(a_shut_end_still_reads)
{
        struct transport *ends[2];

        EXPECT(memory_transport_pair(8, ends));
        EXPECT_EQ(put(ends[0], "last"), 4);
        ends[0]->ops->shut(ends[0]);
        EXPECT_EQ(put(ends[0], "x"), -EPIPE);
        EXPECT_EQ(get(ends[1], 8), 4);
        EXPECT_EQ(get(ends[1], 8), 0);
        EXPECT_EQ(put(ends[1], "reply"), 5);
        EXPECT_EQ(get(ends[0], 8), 5);
        EXPECT_EQ(get(ends[0], 8), -EAGAIN);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
}

TEST(watches_are_told_what_is_possible)
{
        struct transport *ends[2];
        struct poll      *polls[2] = { poll_memory_new(), poll_memory_new() };
        struct watch      watches[2] = { { .ready = on_ready }, { .ready = on_ready } };

        EXPECT(memory_transport_pair(4, ends));
        EXPECT_EQ(put(ends[0], "abcd"), 4);             /* before there is a watch */
        for (unsigned i = 0; i < 2; i++)
                EXPECT(ends[i]->ops->attach(ends[i], polls[i], &watches[i],
                                            POLL_READ | POLL_WRITE));
        EXPECT_EQ(turn(polls[0]), 0);                   /* full, and nothing to read */
        EXPECT_EQ(turn(polls[1]), POLL_READ | POLL_WRITE);
        EXPECT_EQ(get(ends[1], 1), 1);
        EXPECT_EQ(turn(polls[0]), POLL_WRITE);
        EXPECT_EQ(turn(polls[1]), POLL_READ | POLL_WRITE);
        EXPECT_EQ(get(ends[1], 8), 3);
        EXPECT_EQ(turn(polls[1]), POLL_WRITE);
        EXPECT_EQ(put(ends[1], "1234"), 4);
        EXPECT_EQ(turn(polls[1]), 0);
        EXPECT_EQ(turn(polls[0]), POLL_READ | POLL_WRITE);

        ends[0]->ops->shut(ends[0]);
        EXPECT_EQ(turn(polls[1]), POLL_READ);
        ends[0]->ops->detach(ends[0], &watches[0]);
        ends[0]->ops->detach(ends[0], &watches[0]);     /* nothing the second time */
        EXPECT_EQ(turn(polls[0]), 0);
        ends[0]->ops->free(ends[0]);
        EXPECT_EQ(turn(polls[1]), POLL_READ | POLL_WRITE);

        ends[1]->ops->detach(ends[1], &watches[1]);
        ends[1]->ops->free(ends[1]);
        poll_free(polls[0]);
        poll_free(polls[1]);
}

TEST(a_watch_that_does_not_read_is_told_of_the_end)
{
        for (unsigned freed = 0; freed < 2; freed++) {
                struct transport *ends[2];
                struct poll      *poll  = poll_memory_new();
                struct watch      watch = { .ready = on_ready };

                EXPECT(memory_transport_pair(4, ends));
                EXPECT(ends[1]->ops->attach(ends[1], poll, &watch, POLL_CLOSED));
                EXPECT_EQ(put(ends[0], "last"), 4);
                EXPECT_EQ(turn(poll), 0);
                if (freed)
                        ends[0]->ops->free(ends[0]);
                else
                        ends[0]->ops->shut(ends[0]);
                EXPECT_EQ(turn(poll), POLL_CLOSED);
                EXPECT_EQ(get(ends[1], 8), 4);
                EXPECT_EQ(turn(poll), POLL_CLOSED);     /* what was unread does not matter */
                ends[1]->ops->detach(ends[1], &watch);
                ends[1]->ops->free(ends[1]);
                if (!freed)
                        ends[0]->ops->free(ends[0]);
                poll_free(poll);
        }
}

TEST(an_end_may_change_its_poll)
{
        struct transport *ends[2];
        struct poll      *polls[2] = { poll_memory_new(), poll_memory_new() };
        struct watch      watch    = { .ready = on_ready };

        EXPECT(memory_transport_pair(4, ends));
        EXPECT(ends[1]->ops->attach(ends[1], polls[0], &watch, POLL_READ));
        EXPECT_EQ(turn(polls[0]), 0);
        ends[1]->ops->detach(ends[1], &watch);
        EXPECT_EQ(put(ends[0], "abc"), 3);
        EXPECT_EQ(turn(polls[0]), 0);
        EXPECT(ends[1]->ops->attach(ends[1], polls[1], &watch, POLL_READ));
        EXPECT_EQ(turn(polls[0]), 0);
        EXPECT_EQ(turn(polls[1]), POLL_READ);
        ends[1]->ops->detach(ends[1], &watch);
        EXPECT_EQ(get(ends[1], 8), 3);
        EXPECT(ends[1]->ops->attach(ends[1], polls[1], &watch, POLL_READ));
        EXPECT_EQ(turn(polls[1]), 0);                   /* forgot what it was ready for */
        ends[1]->ops->detach(ends[1], &watch);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
        poll_free(polls[0]);
        poll_free(polls[1]);
}

TEST(without_memory_nothing_is_made_or_written)
{
        struct transport *ends[2];

        for (int i = 0; i < 2; i++) {
                mem_fail_after(i);
                EXPECT(!memory_transport_pair(4, ends));
        }
        mem_fail_after(-1);
        EXPECT(memory_transport_pair(4, ends));
        mem_fail_after(0);
        EXPECT_EQ(put(ends[0], "abc"), -ENOMEM);
        mem_fail_after(-1);
        EXPECT_EQ(put(ends[0], "abc"), 3);
        ends[0]->ops->free(ends[0]);
        ends[1]->ops->free(ends[1]);
}

SUITE(transport_memory, CASE(bytes_cross_in_order_up_to_the_capacity),
      CASE(a_freed_end_is_the_end_for_the_other), CASE(a_shut_end_still_reads),
      CASE(watches_are_told_what_is_possible),
      CASE(a_watch_that_does_not_read_is_told_of_the_end), CASE(an_end_may_change_its_poll),
      CASE(without_memory_nothing_is_made_or_written))
