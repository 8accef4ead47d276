/* The PROXY protocol, versions 1 and 2: the header in which a load balancer tells, in front of the
 * first byte, whom it speaks for. Pure: bytes in, a value out; nothing is allocated.
 *
 * Who sends it is believed: that only proxies can is the caller's to see to. */
#ifndef LINNET_NET_PROXY_PROTOCOL_H
#define LINNET_NET_PROXY_PROTOCOL_H

#include "net/address.h"

enum {
        PROXY_V1_BYTES_MAX = 107,               /* by the specification, with its line end */
        PROXY_BYTES_MAX    = 4096,              /* of any header that is taken */
};

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };

enum proxy_speaks {
        PROXY_FOR_CLIENT,                       /* whose address is `source` */
        PROXY_FOR_ITSELF,                       /* LOCAL: a health check, say */
        PROXY_FOR_UNKNOWN,                      /* someone whose address it cannot tell */
};

/* Strings lie in the bytes that were parsed; ptr NULL: not told. */
struct proxy_header {
        enum proxy_speaks speaks;
        unsigned          version;              /* 1 or 2 */
        size_t            size;                 /* of the header; what follows is the client's */
        struct address    source;
        struct str        alpn, authority, unique_id;
        bool              tls;                  /* the client came to the proxy over TLS */
        bool              verified;             /* with a certificate that the proxy verified */
        struct str        tls_version, cipher, common_name;
};

/* The header at the front of `bytes`. MORE: there are not enough yet, and fewer than
 * PROXY_BYTES_MAX. BAD: *why says what is wrong; it cannot become a header by more bytes. */
enum proxy_result proxy_header_parse(struct str bytes, struct proxy_header *out, const char **why);

#endif
