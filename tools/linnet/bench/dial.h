/* Where connections go to, and from which addresses. Made once, then read by any thread. */
#ifndef LINNET_TOOLS_LINNET_BENCH_DIAL_H
#define LINNET_TOOLS_LINNET_BENCH_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "options.h"
#include "secure.h"

enum { DIAL_SOURCES_MAX = 1024 };

struct dial {
        SSL_CTX                *tls;            /* NULL: none; owned */
        struct sockaddr_storage to;
        socklen_t               to_size;
        unsigned                source_count;   /* 0: whatever the kernel takes */
        struct sockaddr_storage sources[DIAL_SOURCES_MAX];
        socklen_t               source_size;
};

/* Looks the host up. --ifaddr is a list of addresses and ranges, "127.0.0.2-127.0.0.9,10.0.0.1".
 * False: it said why. */
bool dial_init(struct dial *dial, const struct bench_options *options);
void dial_deinit(struct dial *dial);

/* A socket that is being connected, not blocking, from one source after the other; -1 with errno.
 * The number is that of the connection. */
int dial_start(const struct dial *dial, uint32_t number);

#endif
