/* How much a client may send and get in a second. Who sends more is not read for a while; who gets
 * more waits for what is QoS 1 and 2, and loses what is not. A client without limits has none: to
 * it all of this is a NULL.
 *
 * What has come is handled and paid for afterwards, so a debt is at most what one read brings; the
 * timers are set once a pause, not once a message.
 */
#ifndef LINNET_CLIENT_LIMITER_H
#define LINNET_CLIENT_LIMITER_H

#include "base/bucket.h"
#include "rt/role.h"
#include "rt/wheel.h"

struct client;

struct limiter {
        struct client *client;
        struct bucket  messages_in, bytes_in, messages_out, bytes_out;
        struct timer   in;              /* set while it is not read */
        struct timer   out;             /* set while it gets nothing */
};

/* For a client that has just connected; false without memory. */
bool limiter_begin(struct client *c) ON_SHARD;
void limiter_end(struct client *c) ON_SHARD;

size_t limiter_read_size(const struct client *c, size_t wanted) ON_SHARD;
void   limiter_read(struct client *c, size_t bytes) ON_SHARD;   /* that many were read */
void   limiter_received(struct client *c) ON_SHARD;             /* a PUBLISH was handled */
void   limiter_sent(struct client *c, uint64_t bytes) ON_SHARD; /* a PUBLISH of that many */

/* It has got its share for now. */
static inline bool limiter_holds(const struct limiter *limiter)
{
        return limiter != NULL && timer_is_set(&limiter->out);
}

#endif
