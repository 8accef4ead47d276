/* The end of a client: who asks for it, what the peer is told, and what the log. */
#include "client/client_internal.h"

#include "client/protocol.h"

static void refuse_connect(struct client *c, enum reason reason, const char *why) ON_SHARD;

void client_close(struct client *c, enum reason reason, const char *why)
{
        if (c->state >= CLIENT_CLOSING)
                return;
        c->reason = reason;
        c->why = why;
        c->will_asked = reason != REASON_NORMAL_DISCONNECTION; /* [MQTT-3.14.4-3] */
        client_enter(c, CLIENT_CLOSING);
        client_dirty(c);
        loop_timer(&c->shard->loop, &c->timer, c->linger_ms);
}

void client_lost(struct client *c, const char *why)
{
        client_close(c, REASON_UNSPECIFIED_ERROR, why);
        if (c->state == CLIENT_CLOSING)
                client_enter(c, CLIENT_CLOSED);
        client_dirty(c);
}

/* The close comes whether or not there was something to say, or room for it [MQTT5-4.13.2-1]. */
void client_fail(struct client *c, enum reason reason, const char *why)
{
        if (c->state == CLIENT_CONNECTED)
                send_disconnect(c, reason, why); /* [MQTT-4.13.1-1] */
        else if (c->state < CLIENT_CONNECTED)
                refuse_connect(c, reason, why); /* no DISCONNECT yet [MQTT5-3.14.0-1] */
        client_close(c, reason, why); /* [MQTT3-3.2.2-5] [MQTT5-3.2.2-7] [MQTT5-3.14.4-2] */
}

bool client_may_log(struct client_manager *manager, enum refusal_kind kind, uint32_t *skipped)
{
        return log_allowed(&manager->refusals[kind], REFUSALS_LOGGED,
                           manager->shard->loop.now.mono_ms, skipped);
}

/* `what` was refused. */
ON_SHARD static void log_refused(struct client *c, enum refusal_kind kind, const char *event,
                                 struct log_field what, enum reason reason, const char *why)
{
        uint32_t skipped = 0;
        char     address[ADDRESS_TEXT_SIZE];

        if (!client_may_log(c->manager, kind, &skipped))
                return;
        address_text(transport_peer(c->transport), address);
        LOG(WARNING, event, F_STR("client", c->client_id), F_TEXT("address", address),
            F_TEXT("listener", c->listener->name), what, F_TEXT("reason", reason_name(reason)),
            F_TEXT("why", why), F_U64("skipped", skipped));
}

void client_log_connection(struct client *c, enum reason reason, const char *why)
{
        log_refused(c, REFUSED_CONNECTION, "connection.refused",
                    F_TEXT("transport", c->transport->ops->name), reason, why);
}

/* [MQTT3-4.8.0-1] [MQTT5-3.1.4-1] */
void client_refuse_packet(struct client *c, enum reason reason, const char *why)
{
        if (c->state >= CLIENT_CLOSING)
                return;
        metric_add(&c->shard->metrics.packets_refused, 1);
        log_refused(c, REFUSED_PACKET, "packet.refused",
                    F_TEXT("packet", packet_name(c->frame.type)), reason, why);
        if (c->state == CLIENT_WAITING && c->version != MQTT_5 &&
            reason != REASON_UNSUPPORTED_PROTOCOL_VERSION)
                client_close(c, reason, why); /* [MQTT3-3.1.4-1] */
        else
                client_fail(c, reason, why);
}

/* CONNACK with the reason: also tells the hooks, which learn of success elsewhere. */
static void refuse_connect(struct client *c, enum reason reason, const char *why)
{
        struct connack_packet connack = { .reason = reason };
        bool known = packet_reason_allowed(PACKET_CONNACK, reason, PACKET_FROM_SERVER);

        if (c->state == CLIENT_WAITING && c->body.ptr == NULL)
                return; /* nobody has asked for anything yet */
        if (!known)
                connack.reason = REASON_UNSPECIFIED_ERROR;
        if (why != NULL && c->problem_info && c->version == MQTT_5) {
                connack.properties.reason_string = str_of(why);
                property_set(&connack.properties, PROPERTY_REASON_STRING);
        }
        send_connack(c, &connack);
        metric_add(&c->shard->metrics.clients_refused, 1);
        c->reason = reason;
        c->why = why;
        if (c->turned_away)     /* which was logged, and is nobody's client */
                return;
        if (!c->auth_failed)            /* or auth.failed has said it */
                client_log(c, LOG_LEVEL_WARNING, "client.refused");
        client_hook(c, HOOK_CLIENT_CONNECTED, (struct str){ 0 }, reason);
}

static enum farewell farewell_of(enum reason reason)
{
        if (reason < REASON_UNSPECIFIED_ERROR)
                return FAREWELL_NORMAL;
        if (reason == REASON_SERVER_SHUTTING_DOWN)
                return FAREWELL_LEAVING;
        if (reason == REASON_PACKET_TOO_LARGE)
                return FAREWELL_TOO_LARGE;
        return reason == REASON_MALFORMED_PACKET || reason == REASON_PROTOCOL_ERROR
                       ? FAREWELL_PROTOCOL
                       : FAREWELL_POLICY;
}

void client_shut(struct client *c)
{
        struct transport *t = c->transport;

        c->shut = true;
        t->farewell = farewell_of(c->reason);
        if (t->why == NULL)
                t->why = c->why != NULL ? c->why : reason_text(c->reason);
        t->ops->shut(t);
}
