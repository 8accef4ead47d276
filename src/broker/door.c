/* Length: a listener is told from its options to the end of its last client, in one place. */
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
        struct config_listener asked;           /* as it was configured */
        struct config_listener config;
        struct client_listener clients;         /* what they know of it */
        struct upgrade_rules   upgrade;         /* WebSocket: who may connect; shows `config` */
        char                   name[64];        /* "tcp:external" */
        char                   rules[LISTENER_RULES_MAX * LISTENER_RULE_SIZE];
        struct doors          *doors;
        struct certificates_slot *certificates; /* TLS; NULL: plain */
        bool                   has_file;        /* Unix: the socket's, to be removed */
        struct gate           *old;             /* whose file it takes over, until then */
        struct gate           *older;           /* retired before */
        struct door            door[];          /* [shard_count] */
};

struct gate_set {
        unsigned     count;
        struct gate *gates[CONFIG_LISTENERS_MAX];
};

struct doors {
        struct broker       *broker;
        struct certificates *certificates;
        bool                 running;           /* certificates are added no more */
        struct gate_set      now;
        struct gate_set      next;              /* prepared: those that stay, and new ones */
        struct gate         *retired;           /* their clients may still be here */
        struct tls_pace      paces[];           /* [shard_count], of all doors of a shard */
};

