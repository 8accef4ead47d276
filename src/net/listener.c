#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
        ACCEPTS_MAX = 64,       /* a wakeup: those who are connected have their turn, too */
        PAUSE_MS    = 100,
        KEEPALIVE_PARTS = 4,    /* probes, and how much sooner than the first they follow it */
};

static void close_keeping_errno(int fd)
{
        int error = errno;

        close(fd);
        errno = error;
}

/* Linux hands these on to what is accepted. */
static bool tune(int fd, const struct listener_tuning *tuning)
{
        int nodelay = tuning->nodelay;
        int idle   = (int)tuning->keepalive_s;
        int on     = idle > 0;
        int every  = idle > KEEPALIVE_PARTS ? idle / KEEPALIVE_PARTS : 1;
        int probes = KEEPALIVE_PARTS;

        /* Whoever writes gathers a turn's packets itself; Nagle's delay would only add to it. */
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0)
                return false;
        return idle == 0 ||
               (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every) == 0 &&
                setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) == 0);
}

/* A bound and listening socket, or -1 with errno. */
static int open_socket(const struct address *address, const struct listener_tuning *tuning)
{
        int family = address->any.sa_family;
        int on     = 1;
        int off    = 0;
        int fd     = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -1;
        /* Without SO_REUSEADDR, connections of the last run that linger in TIME_WAIT keep the
         * port. V6ONLY off matters to a wildcard alone, whatever the machine's default. */
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
            (family == AF_INET6 &&
             setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) ||
            !tune(fd, tuning) || bind(fd, &address->any, address_len(address)) < 0 ||
            listen(fd, tuning->backlog) < 0) {
                close_keeping_errno(fd);
                return -1;
        }
        return fd;
}

bool listener_open(struct listener *listener, const struct address *address,
                   const struct listener_tuning *tuning)
{
        int fd = open_socket(address, tuning);

        listener->address = (struct address){ 0 };      /* not open */
        if (fd < 0 && errno == EAFNOSUPPORT && address->any.sa_family == AF_INET6 &&
            IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr)) {
                struct address v4 = { .v4 = { .sin_family = AF_INET,
                                              .sin_port   = address->v6.sin6_port } };

                fd = open_socket(&v4, tuning);
        }
        if (fd < 0)
                return false;
        if (listener_adopt(listener, fd))
                return true;
        close_keeping_errno(fd);
        return false;
}

bool listener_adopt(struct listener *listener, int fd)
{
        struct address bound     = { 0 };
        socklen_t      len       = sizeof bound;
        int            listening = 0;
        socklen_t      int_len   = sizeof listening;

        listener->address = (struct address){ 0 };      /* not open */
        if (getsockname(fd, &bound.any, &len) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_len) < 0)
                return false;
        if (!listening) {
                errno = EINVAL;
                return false;
        }
        listener->loop            = NULL;
        listener->address         = bound;
        listener->fd              = fd;
        listener->watch           = (struct watch){ .fd = fd };
        listener->pause           = (struct timer){ 0 };
        listener->accept_failures = 0;
        return true;
}

bool listener_share(struct listener *listener, const struct listener *from)
{
        int fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
                return false;
        if (listener_adopt(listener, fd))
                return true;
        close_keeping_errno(fd);
        return false;
}

bool listener_tune(struct listener *listener, const struct listener_tuning *tuning)
{
        return (listener->address.any.sa_family == AF_UNIX || tune(listener->fd, tuning)) &&
               listen(listener->fd, tuning->backlog) == 0;
}

/* A zeroed listener is not open either, though its fd is 0. */
bool listener_is_open(const struct listener *listener)
{
        return listener->address.any.sa_family != AF_UNSPEC;
}

/* Level-triggered, the poll would tell of the waiting connection for ever. */
static void pause_accepting(struct listener *listener) ON_SHARD
{
        listener->accept_failures++;
        poll_remove(&listener->watch);
        loop_timer(listener->loop, &listener->pause, PAUSE_MS);
}

static void on_pause_over(struct loop *loop, struct timer *timer)
{
        struct listener *listener = list_entry(timer, struct listener, pause);

        on_shard(loop);
        if (!poll_add(loop->config.poll, &listener->watch, POLL_READ))
                pause_accepting(listener);
}

/* False when there is nothing more to accept, or not now. */
static bool accept_one(struct listener *listener) ON_SHARD
{
        struct address    peer = { 0 };
        socklen_t         len  = sizeof peer;
        struct transport *transport;
        int fd = accept4(listener->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && errno == EAGAIN)
                return false;
        if (fd < 0 && errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
                return true;            /* an error of that connection, which is gone */
        if (fd < 0)
                transport = NULL;
        else
                transport = peer.any.sa_family == AF_UNIX ? unix_transport_new(fd)
                                                          : tcp_transport_new(fd, &peer);
        if (transport == NULL) {
                pause_accepting(listener);
                return false;
        }
        listener->accepted(listener, transport);
        return listener_is_open(listener);       /* the receiver may have closed it */
}

static void on_connection(struct watch *watch, unsigned events)
{
        struct listener *listener = list_entry(watch, struct listener, watch);

        (void)events;
        on_shard(listener->loop);
        for (unsigned i = 0; i < ACCEPTS_MAX && accept_one(listener); i++)
                continue;
}

bool listener_start(struct listener *listener, struct loop *loop)
{
        assert(listener_is_open(listener) && listener->loop == NULL && listener->accepted != NULL);
        listener->watch.ready = on_connection;
        listener->pause.fire  = on_pause_over;
        if (!poll_add(loop->config.poll, &listener->watch, POLL_READ))
                return false;
        listener->loop = loop;
        return true;
}

/* Unchecked: once started, on the loop's thread or when no thread turns the loop any more. */
void listener_close(struct listener *listener) UNCHECKED
{
        if (!listener_is_open(listener))
                return;
        if (listener->loop != NULL) {
                poll_remove(&listener->watch);
                loop_timer_cancel(listener->loop, &listener->pause);
        }
        close(listener->fd);
        listener->loop    = NULL;
        listener->fd      = -1;
        listener->address = (struct address){ 0 };
}
