/* CONNECT: checked, brought home, authenticated, given its session, answered. */
#include "client/protocol.h"

#include <assert.h>

#include "base/memory.h"
#include "client/mount.h"
#include "core/review.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

enum { ASSIGN_DRAWS_MAX = 4096 };       /* a draw is at home with 1 in SHARDS_MAX at the worst */

static bool identify(struct client *c, const struct connect_packet *p) ON_SHARD;
static bool identify_by_transport(struct client *c, const struct connect_packet *p) ON_SHARD;
static bool assign_id(struct client *c) ON_SHARD;
static enum durability durability_of(const struct client *c) ON_SHARD;
static bool allowed(struct client *c, const struct connect_packet *p) ON_SHARD;
static bool remember(struct client *c, const struct connect_packet *p);
static void take_identity(struct client *c);
static void take_properties(struct client *c, const struct connect_packet *p);
static void ask(struct client *c, const struct connect_packet *p) ON_SHARD;
static enum access_verdict ask_will(struct client *c, const struct will_fields *will) ON_SHARD;
static void connect_done(struct client *c) ON_SHARD;
static void welcome(struct client *c, const struct connect_packet *p) ON_SHARD;
static bool set_will(struct client *c, struct session *session,
                     const struct will_fields *will) ON_SHARD;
static void connack_properties(struct client *c, const struct connect_packet *p,
                               struct properties *out) ON_SHARD;
static void tell_limits(const struct settings *settings, struct properties *out);

void on_connect(struct client *c, const struct packet *packet)
{
        uint32_t      versions = c->listener->versions;
        struct packet held;

        if (c->turned_away) {
                client_fail(c, c->reason, c->why);
                return;
        }
        if (versions != 0 && !(versions & client_version_bit(c->version))) {
                client_fail(c, REASON_UNSUPPORTED_PROTOCOL_VERSION,
                            "its listener does not take this version of MQTT");
                return;
        }
        c->clean_start  = packet->connect.clean_start;
        c->keep_alive_s = packet->connect.keep_alive_s;
        c->durability   = durability_of(c);
        take_properties(c, &packet->connect);
        if (!identify(c, &packet->connect) || c->move_to != CLIENT_STAYS)
                return;

        /* From here on the packet is read from where it stays until the answer is known. */
        if (!protocol_hold(c) || !protocol_decode_held(c, &held) || !remember(c, &held.connect)) {
                client_lost(c, "no memory");
                return;
        }
        client_enter(c, CLIENT_AUTHENTICATING);
        if (allowed(c, &held.connect) && auth_welcome(c, HOOK_CLIENT_CONNECT))
                ask(c, &held.connect);
}

/* The identifier is what the connection has proven. */
static bool identify_by_transport(struct client *c, const struct connect_packet *p)
{
        char   text[TRANSPORT_TEXT_SIZE];
        size_t len  = transport_identity(c->transport, TRANSPORT_CLIENT_ID, text);
        unsigned home = broker_home(c->shard->broker, str_from(text, len));

        if (len == 0 || !utf8_valid(str_from(text, len))) {
                client_fail(c, REASON_NOT_AUTHORIZED,
                            "its listener takes client ids from what connections prove, and this "
                            "one proves none");
                return false;
        }
        if (home != c->shard->loop.config.id) {
                c->move_to = home;
                return true;
        }
        c->client_id = str_from(mem_dup(str_from(text, len)), len);
        c->assigned  = p->client_id.len == 0;           /* it is told */
        if (c->client_id.ptr == NULL)   /* or the one it claims would be taken */
                client_lost(c, "no memory");
        return c->client_id.ptr != NULL;
}

/* Whose session it is, and where that is at home. */
static bool identify(struct client *c, const struct connect_packet *p)
{
        const struct broker *broker = c->shard->broker;
        unsigned             here   = c->shard->loop.config.id;

        /* 23 characters are always taken [MQTT-3.1.3-5]; [MQTT3-3.1.3-9] [MQTT5-3.1.3-8] */
        if (p->client_id.len > c->shard->settings->max_clientid_len) {
                client_fail(c, REASON_CLIENT_IDENTIFIER_NOT_VALID, "client id is too long");
                return false;
        }
        if (c->listener->identity_as_client_id)
                return identify_by_transport(c, p);
        if (p->client_id.len > 0) {
                unsigned home = broker_home(broker, p->client_id);

                if (home != here)
                        c->move_to = home;
                return true;
        }

        /* [MQTT3-3.1.3-8]; 3.1 wants at least one character */
        if (p->version == MQTT_3_1 || (p->version == MQTT_3_1_1 && !p->clean_start)) {
                client_fail(c, REASON_CLIENT_IDENTIFIER_NOT_VALID, "client id is empty");
                return false;
        }
        if (assign_id(c))
                return true;
        client_fail(c, REASON_SERVER_UNAVAILABLE, "no client id could be assigned");
        return false;
}

