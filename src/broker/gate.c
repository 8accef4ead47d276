#include "broker/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "core/shard.h"
#include "net/network.h"
#include "net/transport_proxy.h"
#include "net/transport_websocket.h"
#include "net/unix_socket.h"

enum { STRANGERS_LOGGED = 10 };         /* a second and door */

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
        unsigned             to   = door->next++ % gate->broker->shard_count;
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

        atomic_fetch_add_explicit(&client_listener_root(&gate->clients)->denied, 1,
                                  memory_order_relaxed);
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
        struct tls_pace   *pace = &gate->paces[shard->loop.config.id];

        pace->per_turn = shard->settings->tls_handshakes_per_turn;
        if (gate->config.proxy_protocol)
                transport = proxy_transport_new(transport);
        if (transport != NULL && gate->certificates != NULL) {
                struct tls_context *context = certificates_get(gate->certificates, shard);

                if (context == NULL) {          /* it came by mail, behind the end of its gate */
                        transport->ops->free(transport);
                        return NULL;
                }
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

struct gate *gate_new(struct broker *broker, struct tls_pace *paces,
                      const struct config_listener *config)
{
        unsigned     shards = broker->shard_count;
        struct gate *gate   = mem_zalloc(sizeof *gate + shards * sizeof gate->door[0]);

        if (gate == NULL)
                return NULL;
        gate->asked  = *config;
        gate->config = *config;
        gate->broker = broker;
        gate->paces  = paces;
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

bool gate_failed(const struct gate *gate, const char *reason)
{
        LOG(ERROR, "listener.failed", F_TEXT("listener", gate->name),
            F_TEXT("address", gate->config.bind), F_TEXT("reason", reason));
        return false;
}

static struct listener_tuning tuning_of(const struct config_listener *config)
{
        return (struct listener_tuning){ .backlog     = (int)config->backlog,
                                         .nodelay     = config->nodelay,
                                         .keepalive_s = config->keepalive_s };
}

static bool open_tcp(struct gate *gate)
{
        const struct listener_tuning tuning  = tuning_of(&gate->config);
        struct address               address = gate->config.address;

        for (unsigned i = 0; i < gate->broker->shard_count; i++) {
                struct listener *listener = &gate->door[i].listener;

                if (!listener_open(listener, &address, &tuning))
                        return gate_failed(gate, strerror(errno));
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
        gate_failed(door->gate, strerror(errno));
        close(fd);
        return false;
}

static bool open_unix(struct gate *gate)
{
        struct unix_socket place = { .path = gate->config.bind,
                                     .mode = gate->config.socket_mode };
        int                fd;

        if (!unix_socket_owner(&place, gate->config.socket_owner, gate->config.socket_group))
                return gate_failed(gate, "there is no such owner or group");
        fd = unix_socket_listen(&place, (int)gate->config.backlog);
        if (fd < 0)
                return gate_failed(gate, strerror(-fd));
        gate->has_file = true;
        return adopt(&gate->door[0], fd);
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
                if (*count == gate->broker->shard_count) {
                        close(fd);
                        return gate_failed(gate, "more sockets were handed over than there are "
                                                 "shards");
                }
                if (!adopt(&gate->door[*count], fd))
                        return false;
                if ((gate->door[*count].listener.address.any.sa_family == AF_UNIX) != is_unix)
                        return gate_failed(gate, "a socket of another kind was handed over");
        }
}

bool gate_open(struct gate *gate, struct supervisor *supervisor)
{
        bool     is_unix = gate->config.type == LISTENER_UNIX;
        unsigned handed;
        char     text[ADDRESS_TEXT_SIZE];

        if (!open_handed(gate, supervisor, &handed) ||
            (handed == 0 && !(is_unix ? open_unix(gate) : open_tcp(gate))))
                return false;
        address_text(&gate->door[0].listener.address, text);
        LOG(INFO, "listener.open", F_TEXT("listener", gate->name),
            F_TEXT("address", is_unix && handed == 0 ? gate->config.bind : text),
            F_U64("handed_over", handed));
        return true;
}

bool gate_share(struct gate *gate, struct gate *old)
{
        const struct listener_tuning tuning = tuning_of(&gate->config);

        for (unsigned i = 0; i < gate->broker->shard_count; i++) {
                const struct listener *from = &old->door[i].listener;
                struct listener       *to   = &gate->door[i].listener;

                if (!listener_is_open(from))
                        continue;
                to->accepted = from->accepted;
                if (!listener_share(to, from) || !listener_tune(to, &tuning))
                        return gate_failed(gate, strerror(errno));
        }
        gate->old = old->has_file ? old : NULL;
        return true;
}

void gate_take_file(struct gate *gate)
{
        struct unix_socket place = { .path = gate->config.bind, .mode = gate->config.socket_mode };
        int                error = 0;

        gate->has_file      = gate->old->has_file;
        gate->old->has_file = false;
        gate->old           = NULL;
        if (!unix_socket_owner(&place, gate->config.socket_owner, gate->config.socket_group))
                error = -ENOENT;
        else
                error = unix_socket_set_mode(&place);
        if (error != 0)
                gate_failed(gate, strerror(-error));
}

/* ---- closing --------------------------------------------------------------------------------- */

void gate_hide(struct gate *gate)
{
        if (gate->has_file)
                unlink(gate->config.bind);
        gate->has_file = false;
}

void gate_shut(struct gate *gate)
{
        gate_hide(gate);
        for (unsigned i = 0; i < gate->broker->shard_count; i++)
                listener_close(&gate->door[i].listener);
}

void gate_start(struct gate *gate, struct shard *shard)
{
        struct listener *listener = &gate->door[shard->loop.config.id].listener;

        if (listener_is_open(listener) && !listener_start(listener, &shard->loop))
                gate_failed(gate, strerror(errno));
}

void gate_close(struct gate *gate, struct shard *shard)
{
        listener_close(&gate->door[shard->loop.config.id].listener);
}
