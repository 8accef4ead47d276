#include "net/transport.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/memory.h"

struct tcp {
        struct transport transport;
        int              fd;
        bool             attached;
};

static const struct transport_ops tcp_ops;

static struct tcp *tcp_of(struct transport *t)
{
        assert(t->ops == &tcp_ops);
        return (struct tcp *)(void *)t;
}

/* [MQTT3-7.1.1-1] [MQTT5-4.2.0-1] */
struct transport *tcp_transport_new(int fd, const struct address *peer)
{
        struct tcp *tcp = mem_zalloc(sizeof *tcp);
        int         on  = 1;

        if (tcp == NULL) {
                close(fd);
                return NULL;
        }
        /* Whoever writes gathers a turn's packets itself; Nagle's delay would only add to it. It
         * may fail, for a socket that is not TCP or is reset already, and nothing is lost. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        tcp->transport = (struct transport){ .ops = &tcp_ops, .peer = *peer };
        tcp->fd        = fd;
        return &tcp->transport;
}

static ssize_t tcp_read(struct transport *t, void *to, size_t size)
{
        ssize_t count;

        do
                count = recv(tcp_of(t)->fd, to, size, 0);
        while (count < 0 && errno == EINTR);
        return count < 0 ? -errno : count;
}

static ssize_t tcp_write(struct transport *t, const struct iovec *from, int count)
{
        /* sendmsg() reads the iovec only; the cast is for its struct, which recvmsg() shares. */
        struct msghdr message = {
                .msg_iov    = (struct iovec *)from,
                .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
        };
        ssize_t written;

        do
                written = sendmsg(tcp_of(t)->fd, &message, MSG_NOSIGNAL);
        while (written < 0 && errno == EINTR);
        return written < 0 ? -errno : written;
}

static bool tcp_attach(struct transport *t, struct poll *poll, struct watch *watch, unsigned wants)
{
        struct tcp *tcp = tcp_of(t);

        assert(!tcp->attached);
        watch->fd     = tcp->fd;
        tcp->attached = poll_add(poll, watch, wants);
        return tcp->attached;
}

static void tcp_detach(struct transport *t, struct watch *watch)
{
        struct tcp *tcp = tcp_of(t);

        if (!tcp->attached)
                return;
        assert(watch->fd == tcp->fd);
        poll_remove(watch);
        tcp->attached = false;
}

static void tcp_shut(struct transport *t)
{
        (void)shutdown(tcp_of(t)->fd, SHUT_WR); /* fails when the peer is gone: just as well */
}

static void tcp_free(struct transport *t)
{
        struct tcp *tcp = tcp_of(t);

        assert(!tcp->attached);
        close(tcp->fd);
        mem_free(tcp);
}

static const struct transport_ops tcp_ops = {
        .name   = "tcp",
        .read   = tcp_read,
        .write  = tcp_write,
        .attach = tcp_attach,
        .detach = tcp_detach,
        .shut   = tcp_shut,
        .free   = tcp_free,
};
