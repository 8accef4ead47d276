/* Certificates, keys and rules of TLS, read from files and from then on immutable; shared by all
 * connections that began with it, on any thread. A change of the files is a new context. */
#ifndef LINNET_NET_TLS_CONTEXT_H
#define LINNET_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/map.h"
#include "base/str.h"
#include "net/tls_config.h"

struct tls_psks;
struct tls_tickets;

enum { TLS_WHY_SIZE = 4096 };

/* A certificate of ours, and the names it is for. */
struct tls_own {
        SSL_CTX *ssl;
        char     file[TLS_PATH_SIZE];
        int64_t  expires_s;             /* seconds since 1970 */
};

struct tls_context {
        _Atomic unsigned    references;
        struct tls_config   config;
        struct tls_psks    *psks;               /* NULL: none */
        struct tls_tickets *tickets;            /* NULL: sessions are not resumed */
        uint8_t             alpn[TLS_WORDS_SIZE];       /* each behind its length */
        unsigned            alpn_len;
        unsigned            count;              /* 0 certificates: pre-shared keys only */
        struct tls_own      own[];              /* [count], one without certificate for 0 */
};

/* Reads all files. NULL, and `why` is a sentence that begins with the key and the file to blame:
 * "certfile /etc/x.pem: permission denied on the directory /etc (mode 0700, owner 0)". Blocks on
 * the disk: never on a shard's thread but before it runs. */
struct tls_context *tls_context_new(const struct tls_config *config, char why[static TLS_WHY_SIZE]);

/* One reference more; one fewer, where NULL is nothing. Any thread. */
struct tls_context *tls_context_get(struct tls_context *context);
void                tls_context_put(struct tls_context *context);

/* Days until a moment, rounded down; negative once it is over. */
int64_t tls_days_left(int64_t expires_s, int64_t now_s);

#endif
