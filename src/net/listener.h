/* A listening socket of one shard. Every shard opens its own on the same address (SO_REUSEPORT), so
 * the kernel spreads connections and accepting needs no lock. Of a Unix socket there is one. */
#ifndef LINNET_NET_LISTENER_H
#define LINNET_NET_LISTENER_H

#include "net/address.h"
#include "net/transport.h"
#include "rt/loop.h"

struct listener;

/* A connection has come; the receiver takes the transport. */
typedef void listener_accepted(struct listener *listener, struct transport *transport);

struct listener {
        struct loop       *loop;
        struct address     address;             /* as bound, with the port the kernel chose for 0 */
        int                fd;
        struct watch       watch;
        struct timer       pause;               /* no descriptors left: accepting waits 100 ms */
        listener_accepted *accepted;
        void              *context;             /* the owner's */
        uint64_t           accept_failures;     /* EMFILE, ENFILE, ENOMEM */
};

/* What a listening socket is told, and the connections that come of it inherit. */
struct listener_tuning {
        int      backlog;
        bool     nodelay;
        uint32_t keepalive_s;           /* of silence, until TCP asks; 0: never */
};

/* Binds and listens without accepting yet. False with errno. An IPv6 wildcard is dual-stack; where
 * the machine has no IPv6 it falls back to IPv4. */
bool listener_open(struct listener *listener, const struct address *address,
                   const struct listener_tuning *tuning);

/* The same with a socket that listens already, TCP or Unix, which is taken. False with errno: it is
 * none, and stays the caller's. */
bool listener_adopt(struct listener *listener, int fd);

/* The same again, of the socket that `from` has open, on whichever thread; what waits to be
 * accepted is accepted by either, until one is closed. False with errno. */
bool listener_share(struct listener *listener, const struct listener *from);

/* Tells an open TCP socket anew. False with errno. */
bool listener_tune(struct listener *listener, const struct listener_tuning *tuning);

/* On the loop's thread: accepts from now on, up to 64 a wakeup. */
bool listener_start(struct listener *listener, struct loop *loop) ON_SHARD;

/* Stops accepting and closes; nothing when not open. */
void listener_close(struct listener *listener);
bool listener_is_open(const struct listener *listener); /* a zeroed one is not */

#endif
