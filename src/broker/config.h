/* The configuration as one value: made from the defaults, then the file, then the environment.
 * Later wins. Nothing in it is a pointer, so that a snapshot is a plain copy. */
#ifndef LINNET_BROKER_CONFIG_H
#define LINNET_BROKER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/str.h"
#include "broker/config_listener.h"
#include "broker/option.h"
#include "core/settings.h"
#include "core/store_port.h"
#include "services/acl/rules.h"
#include "services/auth/auth_config.h"

enum { CONFIG_PATH_SIZE = 1024 };

struct config {
        struct settings        settings;
        uint32_t               shards;          /* 0: one per core */
        char                   node_name[128];
        char                   data_dir[CONFIG_PATH_SIZE];
        char                   user[64];        /* empty: "linnet", if there is one */
        bool                   confine;
        char                   control_socket[CONFIG_BIND_SIZE];        /* config_control() */
        char                   log_file[CONFIG_PATH_SIZE];      /* empty: standard error */
        char                   acl_file[CONFIG_PATH_SIZE];      /* empty: no rules */
        enum acl_format        acl_format;
        uint32_t               acl_watch_ms;    /* 0: only a reload reads it again */
        enum durability        durability;
        enum log_level         log_level;
        enum log_format        log_format;
        struct config_listener listeners[CONFIG_LISTENERS_MAX];
        unsigned               listener_count;
        struct auth_config     auth;
        uint32_t               http_connections;        /* of the HTTP client */
        uint32_t               http_max_calls;
};

/* All that is wrong, one line each: "linnet.conf:12: what; a hint". Zeroed it is empty. */
struct config_errors {
        struct buffer text;                     /* may lack lines when there was no memory */
        unsigned      count;
};

/* auth.chain, auth.user.N.… and auth.client.N.…: true when the key is one of them, and done with.
 * *good says whether the value is, too, and `why` what is wrong. */
bool config_set_auth(struct config *config, struct str key, struct str value, bool *good,
                     char why[static OPTION_WHY_SIZE]);

/* What differs between two configurations. A listener that is there in one of them only has its
 * address as the value that it has; auth.user and auth.client have the count of their rows. */
struct config_change {
        enum config_change_kind { CONFIG_ADDED, CONFIG_REMOVED, CONFIG_CHANGED } kind;
        const char *key;
        const char *from, *to;          /* as option_format() shows them; "" where there is none */
        bool        restart;            /* only a restart applies it */
};

typedef void config_changed(void *context, const struct config_change *change);

/* The rows of auth.user and auth.client, without a word of their secrets. */
void config_diff_auth(const struct config *from, const struct config *to, config_changed *tell,
                      void *context);

/* The defaults, with one listener: tcp external on [::]:1883. */
void config_init(struct config *config);

/* One key as in the file. False leaves the config as it was, and `why` says what is wrong. */
bool config_set(struct config *config, struct str key, struct str value,
                char why[static OPTION_WHY_SIZE]);

/* What no key shows alone: every listener has an address, watermarks are in order. Adds what is
 * wrong to `errors`; `where` begins each line, "linnet.conf" say. */
bool config_check(struct config *config, const char *where, struct config_errors *errors);

/* Where the control socket is; false: there is to be none. */
bool config_control(const struct config *config, char to[static CONFIG_PATH_SIZE]);

/* config_set() for every line of the file (NULL: no file) and what it includes, then for every
 * LINNET_SECTION__KEY of the environment, then config_check(). Does not stop at an error: true when
 * there was none. The config is changed even so: load into a copy. */
bool config_load(struct config *config, const char *path, struct config_errors *errors);

__attribute__((format(printf, 2, 3)))
void config_error(struct config_errors *errors, const char *format, ...);
void config_errors_deinit(struct config_errors *errors);

/* Tells of each change in the order of the table. Returns how many of them need a restart. */
unsigned config_diff(const struct config *from, const struct config *to, config_changed *tell,
                     void *context);

/* What only a restart applies stays as it runs: what is left is what a reload may apply. */
void config_keep_fixed(struct config *config, const struct config *running);

/* A change as a line of the log shows it: "log.level: info -> debug", with " (needs a restart)"
 * behind what only a restart applies. */
enum { CONFIG_CHANGE_SIZE = 2 * OPTION_VALUE_SIZE + 128 };
void config_change_text(const struct config_change *change, char to[static CONFIG_CHANGE_SIZE]);

/* The value of one key, secrets masked; false when there is no such key, or no such listener. */
bool config_get(const struct config *config, struct str key, char to[static OPTION_VALUE_SIZE]);

#endif
