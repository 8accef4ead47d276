/* TLS towards the broker. A context is made once and read by all threads; the rest is a
 * connection's own. */
#ifndef LINNET_TOOLS_LINNET_BENCH_SECURE_H
#define LINNET_TOOLS_LINNET_BENCH_SECURE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

/* The authority's and our own certificate from --cafile, --cert, --key. NULL: it said why. Who
 * calls this frees it. */
SSL_CTX *secure_context(const struct bench_options *options);

/* On a connected socket, which stays the caller's; the broker's certificate must be for --host,
 * unless --insecure. NULL without memory. */
SSL *secure_new(SSL_CTX *context, const struct bench_options *options, int fd);

/* As read(2) and write(2) on a socket that does not block: -1 with EAGAIN, or with EPROTO, about
 * which secure_why() has words. 0: the end. */
ssize_t secure_read(SSL *ssl, void *to, size_t size);
ssize_t secure_write(SSL *ssl, const void *bytes, size_t size);

/* Goes on with the handshake: 1 when it is done, -1 with EAGAIN (*writes: it waits for room) or
 * EPROTO. */
int secure_handshake(SSL *ssl, bool *writes);

const char *secure_why(const SSL *ssl);         /* static storage */

#endif
