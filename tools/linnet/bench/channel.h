/* The socket of a connection, with TLS or without. Its worker's thread only. */
#ifndef LINNET_TOOLS_LINNET_BENCH_CHANNEL_H
#define LINNET_TOOLS_LINNET_BENCH_CHANNEL_H

#include <sys/types.h>

#include "base/str.h"
#include "secure.h"

struct channel {
        int  fd;                /* -1: none; owned */
        SSL *tls;               /* owned; NULL: plain */
};

void channel_close(struct channel *channel);            /* it may be closed already */
void channel_end(struct channel *channel);              /* says that we send no more */

/* As read(2): -1 with errno, 0 at the end. */
ssize_t channel_read(struct channel *channel, void *to, size_t size);

/* How many of these bytes the kernel took; -1 with errno when it is broken. */
ssize_t channel_write(struct channel *channel, struct str bytes);

/* What has been read from the kernel, and not from here. */
bool channel_has_more(const struct channel *channel);

/* About errno after one of these; static storage. */
const char *channel_why(const struct channel *channel);

#endif
