/* UNSUBSCRIBE: filter by filter [MQTT-3.10.4-6], answered always, once [MQTT-3.10.4-4]
 * [MQTT-3.10.4-5], with a code a filter in 5.0 [MQTT-3.11.3-1]. */
#include "client/protocol.h"

#include <assert.h>

#include "client/mount.h"
#include "core/subscription.h"

void on_unsubscribe(struct client *c, const struct packet *packet)
{
        const struct unsubscribe_packet *u       = &packet->unsubscribe;
        struct str                       filters = u->filters;
        struct str                       filter;
        char                             reasons[SUBSCRIBE_FILTERS_MAX];

        assert(u->count <= SUBSCRIBE_FILTERS_MAX);
        for (unsigned i = 0; unsubscribe_next(&filters, &filter); i++) {
                enum reason reason = REASON_UNSPECIFIED_ERROR;

                filter = mount_filter(c, filter);
                client_hook(c, HOOK_CLIENT_UNSUBSCRIBE, filter, REASON_SUCCESS);
                if (c->peer.session != NULL)
                        reason = subscription_remove(c->peer.session, filter);
                reasons[i] = (char)reason;
        }

        /* [MQTT3-2.3.1-7] [MQTT5-2.2.1-6] */
        const struct suback_packet unsuback = { .packet_id = u->packet_id,
                                                .reasons   = str_from(reasons, u->count) };

        struct receipt *barrier = protocol_barrier(c);

        protocol_wait(reply_suback(c, PACKET_UNSUBACK, &unsuback, barrier == NULL), barrier);
}
