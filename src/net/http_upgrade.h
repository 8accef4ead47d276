/* The HTTP request that asks for a WebSocket (RFC 6455, section 4.2), and its answer. Pure: text
 * in, text out; what comes is hostile, and of HTTP there is no more than this one request. */
#ifndef LINNET_NET_HTTP_UPGRADE_H
#define LINNET_NET_HTTP_UPGRADE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "net/address.h"

enum {
        UPGRADE_BYTES_MAX = 8192, /* of a request */
        UPGRADE_FIELDS_MAX = 64,
        UPGRADE_PROOF_SIZE = 29,
};

/* What a listener lets in. The strings are its owner's and outlive whoever looks at them; lists
 * have commas, and spaces if one likes, between their parts. */
struct upgrade_rules {
        struct str paths;           /* "/mqtt" */
        struct str origins;         /* of pages that may connect */
        struct str address_field;   /* "X-Forwarded-For"; empty: nobody is asked */
        struct str proxies;         /* networks of proxies that are believed */
        bool       any_subprotocol; /* a client need not offer one of MQTT's */
};

/* What a request is answered. Its strings show the request or are constants. */
struct upgrade_answer {
        unsigned       status;      /* 101, or an error */
        const char    *why;         /* of an error: one sentence, for the peer too */
        struct str     what;        /* that it is about, as the request has it; for the log */
        struct str     key;         /* Sec-WebSocket-Key */
        const char    *subprotocol; /* NULL: none */
        struct address client;      /* AF_UNSPEC unless a proxy that is believed told of it */
};

bool upgrade_paths_valid(struct str list);

/* Why `bytes`, the first of a connection, are not the beginning of a request; NULL: they may be. */
const char *upgrade_stranger(struct str bytes);

/* How long the request is that `bytes` begins with; 0 while its end has not come. The first
 * `looked` bytes had no end in them when they were looked at. */
size_t upgrade_size(struct str bytes, size_t looked);

/* The request of a client at `peer`. Where no origins are listed a page must be of this very host,
 * as origin_is_host() has it. */
void upgrade_judge(struct str request, const struct upgrade_rules *rules,
                   const struct address *peer, struct upgrade_answer *out);

/* One that is not a request, or too large for one. */
void upgrade_refuse(struct upgrade_answer *out, unsigned status, const char *why);

/* What a server shows to have understood a key of 24 characters; with a NUL. False without
 * memory. */
bool upgrade_proof(struct str key, char to[static UPGRADE_PROOF_SIZE]);

/* Appends the HTTP response. False without memory. */
bool upgrade_write(const struct upgrade_answer *answer, struct buffer *to);

#endif
