/* TLS upon another transport, the server's side, by OpenSSL. */
#ifndef LINNET_NET_TRANSPORT_TLS_H
#define LINNET_NET_TRANSPORT_TLS_H

#include "net/tls_context.h"
#include "net/transport.h"
#include "rt/loop.h"

/* What bounds the handshakes of a shard: each costs up to some milliseconds, so that no turn has
 * more than `per_turn` of them, and the others wait for the next one. */
struct tls_pace {
        struct loop *loop;
        unsigned     per_turn;
        uint64_t     turn;              /* the last that had any */
        unsigned     used;              /* in it */
};

/* The end of a handshake: `why` is NULL after a good one, or OpenSSL's words. */
typedef void tls_ended(void *context, struct transport *t, const char *why);

/* Where a connection begins. `pace` and what `ended` needs live as long as handshakes last, and are
 * touched by the thread that turns the pace's loop. */
struct tls_begin {
        struct tls_context *context;    /* a reference is taken */
        struct tls_pace    *pace;
        tls_ended          *ended;
        void               *ended_context;
};

/* Takes the transport below. NULL without memory: that is freed then. Stays on the pace's loop
 * until `ended` was called, and may be mailed to another from then on. */
struct transport *tls_transport_new(struct transport *below,
                                    const struct tls_begin *begin) ON_SHARD;

#endif