/* [MQTT-3.1.3-6]: drawn until it is at home here, so that the client need not move. From here on it
 * is the client's as if it had sent it [MQTT5-3.1.3-7]. */
static bool assign_id(struct client *c)
{
        struct shard *shard = c->shard;
        char          text[7 + GUID_BASE62_SIZE] = "linnet_";

        for (unsigned i = 0; i < ASSIGN_DRAWS_MAX; i++) {
                const struct guid drawn = { random_u64(&shard->random),
                                            random_u64(&shard->random) };
                struct str        id    = str_from(text, 7 + guid_base62(drawn, text + 7));

                if (broker_home(shard->broker, id) != shard->loop.config.id ||
                    session_find(shard, id) != NULL)
                        continue;
                c->client_id = str_from(mem_dup(id), id.len);
                c->assigned  = c->client_id.ptr != NULL;
                return c->assigned;
        }
        return false;
}

/* What its listener allows, as far as the broker keeps anything. */
static enum durability durability_of(const struct client *c)
{
        const struct store_port *store = c->shard->broker->store;

        if (store == NULL)
                return DURABILITY_MEMORY;
        return c->listener->durability < store->level ? c->listener->durability : store->level;
}

static void take_properties(struct client *c, const struct connect_packet *p)
{
        const struct properties *properties = &p->properties;

        c->peer.receive_maximum = UINT16_MAX;
        c->peer.may_retry       = p->version != MQTT_5;         /* [MQTT5-4.4.0-1] */
        if (p->version != MQTT_5)
                return;
        if (property_has(properties, PROPERTY_RECEIVE_MAXIMUM))
                c->peer.receive_maximum = properties->receive_maximum;
        if (property_has(properties, PROPERTY_MAXIMUM_PACKET_SIZE))
                c->packet_bytes_max = properties->maximum_packet_size;
        if (property_has(properties, PROPERTY_TOPIC_ALIAS_MAXIMUM))     /* [MQTT-3.1.2-27] */
                alias_allow_sent(&c->aliases, properties->topic_alias_maximum);
        if (property_has(properties, PROPERTY_REQUEST_PROBLEM_INFO))
                c->problem_info = properties->request_problem_info != 0;
        if (property_has(properties, PROPERTY_SESSION_EXPIRY))
                c->session_expiry_s = properties->session_expiry_s;
}

/* What is needed for as long as the client lives; false without memory. */
static bool remember(struct client *c, const struct connect_packet *p)
{
        bool enhanced = p->version == MQTT_5 && property_has(&p->properties, PROPERTY_AUTH_METHOD);

        if (c->client_id.ptr == NULL)
                c->client_id = str_from(mem_dup(p->client_id), p->client_id.len);
        take_identity(c);
        if (p->has_username && !c->identified)
                c->username = str_from(mem_dup(p->username), p->username.len);
        if (enhanced)
                c->auth_method = str_from(mem_dup(p->properties.auth_method),
                                          p->properties.auth_method.len);
        return c->client_id.ptr != NULL &&
               (!(p->has_username || c->identified) || c->username.ptr != NULL) &&
               (!enhanced || c->auth_method.ptr != NULL);
}

/* What the connection has proven comes before what the client says. */
static void take_identity(struct client *c)
{
        char   text[TRANSPORT_TEXT_SIZE];
        size_t len = 0;

        if (c->listener->identity_as_username)
                len = transport_identity(c->transport, TRANSPORT_USERNAME, text);
        c->identified = len > 0 && utf8_valid(str_from(text, len));
        if (c->identified)
                c->username = str_from(mem_dup(str_from(text, len)), len);
}

/* [MQTT-4.12.0-1] */
ON_SHARD static void method_unknown(struct client *c)
{
        c->asking->request.reason = REASON_BAD_AUTHENTICATION_METHOD;
        c->asking->request.why    = "nobody speaks its authentication method";
        c->asking->request.by     = "none";
        auth_failed(c);
}

static uint32_t user_properties(const struct connect_packet *p)
{
        if (p->version != MQTT_5)
                return 0;
        return p->properties.user_count + (p->will.present ? p->will.properties.user_count : 0u);
}

