/* One connection to the broker. Its worker's thread only.
 *
 *      NEW -> DIALLING (-> SECURING) (-> UPGRADING)
 *          -> CONNECTING -> SUBSCRIBING -> READY -> LEAVING -> CLOSED
 *
 * It owns memory while a packet has come in part or the kernel takes no more. */
#ifndef LINNET_TOOLS_LINNET_BENCH_LINK_H
#define LINNET_TOOLS_LINNET_BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "channel.h"
#include "publisher.h"
#include "run.h"
#include "subscriber.h"
#include "web.h"

struct worker;

enum link_state {
        LINK_NEW, LINK_DIALLING, LINK_SECURING, LINK_UPGRADING, LINK_CONNECTING,
        LINK_SUBSCRIBING, LINK_READY,
        LINK_LEAVING,           /* it has sent DISCONNECT, and waits for the broker to close */
        LINK_CLOSED,            /* and may be dialled again */
};

struct link {
        struct worker  *worker;
        enum role       role;
        enum link_state state;
        struct channel  channel;
        uint32_t        number;         /* among those of its role, in the whole run */
        uint16_t        last_id;
        bool            blocked;        /* `out` waits for the kernel */
        uint64_t        began_us;
        uint64_t        sent_us;        /* something, last */
        struct web     *web;            /* owned; NULL: no WebSocket, or not yet */
        struct list     waiting;        /* to be dialled, in its worker's list */
        struct buffer   in;             /* the beginning of a packet */
        struct buffer   out;
        union {
                struct publisher  publisher;
                struct subscriber subscriber;
        };
};

void link_dial(struct link *link);
void link_event(struct link *link, uint32_t events);
void link_close(struct link *link);     /* DISCONNECT first where it may be; frees its memory */

void link_leave(struct link *link);     /* a READY one: until the broker has closed, too */

/* The end of it for a reason, which is counted: "PUBLISH", "malformed". */
void link_fail(struct link *link, const char *where, const char *why);

/* Room for a packet of at most `size` bytes behind those that are to be sent in this turn; NULL
 * without memory: the link has failed. What was encoded there: link_wrote(), where 0 bytes mean
 * that it did not fit. All of it goes with link_flush(), before another link's turn. */
void *link_room(struct link *link, size_t size);
void  link_wrote(struct link *link, size_t size);
void  link_flush(struct link *link);

void     link_ping(struct link *link);
uint16_t link_next_id(struct link *link);

#endif
