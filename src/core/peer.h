/* Whoever is bound to a session: the C form of `ClientPid ! {deliver, Msg}`. A client, a bridge,
 * a test double. All calls are made on the session's shard; none may free the session or unbind
 * the peer. */
#ifndef LINNET_CORE_PEER_H
#define LINNET_CORE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/access.h"
#include "core/delivery.h"
#include "mqtt/reason.h"

struct peer;
struct session;

/* Whether it takes messages just now. */
enum congestion {
        PEER_FREE,
        PEER_SLOW,              /* its output is above the watermark */
        PEER_LIMITED,           /* it has got what it may in this while */
};

struct peer_ops {
        /* Sends a PUBLISH; packet_id 0 at QoS 0. False: it cannot be sent to this peer at all
         * (too large for it), and counts as delivered. */
        bool (*publish)(struct peer *peer, const struct delivery *delivery, uint16_t packet_id,
                        bool dup);
        void (*release)(struct peer *peer, uint16_t packet_id);         /* sends a PUBREL */
        enum congestion (*congested)(const struct peer *peer);
        void (*evict)(struct peer *peer, enum reason reason); /* closes it; it unbinds by itself */

        /* Tells it why, and ends it: it unbinds in its time. */
        void (*refuse)(struct peer *peer, enum reason reason, const char *why);

        /* Says who it is, in a request for the access chain; its address is written to `address`.
         * The notes are still the peer's: returns where they are to be handed back, as the chain
         * has left them. NULL: it is nobody's client. */
        struct access_note **(*identify)(struct peer *peer, struct access_request *request,
                                         char address[static ACCESS_ADDRESS_SIZE]);
};

struct peer {
        const struct peer_ops *ops;
        struct session        *session;         /* bound to; NULL when not */
        uint16_t               receive_maximum; /* the client's; 65,535 when it named none */
        bool                   may_retry;       /* of version 3: retry_interval applies */
};

#endif
