/* PINGREQ and DISCONNECT. */
#include "client/protocol.h"

static bool expiry_changed(struct client *c, const struct properties *properties) ON_SHARD;

void on_pingreq(struct client *c, const struct packet *packet)
{
        (void)packet;
        send_pingresp(c);       /* [MQTT-3.12.4-1] */
}

void on_disconnect(struct client *c, const struct packet *packet)
{
        const struct disconnect_packet *d = &packet->disconnect;

        if (c->version == MQTT_5) {
                if (!packet_reason_allowed(PACKET_DISCONNECT, d->reason, PACKET_FROM_CLIENT) ||
                    property_has(&d->properties, PROPERTY_SERVER_REFERENCE)) {
                        client_refuse_packet(c, REASON_PROTOCOL_ERROR, "not a client's to say");
                        return;
                }
                if (!expiry_changed(c, &d->properties))
                        return;
        }
        client_close(c, c->version == MQTT_5 ? d->reason : REASON_NORMAL_DISCONNECTION,
                     "disconnected by the client");

        /* At once: a will that is dropped must not be seen by who comes later in this turn. */
        client_leave_session(c);
}

/* Section 3.14.2.2.2: what was to end with the connection cannot be kept. */
static bool expiry_changed(struct client *c, const struct properties *properties)
{
        uint32_t max = c->shard->settings->max_session_expiry_s;

        if (!property_has(properties, PROPERTY_SESSION_EXPIRY))
                return true;
        if (c->session_expiry_s == 0 && properties->session_expiry_s != 0) {
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "session expiry was zero");
                return false;
        }
        if (c->peer.session != NULL)            /* its record is written when it is left */
                c->peer.session->expiry_s = properties->session_expiry_s < max
                                                    ? properties->session_expiry_s
                                                    : max;
        return true;
}
