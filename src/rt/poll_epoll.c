/* Readiness from the kernel. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "rt/poll_ops.h"

enum { BATCH = 256 };   /* what does not fit comes first in the next wait: the kernel rotates */

struct epoll {
        struct poll        poll;
        int                fd;
        int                wake_fd;
        struct epoll_event events[BATCH];
};

static const struct poll_ops epoll_ops;

struct poll *poll_epoll_new(void)
{
        struct epoll *epoll = mem_alloc(sizeof *epoll);
        int           error;

        if (epoll == NULL) {
                errno = ENOMEM;
                return NULL;
        }
        poll_init(&epoll->poll, &epoll_ops);

        epoll->fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll->fd < 0)
                goto free_epoll;
        epoll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (epoll->wake_fd < 0)
                goto close_fd;

        /* Edge-triggered, every write is an event of its own, and nobody has to read it. Its data
         * is NULL, which is no watch. */
        struct epoll_event event = { .events = EPOLLIN | EPOLLET };

        if (epoll_ctl(epoll->fd, EPOLL_CTL_ADD, epoll->wake_fd, &event) < 0)
                goto close_wake_fd;
        return &epoll->poll;

close_wake_fd:
        error = errno;
        close(epoll->wake_fd);
        errno = error;
close_fd:
        error = errno;
        close(epoll->fd);
        errno = error;
free_epoll:
        error = errno;
        mem_free(epoll);
        errno = error;
        return NULL;
}

static struct epoll *epoll_of(struct poll *poll)
{
        assert(poll->ops == &epoll_ops);
        return (struct epoll *)(void *)poll;
}

static void epoll_free(struct poll *poll)
{
        struct epoll *epoll = epoll_of(poll);

        close(epoll->wake_fd);
        close(epoll->fd);
        mem_free(epoll);
}

static int epoll_set(struct poll *poll, struct watch *watch, int operation)
{
        struct epoll_event event = { .data.ptr = watch };

        if (watch->wants & POLL_READ)
                event.events |= EPOLLIN;
        if (watch->wants & POLL_WRITE)
                event.events |= EPOLLOUT;
        if (watch->wants & POLL_CLOSED)
                event.events |= EPOLLRDHUP;
        return epoll_ctl(epoll_of(poll)->fd, operation, watch->fd, &event);
}

static bool epoll_add(struct poll *poll, struct watch *watch)
{
        watch->is = 0;
        return epoll_set(poll, watch, EPOLL_CTL_ADD) == 0;
}

static void epoll_change(struct poll *poll, struct watch *watch)
{
        int failed = epoll_set(poll, watch, EPOLL_CTL_MOD);

        assert(!failed);        /* it is added and open; there is no other reason */
}

static void epoll_remove(struct poll *poll, struct watch *watch)
{
        int failed = epoll_ctl(epoll_of(poll)->fd, EPOLL_CTL_DEL, watch->fd, NULL);

        assert(!failed);        /* closed before it was removed? */
        watch->is = 0;
}

static void epoll_collect(struct poll *poll, int wait_ms)
{
        struct epoll *epoll = epoll_of(poll);
        int           count = epoll_wait(epoll->fd, epoll->events, BATCH, wait_ms);

        assert(count >= 0 || errno == EINTR);   /* a signal: nothing was ready */
        for (int i = 0; i < count; i++) {
                struct watch *watch  = epoll->events[i].data.ptr;
                uint32_t      events = epoll->events[i].events;

                if (watch == NULL)              /* the wake-up */
                        continue;
                assert(watch->poll == poll);
                watch->is = (events & EPOLLIN ? POLL_READ : 0u) |
                            (events & EPOLLOUT ? POLL_WRITE : 0u) |
                            (events & EPOLLRDHUP ? POLL_CLOSED : 0u) |
                            (events & (EPOLLERR | EPOLLHUP) ? POLL_FAILED : 0u);
                /* Noted in a list rather than told from the array, so that removing it takes it
                 * out. */
                list_push_back(&poll->ready, &watch->in_ready);
        }
}

/* The kernel is asked again in the next wait. */
static void epoll_tell(struct poll *poll, struct watch *watch)
{
        (void)poll;
        watch->is = 0;
}

static void epoll_wake(struct poll *poll)
{
        uint64_t one     = 1;
        ssize_t  written = write(epoll_of(poll)->wake_fd, &one, sizeof one);

        assert(written == sizeof one);          /* it would take 2^64 of them to fill it */
}

static const struct poll_ops epoll_ops = {
        .name    = "epoll",
        .add     = epoll_add,
        .change  = epoll_change,
        .remove  = epoll_remove,
        .collect = epoll_collect,
        .tell    = epoll_tell,
        .wake    = epoll_wake,
        .free    = epoll_free,
};
