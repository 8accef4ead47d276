/* TCP and Unix sockets: the lowest layer. */
#include "net/transport.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"

struct socket {
        struct transport transport;
        int              fd;
        bool             attached;
};

static const struct transport_ops tcp_ops;
static const struct transport_ops unix_ops;

static struct socket *socket_of(struct transport *t)
{
        assert(t->ops == &tcp_ops || t->ops == &unix_ops);
        return (struct socket *)(void *)t;
}

static struct transport *socket_new(int fd, const struct transport_ops *ops,
                                    const struct address *peer)
{
        struct socket *socket = mem_zalloc(sizeof *socket);

        if (socket == NULL) {
                close(fd);
                return NULL;
        }
        socket->transport = (struct transport){ .ops = ops, .peer = *peer };
        socket->fd        = fd;
        return &socket->transport;
}

/* [MQTT3-7.1.1-1] [MQTT5-4.2.0-1] */
struct transport *tcp_transport_new(int fd, const struct address *peer)
{
        return socket_new(fd, &tcp_ops, peer);
}

struct transport *unix_transport_new(int fd)
{
        const struct address peer = { .any = { .sa_family = AF_UNIX } };

        return socket_new(fd, &unix_ops, &peer);
}

static ssize_t socket_read(struct transport *t, void *to, size_t size)
{
        ssize_t count;

        do
                count = recv(socket_of(t)->fd, to, size, 0);
        while (count < 0 && errno == EINTR);
        return count < 0 ? -errno : count;
}

static ssize_t socket_write(struct transport *t, const struct iovec *from, int count)
{
        /* sendmsg() reads the iovec only; the cast is for its struct, which recvmsg() shares. */
        struct msghdr message = {
                .msg_iov    = (struct iovec *)from,
                .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
        };
        ssize_t written;

        do
                written = count == 1 ? send(socket_of(t)->fd, from->iov_base, from->iov_len,
                                            MSG_NOSIGNAL)       /* the kernel copies less */
                                     : sendmsg(socket_of(t)->fd, &message, MSG_NOSIGNAL);
        while (written < 0 && errno == EINTR);
        return written < 0 ? -errno : written;
}

static bool socket_attach(struct transport *t, struct poll *poll, struct watch *watch,
                          unsigned wants)
{
        struct socket *socket = socket_of(t);

        assert(!socket->attached);
        watch->fd     = socket->fd;
        socket->attached = poll_add(poll, watch, wants);
        return socket->attached;
}

static void socket_detach(struct transport *t, struct watch *watch)
{
        struct socket *socket = socket_of(t);

        if (!socket->attached)
                return;
        assert(watch->fd == socket->fd);
        poll_remove(watch);
        socket->attached = false;
}

static void socket_shut(struct transport *t)
{
        (void)shutdown(socket_of(t)->fd, SHUT_WR); /* fails when the peer is gone: just as well */
}

static void socket_free(struct transport *t)
{
        struct socket *socket = socket_of(t);

        assert(!socket->attached);
        close(socket->fd);
        mem_free(socket);
}

/* As of the connect(), whatever became of that process. */
static bool credentials_of(struct transport *t, struct ucred *out)
{
        socklen_t len = sizeof *out;

        return getsockopt(socket_of(t)->fd, SOL_SOCKET, SO_PEERCRED, out, &len) == 0;
}

/* The number, since looking up its name may ask another machine, and would block. */
static size_t unix_identity(struct transport *t, enum transport_name name,
                            char to[static TRANSPORT_TEXT_SIZE])
{
        struct ucred peer;

        (void)name;
        if (!credentials_of(t, &peer))
                return 0;
        return (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "uid:%u", peer.uid);
}

static size_t unix_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        struct ucred peer;

        if (!credentials_of(t, &peer))
                return 0;
        return (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "uid=%u pid=%d", peer.uid, peer.pid);
}

static const struct transport_ops tcp_ops = {
        .name   = "tcp",
        .read   = socket_read,
        .write  = socket_write,
        .attach = socket_attach,
        .detach = socket_detach,
        .shut   = socket_shut,
        .free   = socket_free,
};

static const struct transport_ops unix_ops = {
        .name     = "unix",
        .read     = socket_read,
        .write    = socket_write,
        .attach   = socket_attach,
        .detach   = socket_detach,
        .shut     = socket_shut,
        .free     = socket_free,
        .identity = unix_identity,
        .describe = unix_describe,
};
