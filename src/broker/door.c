#include "broker/door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "client/client.h"
#include "net/listener.h"
#include "net/network.h"
#include "net/transport_proxy.h"
#include "net/transport_tls.h"
#include "net/transport_websocket.h"
#include "net/unix_socket.h"
#include "services/certificates/certificates.h"

enum { STRANGERS_LOGGED = 10 };         /* a second and door */

struct door {
        struct listener listener;               /* not open where another shard listens */
        struct gate    *gate;
        struct log_limit strangers;             /* who connected as if a proxy */
        unsigned        next;                   /* the shard that gets the next connection, if it
                                                 * deals them out */
};

/* One listener, of all shards. */
struct gate {
        struct config_listener config;
        struct client_listener clients;         /* what they know of it */
        struct upgrade_rules   upgrade;         /* WebSocket: who may connect; shows `config` */
        char                   name[64];        /* "tcp:external" */
        char                   rules[LISTENER_RULES_MAX * LISTENER_RULE_SIZE];
        struct doors          *doors;
        struct certificates_slot *certificates; /* TLS; NULL: plain */
        bool                   has_file;        /* Unix: the socket's, to be removed */
        struct door            door[];          /* [shard_count] */
};

struct doors {
        struct broker       *broker;
        struct certificates *certificates;
        unsigned             count;
        struct gate         *gates[CONFIG_LISTENERS_MAX];
        struct tls_pace      paces[];           /* [shard_count], of all doors of a shard */
};

/* A connection for another shard than the one that accepted it. */
struct arrival_mail {
        struct mail       mail;
        struct gate      *gate;
        struct transport *transport;            /* owned */
};

static bool              is_proxy(const struct gate *gate, const struct transport *transport);
static void              refuse_stranger(struct gate *gate, struct shard *shard,
                                         struct transport *transport) ON_SHARD;
static struct transport *add_layers(const struct gate *gate, struct shard *shard,
                                    struct transport *transport) ON_SHARD;
static void              enter(struct gate *gate, struct shard *shard,
                               struct transport *transport) ON_SHARD;
static bool              open_gate(struct gate *gate, struct supervisor *supervisor);

/* ---- connections ----------------------------------------------------------------------------- */

static void on_accepted(struct listener *listener, struct transport *transport)
{
        struct door *door = listener->context;

        on_shard(listener->loop);
        enter(door->gate, shard_of(listener->loop), transport);
}

static void arrival_deliver(struct loop *loop, struct mail *mail)
{
        struct arrival_mail *arrival = (struct arrival_mail *)mail;

        on_shard(loop);
        enter(arrival->gate, shard_of(loop), arrival->transport);
}

static void arrival_drop(struct mail *mail)
{
        struct arrival_mail *arrival = (struct arrival_mail *)mail;

        arrival->transport->ops->free(arrival->transport);
}

static const struct mail_ops arrival_ops = {
        .name    = "arrival",
        .deliver = arrival_deliver,
        .drop    = arrival_drop,
};

/* There is not a socket for each shard: who has one deals out what comes. */
static void on_accepted_for_all(struct listener *listener, struct transport *transport)
{
        struct door         *door = listener->context;
        struct gate         *gate = door->gate;
        unsigned             to   = door->next++ % gate->doors->broker->shard_count;
        struct arrival_mail *mail;

        on_shard(listener->loop);
        if (to == listener->loop->config.id) {
                enter(gate, shard_of(listener->loop), transport);
                return;
        }
        mail = loop_mail(listener->loop, to, &arrival_ops, sizeof *mail);
        if (mail == NULL) {
                transport->ops->free(transport);
                return;
        }
        mail->gate      = gate;
        mail->transport = transport;
}

/* To whom its header may be believed; whom a Unix socket lets in is the mode's to say. */
static bool is_proxy(const struct gate *gate, const struct transport *transport)
{
        return gate->config.type == LISTENER_UNIX ||
               networks_contain(str_of(gate->config.proxy_trusted), transport_peer(transport));
}

static void refuse_stranger(struct gate *gate, struct shard *shard, struct transport *transport)
{
        struct log_limit *limit   = &gate->door[shard->loop.config.id].strangers;
        uint32_t          skipped = 0;
        char              address[ADDRESS_TEXT_SIZE];

        atomic_fetch_add_explicit(&gate->clients.denied, 1, memory_order_relaxed);
        address_text(transport_peer(transport), address);
        if (log_allowed(limit, STRANGERS_LOGGED, shard->loop.now.mono_ms, &skipped))
                LOG(WARNING, "connection.denied", F_TEXT("address", address),
                    F_TEXT("listener", gate->name),
                    F_TEXT("why", "not one of proxy_protocol_trusted"), F_U64("skipped", skipped));
        transport->ops->free(transport);
}

