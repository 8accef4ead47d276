/* The listeners of the configuration: `listener.<type>.<name> = ADDRESS`, and behind that the keys
 * of listener.tbl.h. Nothing here opens a socket; broker/door does. */
#ifndef LINNET_BROKER_CONFIG_LISTENER_H
#define LINNET_BROKER_CONFIG_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/buffer.h"
#include "base/str.h"
#include "broker/option.h"
#include "client/mount.h"
#include "core/access.h"
#include "core/store_port.h"
#include "net/address.h"
#include "net/tls_config.h"

struct config;
struct config_errors;
struct client_listener;

enum listener_type {
        LISTENER_TCP, LISTENER_TLS, LISTENER_WS, LISTENER_WSS, LISTENER_UNIX, LISTENER_TYPES
};

enum { CONFIG_LISTENERS_MAX = 64, CONFIG_NAME_SIZE = 32, CONFIG_BIND_SIZE = 108 };
enum { LISTENER_RULES_MAX = 16, LISTENER_RULE_SIZE = 64 };

struct config_listener {
        enum listener_type type;
        char            name[CONFIG_NAME_SIZE];
        char            bind[CONFIG_BIND_SIZE]; /* as written, a path if unix; empty: none given */
        struct address  address;                /* of `bind`; of a path only the family */
        uint32_t        max_connections;        /* 0: no limit */
        struct rate     connect_rate;
        struct rate     bytes_in;               /* of each client */
        uint32_t        backlog;
        enum durability durability;             /* the most that its clients get */
        char            mountpoint[MOUNTPOINT_SIZE];
        uint32_t        versions;               /* of MQTT; bits by client_version_bit() */
        enum access_anonymous anonymous;
        bool            nodelay;
        uint32_t        keepalive_s;            /* TCP's, not MQTT's; 0: none */
        char            access[LISTENER_RULES_MAX][LISTENER_RULE_SIZE]; /* empty: none */
        bool            identity_as_username;
        bool            proxy_protocol;
        char            proxy_trusted[512];     /* networks_contain() */
        uint32_t        proxy_timeout_ms;
        uint32_t        handshake_timeout_ms;   /* tls, ws, wss */
        struct tls_config tls;                  /* tls, wss */
        uint32_t        socket_mode;            /* unix: of the socket file */
        char            socket_owner[64];       /* unix: empty: the broker's own */
        char            socket_group[64];
        char            paths[256];             /* ws, wss: lists, with commas */
        char            origins[512];
        char            trusted_proxies[512];
        char            proxy_address_header[64];
        bool            require_subprotocol;
        bool            implied;                /* the default; a configured one replaces it */
};

static inline bool listener_is_tls(enum listener_type type)
{
        return type == LISTENER_TLS || type == LISTENER_WSS;
}

/* A row of the table: an option, and which types of listener have it. */
struct listener_option {
        unsigned      types;                    /* bits by enum listener_type */
        struct option option;                   /* its field is in struct config_listener */
        bool        (*valid)(struct str value); /* of a text, not empty; NULL: any */
        const char   *wanted;                   /* what it is not then */
        unsigned      count;                    /* of an array of texts, "key.1" the first; or 0 */
};

extern const char *const            listener_types[];   /* "tcp", by enum; NULL at the end */
extern const struct listener_option listener_options[];
extern const size_t                 listener_option_count;

/* The listener that there is without any: tcp external on [::]:1883. */
void config_listener_implied(struct config_listener *listener);

/* One key without "listener.": "tcp.external" or "tcp.external.backlog". False leaves the config as
 * it was, and `why` says what is wrong. */
bool config_listener_set(struct config *config, struct str rest, struct str value,
                         char why[static OPTION_WHY_SIZE]);

/* What no key shows alone; adds what is wrong to `errors`, as config_check() does. */
void config_listener_check(struct config *config, const char *where, struct config_errors *errors);

/* config_diff()'s part of the listeners, and config_get()'s. */
struct config_change;
unsigned config_listener_diff(const struct config *from, const struct config *to,
                              void (*tell)(void *context, const struct config_change *change),
                              void *context);
bool     config_listener_get(const struct config *config, struct str rest,
                             char to[static OPTION_VALUE_SIZE]);

/* The same address and options. */
bool config_listener_same(const struct config_listener *a, const struct config_listener *b);

/* What its clients know of it, but for its name; points into the listener. */
void config_listener_terms(const struct config_listener *listener, struct client_listener *out);

/* What it says of TLS, with what follows from the rest of it. */
void config_listener_tls(const struct config_listener *listener, struct tls_config *out);

/* "listener.tcp.external" */
enum { LISTENER_KEY_SIZE = 64 };
void config_listener_key(const struct config_listener *listener, char to[static LISTENER_KEY_SIZE]);

#endif
