/* MQTT over WebSocket (RFC 6455; MQTT section 6): a layer on TCP or TLS, the server's side.
 *
 * The upgrade request and control frames are read, answered and gone: what is read and written here
 * is the stream of bytes in binary frames, whose borders mean nothing. One flush of output is one
 * frame. Nothing is kept of a frame but what of its header has come; whoever neither sends nor is
 * sent anything holds no buffer. */
#ifndef LINNET_NET_TRANSPORT_WEBSOCKET_H
#define LINNET_NET_TRANSPORT_WEBSOCKET_H

#include "net/http_upgrade.h"
#include "net/transport.h"

/* Takes `below`, also when it returns NULL: no memory. The rules outlive it. */
struct transport *websocket_transport_new(struct transport           *below,
                                          const struct upgrade_rules *rules);

#endif
