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

        /* Counters of handshakes, which only this shard writes. */
        _Atomic uint64_t *good, *resumed, *failed;      /* resumed: of the good ones */
};

/* Takes the transport below, and a reference to the context. NULL without memory: below is freed
 * then. Stays on the loop of its pace until the first bytes were read; may be mailed from then on.
 * A handshake that fails is -EPROTO with .why in OpenSSL's words. */
struct transport *tls_transport_new(struct transport *below, struct tls_context *context,
                                    struct tls_pace *pace) ON_SHARD;

#endif
