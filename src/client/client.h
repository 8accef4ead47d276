/* One connection that speaks MQTT (emqttd_client and emqttd_protocol):
 *
 *      transport -> the shard's read buffer -> frame -> packet -> on_<packet>() -> core
 *      core -> peer calls -> output -> one writev at the end of the turn
 *
 * Bytes are read into one big buffer of the shard and decoded in place; only an incomplete packet
 * is kept by its client. A client begins on the shard that accepted it. When its CONNECT names a
 * client identifier that is at home elsewhere, transport and unread bytes are mailed there.
 */
#ifndef LINNET_CLIENT_CLIENT_H
#define LINNET_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/shard.h"
#include "net/transport.h"

struct client;

/* What a listener says of its clients; outlives them. Zeroed it demands nothing. */
struct client_listener {
        const char        *name;                        /* "tcp:external" */
        const char        *rules;                       /* network_rules_allow(); NULL: none */
        uint32_t           peer_timeout_ms;             /* for transport_awaits_peer() */
        uint32_t           handshake_timeout_ms;        /* for transport_awaits(); 0: no other than
                                                         * for CONNECT */
        const char        *mountpoint;                  /* a pattern (client/mount); NULL: none */
        uint32_t           versions;                    /* bits by client_version_bit(); 0: all */
        enum access_anonymous anonymous;
        uint32_t           max_connections;             /* 0: no limit */
        enum durability    durability;                  /* the most that its clients get */
        bool               identity_as_username;        /* transport_identity() is; who has none */
        bool               identity_as_client_id;       /* is refused, each */
        struct rate        connect_rate;
        struct rate        bytes_in;                    /* instead of mqtt.client.bytes_in_rate */
        struct bucket      connects;
        struct client_listener *root;                   /* has the counts; NULL: this one. After a
                                                         * reload one of the same name goes on */
        _Atomic bool       gone;                        /* the root's: takes no client any more */
        _Atomic uint32_t   connections;                 /* of all shards, connected or not */
        _Atomic uint64_t   refused;                     /* turned away */
        _Atomic uint64_t   denied;                      /* by the rules */
};

static inline struct client_listener *client_listener_root(struct client_listener *listener)
{
        return listener->root != NULL ? listener->root : listener;
}

static inline uint32_t client_version_bit(enum mqtt_version version)
{
        return 1u << (version - MQTT_3_1);
}

/* The clients of one shard. */
struct client_manager;

struct client_manager *client_manager_new(struct shard *shard);        /* NULL without memory */
void                   client_manager_free(struct client_manager *manager); /* what is left, too */

/* A connection was accepted: takes the transport. */
void client_accept(struct client_manager *manager, struct transport *transport,
                   struct client_listener *listener) ON_SHARD;

uint32_t client_count(const struct client_manager *manager) ON_SHARD;   /* connected or not */

/* Says goodbye to the clients of a listener that is gone, by its root. */
void client_dismiss(struct client_manager *manager,
                    const struct client_listener *root) ON_SHARD;

/* Says goodbye to all (DISCONNECT to v5 clients) and closes them once their output is
 * written or `grace_ms` have passed. */
void client_drain(struct client_manager *manager, enum reason reason, uint32_t grace_ms) ON_SHARD;

#endif