static void enter(struct gate *gate, struct shard *shard, struct transport *transport)
{
        struct client_manager *manager = shard->broker->clients[shard->loop.config.id];

        if (gate->config.proxy_protocol && !is_proxy(gate, transport)) {
                refuse_stranger(gate, shard, transport);
                return;
        }
        transport = add_layers(gate, shard, transport);
        if (transport != NULL)
                client_accept(manager, transport, &gate->clients);
}

/* What the type of the listener puts above the socket, from below: the PROXY header, TLS,
 * WebSocket. Takes the transport; NULL when a layer could not be made, and all is freed. */
static struct transport *add_layers(const struct gate *gate, struct shard *shard,
                                    struct transport *transport)
{
        enum listener_type type = gate->config.type;
        struct tls_pace   *pace = &gate->doors->paces[shard->loop.config.id];

        pace->per_turn = shard->settings->tls_handshakes_per_turn;
        if (gate->config.proxy_protocol)
                transport = proxy_transport_new(transport);
        if (transport != NULL && gate->certificates != NULL) {
                struct tls_context *context = certificates_get(gate->certificates, shard);

                transport = tls_transport_new(transport, context, pace);
        }
        if (transport != NULL && (type == LISTENER_WS || type == LISTENER_WSS))
                transport = websocket_transport_new(transport, &gate->upgrade);
        return transport;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* In the order of their numbers, one a line. */
static void take_rules(struct gate *gate)
{
        size_t used = 0;

        for (unsigned i = 0; i < LISTENER_RULES_MAX; i++) {
                const char *rule = gate->config.access[i];

                if (rule[0] != '\0')
                        used += (size_t)snprintf(gate->rules + used, sizeof gate->rules - used,
                                                 "%s%s", used > 0 ? "\n" : "", rule);
        }
        gate->clients.rules = used > 0 ? gate->rules : NULL;
}

static struct gate *gate_new(struct doors *doors, const struct config_listener *config)
{
        unsigned     shards = doors->broker->shard_count;
        struct gate *gate   = mem_zalloc(sizeof *gate + shards * sizeof gate->door[0]);

        if (gate == NULL)
                return NULL;
        gate->config = *config;
        gate->doors  = doors;
        snprintf(gate->name, sizeof gate->name, "%s:%s", listener_types[config->type],
                 config->name);
        gate->clients.name = gate->name;
        config_listener_terms(&gate->config, &gate->clients);
        take_rules(gate);
        gate->upgrade = (struct upgrade_rules){
                .paths           = str_of(gate->config.paths),
                .origins         = str_of(gate->config.origins),
                .address_field   = str_of(gate->config.proxy_address_header),
                .proxies         = str_of(gate->config.trusted_proxies),
                .any_subprotocol = !gate->config.require_subprotocol,
        };
        for (unsigned i = 0; i < shards; i++) {
                gate->door[i].gate              = gate;
                gate->door[i].listener.context  = &gate->door[i];
                gate->door[i].listener.accepted = on_accepted;
        }
        return gate;
}

struct doors *doors_new(struct broker *broker, struct certificates *certificates)
{
        struct doors *doors = mem_zalloc(sizeof *doors +
                                         broker->shard_count * sizeof doors->paces[0]);

