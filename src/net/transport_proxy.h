/* The layer that reads a PROXY header in front of everything else, and knows from then on whose
 * connection it is: the peer's address is whom the proxy speaks for, the identity the name in the
 * certificate that the proxy verified. */
#ifndef LINNET_NET_TRANSPORT_PROXY_H
#define LINNET_NET_TRANSPORT_PROXY_H

#include "net/transport.h"

/* Takes the transport below, whose peer must be a proxy that is trusted. NULL without memory: all
 * is freed then. */
struct transport *proxy_transport_new(struct transport *below);

#endif
