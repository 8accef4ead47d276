/* Who the peer has proven to be. */
#ifndef LINNET_NET_TLS_IDENTITY_H
#define LINNET_NET_TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "net/tls_config.h"

/* The name of a kind from the peer's verified certificate, as UTF-8; its length. 0 when there is no
 * such name, it does not fit, or it has control characters, NUL above all. */
size_t tls_certificate_name(const X509 *certificate, enum tls_name kind, char *to, size_t size);

#endif
