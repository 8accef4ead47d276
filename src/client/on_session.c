/* PINGREQ, DISCONNECT and AUTH. */
#include "client/protocol.h"

#include <assert.h>

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

/* The next step of a CONNECT's exchange, or of an exchange that the client begins anew. */
void on_auth(struct client *c, const struct packet *packet)
{
        const struct auth_packet *auth    = &packet->auth;
        struct access_request    *request = &c->request;
        bool                      anew    = auth->reason == REASON_RE_AUTHENTICATE;

        if (c->version != MQTT_5 || c->auth_method.ptr == NULL ||
            !packet_reason_allowed(PACKET_AUTH, auth->reason, PACKET_FROM_CLIENT) ||
            !property_has(&auth->properties, PROPERTY_AUTH_METHOD)) {
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "AUTH without a method");
                return;
        }
        if (!str_eq(auth->properties.auth_method, c->auth_method)) {    /* [MQTT-4.12.0-5] */
                client_refuse_packet(c, REASON_BAD_AUTHENTICATION_METHOD, "not the CONNECT's");
                return;
        }
        if (anew != (c->state == CLIENT_CONNECTED && !c->reauthenticating)) {
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "AUTH out of turn");
                return;
        }
        buffer_consume(&c->asked, buffer_len(&c->asked));
        if (property_has(&auth->properties, PROPERTY_AUTH_DATA) &&
            !buffer_append(&c->asked, auth->properties.auth_data)) {
                client_lost(c, "no memory");
                return;
        }
        c->reauthenticating = c->state == CLIENT_CONNECTED;
        request->kind       = ACCESS_CONNECT;
        request->method     = c->auth_method;
        request->data       = buffer_str(&c->asked);

        /* A topic that was asked about in between has moved the request along the chain. */
        if (!anew) {
                request->at     = c->auth_at;
                request->reason = REASON_NOT_AUTHORIZED;
        }

        enum access_verdict verdict = anew ? access_check(request) : access_continue(request);

        if (c->state == CLIENT_CONNECTED)
                auth_verdict(c, verdict);
        else
                connect_verdict(c, verdict);
}

void auth_verdict(struct client *c, enum access_verdict verdict)
{
        assert(c->state == CLIENT_CONNECTED && c->reauthenticating);
        if (verdict == ACCESS_LATER) {
                client_pause(c);
                return;
        }
        if (verdict == ACCESS_CONTINUE) {
                c->auth_at = c->request.at;
                send_auth(c, REASON_CONTINUE_AUTHENTICATION);
                return;
        }
        c->reauthenticating = false;
        if (verdict == ACCESS_ALLOW) {
                client_allowed(c);
                send_auth(c, REASON_SUCCESS);
        } else {                        /* [MQTT5-4.12.1-2] */
                client_fail(c, c->request.reason, c->request.why);
        }
}
