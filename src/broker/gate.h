/* One listener of the configuration, on all shards: its sockets, and what becomes of a connection.
 * Only the doors use it; door.h says which thread may do what. */
#ifndef LINNET_BROKER_GATE_H
#define LINNET_BROKER_GATE_H

#include "base/log.h"
#include "broker/config.h"
#include "broker/supervisor.h"
#include "client/client.h"
#include "net/http_upgrade.h"
#include "net/listener.h"
#include "net/transport_tls.h"
#include "services/certificates/certificates.h"

struct gate;

struct door {
        struct listener listener;               /* not open where another shard listens */
        struct gate    *gate;
        struct log_limit strangers;             /* who connected as if a proxy */
        unsigned        next;                   /* the shard that gets the next connection, if it
                                                 * deals them out */
};

struct gate {
        struct config_listener asked;           /* as it was configured */
        struct config_listener config;
        struct client_listener clients;         /* what they know of it */
        struct upgrade_rules   upgrade;         /* WebSocket: who may connect; shows `config` */
        char                   name[64];        /* "tcp:external" */
        char                   rules[LISTENER_RULES_MAX * LISTENER_RULE_SIZE];
        struct broker         *broker;
        struct tls_pace       *paces;           /* [shard_count], of all gates */
        struct certificates_slot *certificates; /* TLS; NULL: plain */
        bool                   has_file;        /* Unix: the socket's, to be removed */
        struct gate           *old;             /* whose file it takes over, until then */
        struct gate           *older;           /* retired before; the doors' */
        struct door            door[];          /* [shard_count] */
};

/* Without sockets yet. NULL without memory; freed by mem_free() after the clients, who know it. */
struct gate *gate_new(struct broker *broker, struct tls_pace *paces,
                      const struct config_listener *config);

/* Listens, with sockets of the supervisor if it has some for this name. Or with the sockets of
 * `old`: what waits there is not lost. Both return false after a log line that says why;
 * gate_shut() closes what is open then. */
bool gate_open(struct gate *gate, struct supervisor *supervisor);
bool gate_share(struct gate *gate, struct gate *old);

/* The log line. False. */
bool gate_failed(const struct gate *gate, const char *reason);

/* The file of a Unix socket that it shares is now its own. */
void gate_take_file(struct gate *gate);

/* The file goes while its socket still listens: nobody else can have put another there. */
void gate_hide(struct gate *gate);
void gate_shut(struct gate *gate);              /* all of it, when no shard accepts there */

/* Connections come in on this shard from now on; or no more. */
void gate_start(struct gate *gate, struct shard *shard) ON_SHARD;
void gate_close(struct gate *gate, struct shard *shard) ON_SHARD;

#endif
