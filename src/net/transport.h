/* One way to move bytes. Transports stack: ws over tls over tcp; each calls only .below. The lowest
 * is a socket, or memory in tests. One shard's thread at a time; a transport that is not attached
 * may be mailed to another shard. */
#ifndef LINNET_NET_TRANSPORT_H
#define LINNET_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "net/address.h"
#include "rt/poll.h"

struct transport;

enum { TRANSPORT_TEXT_SIZE = 256 };     /* with the NUL */

enum transport_name { TRANSPORT_USERNAME, TRANSPORT_CLIENT_ID };

struct transport_ops {
        const char *name;

        /* Bytes read or written; read: 0 when the peer is done. -EAGAIN: to be called again when
         * the watch says so, or `pending` does; any other -errno is for good. With -EPROTO from
         * read `why` may say how the peer broke what this layer speaks; then shut() tells the peer,
         * and read() throws away what comes. A write that took a part, or found no room, is to be
         * followed by the rest, and that by whatever else: a layer may have said its length, or
         * sealed it. */
        ssize_t (*read)(struct transport *t, void *to, size_t size);
        ssize_t (*write)(struct transport *t, const struct iovec *from, int count);

        /* Registers `watch` (whose .ready is set) at the poll; false with errno. A transport must
         * be detached before it is mailed or freed; detach does nothing when it is not attached. */
        bool (*attach)(struct transport *t, struct poll *poll, struct watch *watch, unsigned wants);
        void (*detach)(struct transport *t, struct watch *watch);

        /* No more will be written; reading goes on. Tells the peer `farewell` and `why`, where the
         * layer has words for them. */
        void (*shut)(struct transport *t);
        void (*free)(struct transport *t);      /* frees .below too */

        /* Who the peer has proven to be; its length, 0 when unknown. NULL: this layer cannot tell,
         * and the one below is asked. */
        size_t (*identity)(struct transport *t, enum transport_name name,
                           char to[static TRANSPORT_TEXT_SIZE]);

        /* What a log line says of the layer: "uid=1000 pid=4242". Its length; NULL: nothing. */
        size_t (*describe)(struct transport *t, char to[static TRANSPORT_TEXT_SIZE]);
};

/* How a connection ends, as far as a layer can say it. */
enum farewell {
        FAREWELL_NORMAL,
        FAREWELL_LEAVING,               /* the broker stops */
        FAREWELL_PROTOCOL,              /* the peer broke the protocol */
        FAREWELL_POLICY,                /* the peer may not */
        FAREWELL_TOO_LARGE,
};

struct transport {
        const struct transport_ops *ops;
        struct transport           *below;      /* owned; NULL for the lowest */
        struct address              peer;       /* AF_UNSPEC: as below; see transport_peer() */
        bool                        stranger;   /* of someone whose address nobody could tell */
        bool                        awaits_peer; /* the first bytes are to tell the address */
        const char                 *awaits;     /* a handshake: what is said of one that does not
                                                 * come, "no TLS handshake in time"; NULL: none */

        /* What read() leaves behind; both stay 0 where nothing is stacked. A layer passes on what
         * the one below says. */
        unsigned wants;         /* POLL_WRITE: it waits for room, too, to be called again */
        bool     pending;       /* it has more to give, or to do, of which no descriptor tells */

        const char   *why;      /* of the end, or NULL; the layer's, or its user's before shut() */
        enum farewell farewell; /* its user's, before shut() */
};

/* The address of the peer as the highest layer knows it: the socket's, unless a proxy has told of
 * another. That may come as late as with the first bytes read. */
const struct address *transport_peer(const struct transport *t);

bool transport_awaits_peer(const struct transport *t);  /* any layer does */

/* The handshake that the peer has to make next, as its layer says; NULL: none is left. */
const char *transport_awaits(const struct transport *t);

/* The peer is on this machine, and so is whoever it speaks for. */
bool transport_is_local(const struct transport *t);

/* What the highest layer that can tell says of the peer's identity, NUL-terminated; empty when it
 * is unknown. Only after bytes were read. */
size_t transport_identity(struct transport *t, enum transport_name name,
                          char to[static TRANSPORT_TEXT_SIZE]);

/* What all layers say of themselves, from above, NUL-terminated. */
void transport_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE]);

/* Takes a connected, non-blocking socket. NULL without memory: the socket is closed then. */
struct transport *tcp_transport_new(int fd, const struct address *peer);

/* The same for a Unix socket; its identity is "uid:NUMBER", from the kernel. */
struct transport *unix_transport_new(int fd);

/* Two ends of a pipe in memory, each holding at most `capacity` unread bytes; freeing an end makes
 * the other read 0 and write -EPIPE. For tests and the simulator: one thread turns both. */
bool memory_transport_pair(size_t capacity, struct transport *ends[static 2]);

#endif
