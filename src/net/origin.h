/* The origin of a page that asks for a WebSocket (RFC 6454): "https://example.com:8443".
 *
 * A browser lets any page connect to anybody, from the machine of whoever looks at it: a page from
 * anywhere can reach a broker there that lets in everybody from loopback. But the browser says
 * which page it is, and the broker must look. */
#ifndef LINNET_NET_ORIGIN_H
#define LINNET_NET_ORIGIN_H

#include <stdbool.h>

#include "base/str.h"

/* What a list may have, with commas between: "https://example.com", the same with "*." before the
 * name for all names below that one, "null" for pages without an origin, or a star for all. */
bool origins_valid(struct str list);

/* Whether one in the list is this one. */
bool origin_listed(struct str origin, struct str list);

/* Whether a page is of the very host that it connects to, "host:port", whatever the ports; and that
 * is an address or localhost. Another name is not enough: whose page it is may point his name at
 * the address of somebody else's broker. */
bool origin_is_host(struct str origin, struct str host);

#endif
