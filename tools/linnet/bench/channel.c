#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void channel_close(struct channel *channel)
{
        SSL_free(channel->tls);
        if (channel->fd >= 0)
                close(channel->fd);
        *channel = (struct channel){ .fd = -1 };
}

void channel_end(struct channel *channel)
{
        if (channel->tls != NULL)
                SSL_shutdown(channel->tls);
        shutdown(channel->fd, SHUT_WR);
}

ssize_t channel_read(struct channel *channel, void *to, size_t size)
{
        return channel->tls != NULL ? secure_read(channel->tls, to, size)
                                    : recv(channel->fd, to, size, 0);
}

ssize_t channel_write(struct channel *channel, struct str bytes)
{
        size_t done = 0;

        while (done < bytes.len) {
                struct str rest = str_skip(bytes, done);
                ssize_t    sent = channel->tls != NULL
                                          ? secure_write(channel->tls, rest.ptr, rest.len)
                                          : send(channel->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

                if (sent >= 0)
                        done += (size_t)sent;
                else if (errno == EAGAIN)
                        break;
                else if (errno != EINTR)
                        return -1;
        }
        return (ssize_t)done;
}

bool channel_has_more(const struct channel *channel)
{
        return channel->tls != NULL && SSL_pending(channel->tls) > 0;
}

const char *channel_why(const struct channel *channel)
{
        return channel->tls != NULL && errno == EPROTO ? secure_why(channel->tls)
                                                       : strerror(errno);
}