static bool allowed(struct client *c, const struct connect_packet *p)
{
        const struct settings *settings = c->shard->settings;

        if (c->listener->identity_as_username && !c->identified)
                client_fail(c, REASON_NOT_AUTHORIZED,
                            "its listener takes usernames from what connections prove, and this "
                            "one proves none");
        /* [MQTT5-3.2.2-12] [MQTT5-3.2.2-13] */
        else if (p->will.present && p->will.qos > settings->max_qos)
                client_fail(c, REASON_QOS_NOT_SUPPORTED, "QoS of the will beyond the maximum");
        else if (p->will.present && p->will.retain && !settings->retain_available)
                client_fail(c, REASON_RETAIN_NOT_SUPPORTED, "retain is not available");
        else if (p->will.present && (p->will.topic.len > settings->max_topic_bytes ||
                                     topic_levels(p->will.topic) > settings->max_topic_levels))
                client_fail(c, REASON_TOPIC_NAME_INVALID, "the will's topic is beyond the limits");
        else if (user_properties(p) > settings->max_user_properties)
                client_fail(c, REASON_QUOTA_EXCEEDED, "beyond mqtt.max_user_properties");
        else if (p->will.present && topic_is_system(p->will.topic))
                client_fail(c, REASON_NOT_AUTHORIZED, "$SYS is the broker's own");
        else if (p->version == MQTT_5 && property_has(&p->properties, PROPERTY_AUTH_DATA) &&
                 c->auth_method.ptr == NULL)
                client_fail(c, REASON_PROTOCOL_ERROR, "authentication data without a method");
        else if (c->auth_method.ptr != NULL &&
                 !access_has_method(c->shard->broker->access, c->auth_method))
                method_unknown(c);
        else
                return true;
        return false;
}

static void ask(struct client *c, const struct connect_packet *p)
{
        struct access_request *request = &c->asking->request;

        asking_identify(c, request, c->asking->address);
        request->kind         = ACCESS_CONNECT;
        request->password     = p->password;
        request->has_password = p->has_password;
        request->method       = c->auth_method;
        if (c->auth_method.ptr != NULL && property_has(&p->properties, PROPERTY_AUTH_DATA))
                request->data = p->properties.auth_data;
        connect_verdict(c, access_check(request));
}

/* In the topics: below what its listener makes of its names, which are not what it said they were
 * but what it has been found to be. */
ON_SHARD static bool has_place(struct client *c, const struct will_fields *will)
{
        if (!mount_make(c))
                return false;
        if (!will->present || mount_topic(c, will->topic).ptr != NULL)
                return true;
        client_fail(c, REASON_TOPIC_NAME_INVALID, "the will's topic is too long");
        return false;
}

void connect_verdict(struct client *c, enum access_verdict verdict)
{
        struct packet packet;

        assert(c->state == CLIENT_AUTHENTICATING);
        if (verdict == ACCESS_LATER) {
                client_pause(c, PAUSED_BY_ACCESS);
                return;
        }
        if (verdict == ACCESS_CONTINUE) {
                send_auth(c, REASON_CONTINUE_AUTHENTICATION);   /* [MQTT5-4.12.0-2] */
                return;
        }
        c->asking->request.password = (struct str){ 0 };        /* its bytes go soon */
        c->asking->request.data     = (struct str){ 0 };
        if (verdict != ACCESS_ALLOW) {          /* [MQTT5-3.1.4-2] [MQTT5-4.12.0-4] */
                auth_failed(c);
                connect_done(c);
        } else if (!auth_identify(c)) {
                client_lost(c, "no memory");
                connect_done(c);
        } else if (!auth_welcome(c, HOOK_CLIENT_AUTHENTICATED)) {
                connect_done(c);
        } else if (!protocol_decode_held(c, &packet)) {
                return;
        } else if (!has_place(c, &packet.connect.will)) {
                connect_done(c);
        } else if (!client_allowed(c)) {
                connect_done(c);
        } else {
                will_verdict(c, ask_will(c, &packet.connect.will));
        }
}

/* Who may not publish its will is told so while it can be. The topic is copied, since the answer
 * may come later. */
static enum access_verdict ask_will(struct client *c, const struct will_fields *will)
{
        struct access_request *request = &c->asking->request;
        struct str             topic;
        uint32_t               delay_s;

        if (!will->present || c->superuser)
                return ACCESS_ALLOW;
        topic_delayed(mount_topic(c, will->topic), &delay_s, &topic);
        if (topic.ptr == NULL || !protocol_keep_text(c, topic)) {
                request->reason = REASON_SERVER_BUSY;
                return ACCESS_DENY;
        }
        request->kind   = ACCESS_PUBLISH;
        request->topic  = buffer_str(&c->asking->text);
        request->qos    = will->qos;
        request->retain = will->retain;
        return access_check(request);
}

