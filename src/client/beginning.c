/* From accept to CONNECT: each part of it has its time. */
#include "client/client_internal.h"

uint64_t client_beginning_left_ms(const struct client *c)
{
        const struct client_listener *listener = c->listener;
        uint64_t                      limit_ms = c->shard->settings->connect_timeout_ms;
        uint64_t                      past_ms  = client_now_ms(c) - c->accepted_ms;

        if (transport_awaits_peer(c->transport) && listener->peer_timeout_ms > 0 &&
            listener->peer_timeout_ms < limit_ms)
                limit_ms = listener->peer_timeout_ms;
        if (transport_awaits(c->transport) != NULL && listener->handshake_timeout_ms > 0 &&
            listener->handshake_timeout_ms < limit_ms)
                limit_ms = listener->handshake_timeout_ms;
        return past_ms < limit_ms ? limit_ms - past_ms : 0;
}

ON_SHARD static void came_late(struct client *c)
{
        const char *why = transport_awaits(c->transport);

        if (why != NULL)
                metric_add(&c->shard->metrics.handshakes_late, 1);
        else if (transport_awaits_peer(c->transport))
                why = "nothing told its address in time";
        else
                why = "no CONNECT in time";
        metric_add(&c->shard->metrics.connections_late, 1);
        client_log_connection(c, REASON_MAXIMUM_CONNECT_TIME, why);
        client_close(c, REASON_MAXIMUM_CONNECT_TIME, why);
}

void client_look_at_beginning(struct client *c)
{
        uint64_t left_ms;

        if (!transport_awaits_peer(c->transport) && !client_learn_address(c))
                return;
        left_ms = c->turned_away ? 0 : client_beginning_left_ms(c);     /* that one had its own */
        if (left_ms > 0)
                loop_timer(&c->shard->loop, &c->timer, left_ms);
        else
                came_late(c);
}