        if (doors == NULL)
                return NULL;
        doors->broker       = broker;
        doors->certificates = certificates;
        return doors;
}

static void set_paces(struct doors *doors)
{
        for (unsigned i = 0; i < doors->broker->shard_count; i++) {
                struct shard   *shard   = doors->broker->shards[i];
                struct metrics *metrics = &shard->metrics;

                doors->paces[i] = (struct tls_pace){ .loop    = &shard->loop,
                                                     .good    = &metrics->tls_handshakes,
                                                     .resumed = &metrics->tls_resumed,
                                                     .failed  = &metrics->tls_failed };
        }
}

bool doors_open(struct doors *doors, const struct config *config, struct supervisor *supervisor)
{
        set_paces(doors);
        for (unsigned i = 0; i < config->listener_count; i++) {
                struct gate *gate = gate_new(doors, &config->listeners[i]);

                if (gate != NULL)
                        doors->gates[doors->count++] = gate;
                if (gate == NULL || !open_gate(gate, supervisor))
                        return false;
        }
        return true;
}

static bool open_failed(const struct gate *gate, const char *reason)
{
        LOG(ERROR, "listener.failed", F_TEXT("listener", gate->name),
            F_TEXT("address", gate->config.bind), F_TEXT("reason", reason));
        return false;
}

static bool open_tcp(struct gate *gate)
{
        const struct listener_tuning tuning = {
                .backlog     = (int)gate->config.backlog,
                .nodelay     = gate->config.nodelay,
                .keepalive_s = gate->config.keepalive_s,
        };
        struct address address = gate->config.address;

        for (unsigned i = 0; i < gate->doors->broker->shard_count; i++) {
                struct listener *listener = &gate->door[i].listener;

                if (!listener_open(listener, &address, &tuning))
                        return open_failed(gate, strerror(errno));
                address = listener->address;    /* the port that the kernel chose for the first */
        }
        return true;
}

/* Takes a socket that listens already, for all shards. */
static bool adopt(struct door *door, int fd)
{
        door->listener.accepted = on_accepted_for_all;
        if (listener_adopt(&door->listener, fd))
                return true;
        open_failed(door->gate, strerror(errno));
        close(fd);
        return false;
}

static bool open_unix(struct gate *gate)
{
        struct unix_socket place = { .path = gate->config.bind,
                                     .mode = gate->config.socket_mode };
        int                fd;

        if (!unix_socket_owner(&place, gate->config.socket_owner, gate->config.socket_group))
                return open_failed(gate, "there is no such owner or group");
        fd = unix_socket_listen(&place, (int)gate->config.backlog);
        if (fd < 0)
                return open_failed(gate, strerror(-fd));
        gate->has_file = true;
        return adopt(&gate->door[0], fd);
}

/* What the listener says of TLS, with what follows from the rest of it. */
static bool read_certificates(struct gate *gate)
{
        struct tls_config *tls = &gate->config.tls;
        char               why[TLS_WHY_SIZE];

        if (tls->alpn[0] == '\0')
                snprintf(tls->alpn, sizeof tls->alpn, "%s",
                         gate->config.type == LISTENER_WSS ? "http/1.1" : "mqtt");
        if (gate->config.identity_as_username && tls->username == TLS_NAME_NONE)
                tls->username = TLS_NAME_CN;
        gate->certificates = certificates_add(gate->doors->certificates, gate->name, tls, why);
        return gate->certificates != NULL || open_failed(gate, why);
}

/* Each on a shard of its own. *count: how many there were. */
static bool open_handed(struct gate *gate, struct supervisor *supervisor, unsigned *count)
{
        bool is_unix = gate->config.type == LISTENER_UNIX;
        char type_and_name[sizeof gate->name];
        int  fd;

        snprintf(type_and_name, sizeof type_and_name, "%s.%s", listener_types[gate->config.type],
                 gate->config.name);
        for (*count = 0;; ++*count) {
                fd = supervisor_take(supervisor, type_and_name);
                if (fd < 0)
                        fd = supervisor_take(supervisor, gate->config.name);
                if (fd < 0)
                        return true;
                if (*count == gate->doors->broker->shard_count) {
                        close(fd);
                        return open_failed(gate, "more sockets were handed over than there are "
                                                 "shards");
                }
                if (!adopt(&gate->door[*count], fd))
                        return false;
                if ((gate->door[*count].listener.address.any.sa_family == AF_UNIX) != is_unix)
                        return open_failed(gate, "a socket of another kind was handed over");
        }
}

static bool open_gate(struct gate *gate, struct supervisor *supervisor)
{
        bool     is_unix = gate->config.type == LISTENER_UNIX;
        unsigned handed;
        char     text[ADDRESS_TEXT_SIZE];

        if (listener_is_tls(gate->config.type) && !read_certificates(gate))
                return false;
        if (!open_handed(gate, supervisor, &handed) ||
            (handed == 0 && !(is_unix ? open_unix(gate) : open_tcp(gate))))
                return false;
        address_text(&gate->door[0].listener.address, text);
        LOG(INFO, "listener.open", F_TEXT("listener", gate->name),
            F_TEXT("address", is_unix && handed == 0 ? gate->config.bind : text),
            F_U64("handed_over", handed));
        return true;
}

void doors_hide(struct doors *doors)
{
        for (unsigned i = 0; i < doors->count; i++) {
                struct gate *gate = doors->gates[i];

                if (gate->has_file)
                        unlink(gate->config.bind);
                gate->has_file = false;
        }
}

void doors_shut(struct doors *doors)
{
        doors_hide(doors);
        for (unsigned i = 0; i < doors->count; i++)
                for (unsigned shard = 0; shard < doors->broker->shard_count; shard++)
                        listener_close(&doors->gates[i]->door[shard].listener);
}

void doors_free(struct doors *doors)
{
        if (doors == NULL)
                return;
        while (doors->count > 0)
                mem_free(doors->gates[--doors->count]);
        mem_free(doors);
}

bool doors_start(struct doors *doors, struct shard *shard)
{
        bool good = true;

        for (unsigned i = 0; i < doors->count; i++) {
                struct gate     *gate     = doors->gates[i];
                struct listener *listener = &gate->door[shard->loop.config.id].listener;

                if (listener_is_open(listener) && !listener_start(listener, &shard->loop))
                        good = open_failed(gate, strerror(errno));
        }
        return good;
}

void doors_close(struct doors *doors, struct shard *shard)
{
        for (unsigned i = 0; i < doors->count; i++)
                listener_close(&doors->gates[i]->door[shard->loop.config.id].listener);
}