void will_verdict(struct client *c, enum access_verdict verdict)
{
        struct packet packet;

        if (verdict == ACCESS_LATER) {
                client_pause(c, PAUSED_BY_ACCESS);
                return;
        }
        if (verdict != ACCESS_ALLOW)
                client_fail(c, c->asking->request.reason,
                            "it may not publish to the topic of its will");
        else if (protocol_decode_held(c, &packet))
                welcome(c, &packet.connect);
        connect_done(c);
}

static void connect_done(struct client *c)
{
        access_end(&c->asking->request);
        c->asking->request.topic = c->body = (struct str){ 0 };
        protocol_release(c);
}

/* What the client may rely on: a user property "durability". */
static struct str durability_property(enum durability durability)
{
        static const struct str raw[] = {
                [DURABILITY_MEMORY]  = { "\x26\x00\x0a" "durability" "\x00\x06" "memory", 21 },
                [DURABILITY_RELAXED] = { "\x26\x00\x0a" "durability" "\x00\x07" "relaxed", 22 },
                [DURABILITY_STRICT]  = { "\x26\x00\x0a" "durability" "\x00\x06" "strict", 21 },
        };

        return raw[durability];
}

static void on_safe(struct receipt *barrier)
{
        struct client *c = barrier->context;

        on_shard(&c->shard->loop);
        c->welcome = NULL;
        client_dirty(c);
        if (c->state != CLIENT_CONNECTED)
                return;
        session_resume(c->peer.session);
        client_go_on(c, PAUSED_BY_STORE);
}

/* What CONNACK says of the session, that it is new or how long it stays, no crash is to undo: it is
 * written, and the client heard, when that is safe. But while the store fails nobody could connect,
 * so it is not waited for then. */
ON_SHARD static void resume_when_safe(struct client *c, bool kept)
{
        bool failed = false;

        if (kept && c->durability != DURABILITY_MEMORY && !c->shard->journal.failing)
                c->welcome = journal_barrier(c->shard, on_safe, c, &failed);
        if (failed)
                client_lost(c, "no memory");
        else if (c->welcome != NULL)
                client_pause(c, PAUSED_BY_STORE);
        else
                session_resume(c->peer.session);
}

/* The session is opened as the clean flag says [MQTT3-3.1.4-3] [MQTT5-3.1.4-4], and CONNACK is the
 * first that the client gets [MQTT-3.2.0-1] [MQTT3-3.1.4-4] [MQTT5-3.1.4-5]. */
static void welcome(struct client *c, const struct connect_packet *p)
{
        struct connack_packet connack = { .reason = REASON_SUCCESS };
        struct shard         *shard   = c->shard;
        bool                  present = false;
        const struct session *before  = session_find(shard, c->client_id);
        bool                  kept    = before != NULL && before->durability != DURABILITY_MEMORY;

        connack_properties(c, p, &connack.properties);
        if (c->version == MQTT_5)
                connack.properties.raw = durability_property(c->durability);
        if (!connack_fits(c, &connack)) {       /* nothing may go before it, so nothing could */
                client_fail(c, REASON_PACKET_TOO_LARGE, "CONNACK beyond the client's maximum");
                return;
        }

        struct session *session = session_open(shard, c->client_id, c->username, p->clean_start,
                                               &present);

        if (session != NULL && (!limiter_begin(c) || !set_will(c, session, &p->will))) {
                session_end(session, REASON_SERVER_UNAVAILABLE);
                session = NULL;
        }
        if (session == NULL) {
                client_fail(c, REASON_SERVER_UNAVAILABLE, "no memory");
                return;
        }
        /* [MQTT3-3.2.2-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3] */
        connack.session_present = present && !p->clean_start;
        session->expiry_s  = c->session_expiry_s;
        session->superuser = c->superuser;
        session->granted   = access_granted(&c->asking->request);
        if (session->expiry_s > 0)
                session_keep(session, c->durability);
        client_enter(c, CLIENT_CONNECTED);
        c->was_connected = true;
        send_connack(c, &connack);
        session_bind(session, &c->peer);
        c->peer.session = session;
        /* The client's own, unless connack_properties() put ours there [MQTT5-3.2.2-22]. */
        keepalive_start(&c->keepalive, c->keep_alive_s, shard->settings->keepalive_backoff_percent,
                        client_now_ms(c));
        loop_timer_cancel(&shard->loop, &c->timer);
        if (c->keepalive.allowed_ms > 0)
                loop_timer(&shard->loop, &c->timer, c->keepalive.allowed_ms);
        metric_add(&shard->metrics.clients_connected, 1);
        stat_change(&shard->stats.clients, 1);
        client_log(c, LOG_LEVEL_INFO, "client.connected");
        client_hook(c, HOOK_CLIENT_CONNECTED, (struct str){ 0 }, REASON_SUCCESS);
        review_session(session);
        resume_when_safe(c, kept || session->expiry_s > 0);
}

