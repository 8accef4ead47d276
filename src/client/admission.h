/* Who is let in: the limits of the broker and of a listener on connections, and on how fast they
 * come; then whoever hangs on HOOK_CLIENT_ACCEPT. */
#ifndef LINNET_CLIENT_ADMISSION_H
#define LINNET_CLIENT_ADMISSION_H

#include "client/client.h"

/* REASON_SUCCESS: it is let in and counts from now on; else why not. */
struct admission {
        enum reason reason;
        const char *why;                /* static storage */
        uint64_t    ticket;             /* the hook's, for its end; 0: none */
};

struct admission admission_enter(struct shard *shard, struct client_listener *listener,
                                 const struct address *peer) ON_SHARD;
/* The end of one that was let in; on whichever shard it is by now. */
void admission_leave(struct shard *shard, struct client_listener *listener,
                     uint64_t ticket) ON_SHARD;

#endif
