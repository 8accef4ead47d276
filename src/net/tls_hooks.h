/* What OpenSSL asks during a handshake: which certificate, which protocol, which key. */
#ifndef LINNET_NET_TLS_HOOKS_H
#define LINNET_NET_TLS_HOOKS_H

#include "net/tls_context.h"

/* What those questions need to know of a connection: its SSL_set_app_data(). */
struct tls_asked {
        struct tls_context *context;
        char               *psk_identity;       /* owned; what was offered, for the log; or NULL */
        bool                psk_known;          /* and it has a key */
};

/* The identity whose key the peer has proven to have; ptr NULL: it has not. After the handshake;
 * lives as long as the connection. */
struct str tls_hooks_psk(SSL *ssl);

void tls_hooks_set(SSL_CTX *ssl, const struct tls_context *context);

#endif