static bool set_will(struct client *c, struct session *session, const struct will_fields *will)
{
        uint32_t delay_s = 0;

        if (!will->present)             /* [MQTT3-3.1.2-12] */
                return true;

        bool                        v5     = c->version == MQTT_5;
        uint64_t                    now_us = c->shard->loop.now.wall_us;
        const struct message_fields fields = {
                .topic      = mount_topic(c, will->topic),
                .payload    = will->payload,
                .qos        = will->qos,
                .retain     = will->retain,     /* [MQTT3-3.1.2-16] [MQTT3-3.1.2-17]
                                                 * [MQTT5-3.1.2-14] [MQTT5-3.1.2-15] */
                .properties = v5 ? &will->properties : NULL,
                .client_id  = c->client_id,
                .username   = c->username,
                .from       = session->from,
                .wall_us    = 0,        /* its expiry counts from its publication */
                .guid       = guid_next(&c->shard->guids, now_us),
        };
        struct message *message = message_new(&fields);

        if (message == NULL)
                return false;
        if (v5 && property_has(&will->properties, PROPERTY_WILL_DELAY))
                delay_s = will->properties.will_delay_s;
        session_set_will(session, &message, delay_s);   /* [MQTT5-3.1.2-7] */
        return true;
}

/* What differs from what was asked for or from the defaults of the standard. Sets the client's
 * terms. There is no response information here, asked for or not [MQTT5-3.1.2-28], and no method
 * for who named none [MQTT5-4.12.0-6]. */
static void connack_properties(struct client *c, const struct connect_packet *p,
                               struct properties *out)
{
        const struct settings *settings = c->shard->settings;

        if (p->version != MQTT_5) {
                c->session_expiry_s = p->clean_start ? 0 : settings->session_expiry_s;
                return;
        }
        if (c->session_expiry_s > settings->max_session_expiry_s) {
                c->session_expiry_s   = settings->max_session_expiry_s;
                out->session_expiry_s = c->session_expiry_s;
                property_set(out, PROPERTY_SESSION_EXPIRY);
        }
        if (settings->server_keepalive_s > 0 && settings->server_keepalive_s != c->keep_alive_s) {
                c->keep_alive_s          = (uint16_t)settings->server_keepalive_s;
                out->server_keep_alive_s = c->keep_alive_s;
                property_set(out, PROPERTY_SERVER_KEEP_ALIVE);  /* [MQTT-3.2.2-21] */
        }
        if (c->assigned) {
                out->assigned_client_id = c->client_id;         /* [MQTT-3.2.2-16] */
                property_set(out, PROPERTY_ASSIGNED_CLIENT_ID);
        }
        if (c->auth_method.ptr != NULL) {
                out->auth_method = c->auth_method;
                property_set(out, PROPERTY_AUTH_METHOD);
                if (c->asking->request.data_out.len > 0) {
                        out->auth_data = c->asking->request.data_out;
                        property_set(out, PROPERTY_AUTH_DATA);
                }
        }
        tell_limits(settings, out);
}

static void tell_limits(const struct settings *settings, struct properties *out)
{
        if (settings->max_awaiting_rel > 0 && settings->max_awaiting_rel < UINT16_MAX) {
                out->receive_maximum = (uint16_t)settings->max_awaiting_rel;
                property_set(out, PROPERTY_RECEIVE_MAXIMUM);
        }
        if (settings->max_qos < 2) {            /* [MQTT5-3.2.2-9] */
                out->maximum_qos = (uint8_t)settings->max_qos;
                property_set(out, PROPERTY_MAXIMUM_QOS);
        }
        if (settings->max_packet_size < PACKET_BYTES_MAX) {
                out->maximum_packet_size = settings->max_packet_size;
                property_set(out, PROPERTY_MAXIMUM_PACKET_SIZE);
        }
        if (settings->max_topic_alias > 0) {
                out->topic_alias_maximum = (uint16_t)settings->max_topic_alias;
                property_set(out, PROPERTY_TOPIC_ALIAS_MAXIMUM);
        }
        if (!settings->retain_available)        /* the members are zero already */
                property_set(out, PROPERTY_RETAIN_AVAILABLE);
        if (!settings->wildcard_available)
                property_set(out, PROPERTY_WILDCARD_AVAILABLE);
        if (!settings->shared_available)
                property_set(out, PROPERTY_SHARED_AVAILABLE);
}