/* For one shard: one door opens, or closes. */
struct change_mail {
        struct mail  mail;
        struct gate *gate;
        bool         opens;
        bool         dismisses;                 /* closed: and nothing takes its place */
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
static void              remove_file(struct gate *gate);

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
        gate->asked  = *config;
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

static bool open_failed(const struct gate *gate, const char *reason)
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

/* What the listener says of TLS, with what follows from the rest of it. `old`: whose place it
 * takes, or NULL. Certificates are added before any loop runs only. */
static bool read_certificates(struct gate *gate, const struct gate *old)
{
        struct tls_config *tls = &gate->config.tls;
        char               why[TLS_WHY_SIZE];

        if (tls->alpn[0] == '\0')
                snprintf(tls->alpn, sizeof tls->alpn, "%s",
                         gate->config.type == LISTENER_WSS ? "http/1.1" : "mqtt");
        if (gate->config.identity_as_username && tls->username == TLS_NAME_NONE)
                tls->username = TLS_NAME_CN;
        if (old != NULL && memcmp(&old->config.tls, tls, sizeof *tls) == 0)
                gate->certificates = old->certificates;
        if (gate->certificates != NULL)
                return true;
        if (gate->doors->running)
                return open_failed(gate, "a new listener with TLS, or other options of TLS, need a "
                                         "restart");
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

        if (!open_handed(gate, supervisor, &handed) ||
            (handed == 0 && !(is_unix ? open_unix(gate) : open_tcp(gate))))
                return false;
        address_text(&gate->door[0].listener.address, text);
        LOG(INFO, "listener.open", F_TEXT("listener", gate->name),
            F_TEXT("address", is_unix && handed == 0 ? gate->config.bind : text),
            F_U64("handed_over", handed));
        return true;
}

static void shut(struct gate *gate)
{
        remove_file(gate);
        for (unsigned i = 0; i < gate->doors->broker->shard_count; i++)
                listener_close(&gate->door[i].listener);
}

/* The file goes while its socket still listens: nobody else can have put another there. */
static void remove_file(struct gate *gate)
{
        if (gate->has_file)
                unlink(gate->config.bind);
        gate->has_file = false;
}

/* ---- changing -------------------------------------------------------------------------------- */

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

static struct gate *find(const struct gate_set *set, const struct config_listener *listener)
{
        for (unsigned i = 0; i < set->count; i++) {
                const struct config_listener *its = &set->gates[i]->asked;

                if (its->type == listener->type && strcmp(its->name, listener->name) == 0)
                        return set->gates[i];
        }
        return NULL;
}

static bool has(const struct gate_set *set, const struct gate *gate)
{
        for (unsigned i = 0; i < set->count; i++) {
                if (set->gates[i] == gate)
                        return true;
        }
        return false;
}

/* The sockets of the one whose place it takes: what waits there is not lost. */
static bool share_sockets(struct gate *gate, const struct gate *old)
{
        const struct listener_tuning tuning = tuning_of(&gate->config);

        for (unsigned i = 0; i < gate->doors->broker->shard_count; i++) {
                const struct listener *from = &old->door[i].listener;
                struct listener       *to   = &gate->door[i].listener;

                if (!listener_is_open(from))
                        continue;
                to->accepted = from->accepted;
                if (!listener_share(to, from) || !listener_tune(to, &tuning))
                        return open_failed(gate, strerror(errno));
        }
        gate->old = old->has_file ? find(&gate->doors->now, &old->asked) : NULL;
        return true;
}

bool doors_prepare(struct doors *doors, const struct config *config,
                   struct supervisor *supervisor)
{
        if (!doors->running)
                set_paces(doors);
        doors->next.count = 0;
        for (unsigned i = 0; i < config->listener_count; i++) {
                const struct config_listener *wanted = &config->listeners[i];
                struct gate                  *old    = find(&doors->now, wanted);
                struct gate                  *gate   = old;

                if (old == NULL || !config_listener_same(&old->asked, wanted))
                        gate = gate_new(doors, wanted);
                if (gate != NULL)
                        doors->next.gates[doors->next.count++] = gate;
                if (gate != NULL && gate != old && old != NULL)
                        gate->clients.root = client_listener_root(&old->clients);
                if (gate == NULL ||
                    (gate != old && listener_is_tls(wanted->type) &&
                     !read_certificates(gate, old)) ||
                    (gate != old && !(old != NULL && strcmp(old->asked.bind, wanted->bind) == 0
                                              ? share_sockets(gate, old)
                                              : open_gate(gate, supervisor)))) {
                        doors_abandon(doors);
                        return false;
                }
        }
        return true;
}

void doors_abandon(struct doors *doors)
{
        for (unsigned i = 0; i < doors->next.count; i++) {
                struct gate *gate = doors->next.gates[i];

                if (has(&doors->now, gate))
                        continue;
                shut(gate);
                mem_free(gate);
        }
        doors->next.count = 0;
}

static void change_deliver(struct loop *loop, struct mail *mail)
{
        struct change_mail *change   = (struct change_mail *)mail;
        struct shard       *shard    = shard_of(loop);
        struct listener    *listener = &change->gate->door[loop->config.id].listener;

        on_shard(loop);
        if (!change->opens) {
                listener_close(listener);
                if (change->dismisses)
                        client_dismiss(shard->broker->clients[loop->config.id],
                                       client_listener_root(&change->gate->clients));
        } else if (listener_is_open(listener) && !listener_start(listener, loop)) {
                open_failed(change->gate, strerror(errno));
        }
}

static const struct mail_ops change_ops = { "door_change", change_deliver, NULL };

static bool add_change(struct parcel **parcel, const struct change_mail *change)
{
        struct change_mail *mail = (struct change_mail *)(void *)parcel_append(
                parcel, &change_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->gate      = change->gate;
        mail->opens     = change->opens;
        mail->dismisses = change->dismisses;
        return true;
}

/* For one shard: first what opens, then what closes. */
static bool add_changes(const struct doors *doors, struct parcel **parcel)
{
        const struct gate_set *now = &doors->now, *next = &doors->next;
        bool                   good = true;

        for (unsigned i = 0; i < next->count && good; i++) {
                if (!has(now, next->gates[i]))
                        good = add_change(parcel, &(struct change_mail){ .gate  = next->gates[i],
                                                                         .opens = true });
        }
        for (unsigned i = 0; i < now->count && good; i++) {
                struct gate *gate = now->gates[i];

                if (!has(next, gate))
                        good = add_change(parcel, &(struct change_mail){
                                                          .gate      = gate,
                                                          .dismisses = !find(next, &gate->asked) });
        }
        return good;
}

/* The file of a Unix socket is now that one's. */
static void take_file(struct gate *gate)
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
                open_failed(gate, strerror(-error));
}

/* What is to be freed, but not before the shards are: clients know it. */
static void retire(struct doors *doors, struct gate *gate)
{
        if (find(&doors->next, &gate->asked) == NULL)
                atomic_store(&client_listener_root(&gate->clients)->gone, true);
        LOG(INFO, "listener.closed", F_TEXT("listener", gate->name),
            F_TEXT("address", gate->config.bind));
        remove_file(gate);
        gate->older    = doors->retired;
        doors->retired = gate;
}

bool doors_commit(struct doors *doors)
{
        struct parcel *parcels[SHARDS_MAX] = { NULL };
        unsigned       shards = doors->broker->shard_count;
        bool           good   = true;

        for (unsigned i = 0; i < shards && good; i++)
                good = add_changes(doors, &parcels[i]);
        if (!good) {
                for (unsigned i = 0; i < shards; i++)
                        parcel_drop(parcels[i]);
                doors_abandon(doors);
                return false;
        }
        for (unsigned i = 0; i < doors->next.count; i++) {
                if (doors->next.gates[i]->old != NULL)
                        take_file(doors->next.gates[i]);
        }
        for (unsigned i = 0; i < doors->now.count; i++) {
                if (!has(&doors->next, doors->now.gates[i]))
                        retire(doors, doors->now.gates[i]);
        }
        doors->running    = true;
        doors->now        = doors->next;
        doors->next.count = 0;
        for (unsigned i = 0; i < shards; i++) {
                if (parcels[i] != NULL)
                        loop_post(doors->broker->loops[i], parcels[i]);
        }
        return true;
}

void doors_hide(struct doors *doors)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                remove_file(doors->now.gates[i]);
}

void doors_shut(struct doors *doors)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                shut(doors->now.gates[i]);
        for (struct gate *gate = doors->retired; gate != NULL; gate = gate->older)
                shut(gate);             /* whose shard did not get to it */
}

void doors_free(struct doors *doors)
{
        if (doors == NULL)
                return;
        while (doors->now.count > 0)
                mem_free(doors->now.gates[--doors->now.count]);
        while (doors->retired != NULL) {
                struct gate *gate = doors->retired;

                doors->retired = gate->older;
                mem_free(gate);
        }
        mem_free(doors);
}

void doors_close(struct doors *doors, struct shard *shard)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                listener_close(&doors->now.gates[i]->door[shard->loop.config.id].listener);
}
