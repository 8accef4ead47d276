/* Who a client is: the verdicts of the access chain, and AUTH. */
#include "client/protocol.h"

#include <assert.h>

#include "base/memory.h"

/* The next step of a CONNECT's exchange, or of an exchange that the client begins anew. */
void on_auth(struct client *c, const struct packet *packet)
{
        const struct auth_packet *auth    = &packet->auth;
        struct access_request    *request;
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
        if (!asking_begin(c) ||
            !protocol_keep_text(c, property_has(&auth->properties, PROPERTY_AUTH_DATA)
                                           ? auth->properties.auth_data
                                           : (struct str){ 0 })) {
                client_lost(c, "no memory");
                return;
        }
        request             = &c->asking->request;
        c->reauthenticating = c->state == CLIENT_CONNECTED;
        request->kind       = ACCESS_CONNECT;
        request->method     = c->auth_method;
        request->data       = buffer_str(&c->asking->text);

        enum access_verdict verdict = anew ? access_check(request) : access_continue(request);

        if (c->state == CLIENT_CONNECTED)
                auth_verdict(c, verdict);
        else
                connect_verdict(c, verdict);
}

void auth_verdict(struct client *c, enum access_verdict verdict)
{
        const struct access_request *request = &c->asking->request;

        assert(c->state == CLIENT_CONNECTED && c->reauthenticating);
        if (verdict == ACCESS_LATER) {
                client_pause(c, PAUSED_BY_ACCESS);
                return;
        }
        if (verdict == ACCESS_CONTINUE) {
                send_auth(c, REASON_CONTINUE_AUTHENTICATION);
                return;
        }
        c->reauthenticating = false;
        if (verdict == ACCESS_ALLOW && request->identity.ptr != NULL &&
            !str_eq(request->identity, c->username)) {
                c->asking->request.reason = REASON_NOT_AUTHORIZED;
                c->asking->request.why    = "it has become someone else";
                verdict           = ACCESS_DENY;
        }
        if (verdict != ACCESS_ALLOW) {          /* [MQTT5-4.12.1-2] */
                auth_failed(c);
        } else if (auth_welcome(c, HOOK_CLIENT_AUTHENTICATED)) {
                if (client_allowed(c))
                        send_auth(c, REASON_SUCCESS);
        }
        access_end(&c->asking->request);
}

bool auth_welcome(struct client *c, enum hook_point point)
{
        struct hook_args args = { .shard     = c->shard,
                                  .client_id = c->client_id,
                                  .username  = c->username,
                                  .address   = str_of(c->asking->address),
                                  .peer      = transport_peer(c->transport),
                                  .ticket    = c->ticket };
        bool stopped = hooks_run(c->shard->broker->hooks, point, &args) == HOOK_STOP;

        c->ticket = args.ticket;
        if (stopped && c->state == CLIENT_CONNECTED)    /* DISCONNECT has fewer reasons */
                client_fail(c, REASON_ADMINISTRATIVE_ACTION, args.why);
        else if (stopped)
                client_fail(c, args.reason, args.why);
        return !stopped;
}

bool auth_identify(struct client *c)
{
        struct access_request *request = &c->asking->request;
        char                  *name;

        if (request->identity.ptr == NULL)
                return true;
        name = mem_dup(request->identity);
        if (name == NULL)
                return false;
        mem_free((char *)c->username.ptr);
        c->username           = str_from(name, request->identity.len);
        request->username     = c->username;
        request->has_username = true;
        return true;
}

/* How long the answer is to wait. */
ON_SHARD static uint32_t tell_failed(struct client *c, enum reason reason)
{
        struct hook_args args = { .shard     = c->shard,
                                  .client_id = c->client_id,
                                  .username  = c->username,
                                  .address   = str_of(c->asking->address),
                                  .peer      = transport_peer(c->transport),
                                  .reason    = reason,
                                  .why       = c->why };

        hooks_run(c->shard->broker->hooks, HOOK_CLIENT_AUTH_FAILED, &args);
        return args.delay_ms;
}

/* The line is stable: doc/security.md shows a filter for it. Why is not for the peer to know, who
 * would learn which names there are; but for what is the broker's fault. */
void auth_failed(struct client *c)
{
        const struct access_request *request = &c->asking->request;
        char                         address[ADDRESS_TEXT_SIZE];
        uint32_t                     delay_ms;

        address_text(transport_peer(c->transport), address);
        LOG(WARNING, "auth.failed", F_TEXT("address", address),
            F_STR("user", request->identity.ptr != NULL ? request->identity : c->username),
            F_STR("client", c->client_id), F_TEXT("listener", c->listener->name),
            F_TEXT("provider", request->by), F_TEXT("reason", reason_name(request->reason)),
            F_TEXT("why", request->why != NULL ? request->why : reason_text(request->reason)));
        c->auth_failed = true;
        c->why         = request->why;
        delay_ms       = tell_failed(c, request->reason);
        c->reason      = request->reason;
        c->why         = request->reason == REASON_SERVER_BUSY ? request->why : NULL;
        if (delay_ms == 0 || c->state != CLIENT_AUTHENTICATING) {
                client_fail(c, c->reason, c->why);
                return;
        }
        client_pause(c, PAUSED_BY_DELAY);
        loop_timer(&c->shard->loop, &c->timer, delay_ms);
}
