/* Waiting for readiness: what is ready is told to its watch.
 *
 * Level-triggered: a watch is told again in every wait as long as it is ready and wants it. There
 * is one implementation on epoll, and one in memory for tests and the simulator, whose readiness is
 * set by the memory transport.
 */
#ifndef LINNET_RT_POLL_H
#define LINNET_RT_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum poll_events {
        POLL_READ   = 1,
        POLL_WRITE  = 2,
        POLL_FAILED = 4,        /* told as POLL_READ and POLL_WRITE, whatever is wanted */
        POLL_CLOSED = 8,        /* the peer has closed its side; what it sent may be unread */
};

struct watch;
typedef void watch_ready(struct watch *watch, unsigned events);

/* Embedded by its owner, zeroed before poll_add(). */
struct watch {
        int          fd;                /* -1 in the memory poll */
        unsigned     wants;             /* POLL_READ | POLL_WRITE | POLL_CLOSED */
        unsigned     is;                /* what it is ready for, wanted or not */
        watch_ready *ready;             /* may change and remove any watch, and free its own */
        struct poll *poll;              /* set while added */
        struct list  in_ready;          /* to be told */
};

struct poll;

struct poll *poll_epoll_new(void);      /* NULL with errno */
struct poll *poll_memory_new(void);
void         poll_free(struct poll *poll);      /* when all watches are removed; NULL is nothing */

/* Errors of the descriptor (EPOLLERR, EPOLLHUP) are told as POLL_READ and POLL_WRITE, whatever is
 * wanted: the read or write that follows says what it was. POLL_CLOSED is for who does not read;
 * who does learns of the end by reading 0. False with errno; nothing was added. */
bool poll_add(struct poll *poll, struct watch *watch, unsigned wants);
void poll_change(struct watch *watch, unsigned wants);
void poll_remove(struct watch *watch);  /* before the fd is closed; nothing when not added */

/* A wait has two halves, between which a loop reads its clock and its mail. The first notes what is
 * ready, waiting up to wait_ms for something (0: not at all, -1: until woken; the memory poll never
 * waits). The second tells what was noted, except to a watch that was removed meanwhile or does not
 * want it any more; returns how many were told. poll_wait() is both. */
void     poll_collect(struct poll *poll, int wait_ms);
unsigned poll_tell(struct poll *poll);
unsigned poll_wait(struct poll *poll, int wait_ms);

void poll_wake(struct poll *poll);              /* any thread: ends a wait, this one or the next */

/* Memory poll: the watch is now ready for `is`, added or not: it takes that along to its next poll.
 * Watches are told in the order in which they became ready, after each telling at the end again. */
void poll_memory_set(struct watch *watch, unsigned is);
bool poll_memory_woken(const struct poll *poll);        /* any thread: since the last wait began */

#endif
