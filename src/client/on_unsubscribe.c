/* UNSUBSCRIBE: answered always [MQTT3-3.10.4-5], a code a filter in 5.0 [MQTT-3.11.3-1]. */
#include "client/protocol.h"

#include <assert.h>

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

                client_hook(c, HOOK_CLIENT_UNSUBSCRIBE, filter, REASON_SUCCESS);
                if (c->peer.session != NULL)
                        reason = subscription_remove(c->peer.session, filter);
                reasons[i] = (char)reason;
        }

        const struct suback_packet unsuback = { .packet_id = u->packet_id,
                                                .reasons   = str_from(reasons, u->count) };

        send_suback(c, PACKET_UNSUBACK, &unsuback);
}
