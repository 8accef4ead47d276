/* What the configuration says of authentication. Plain values, no pointers: a part of struct
 * config, copied with it. */
#ifndef LINNET_SERVICES_AUTH_AUTH_CONFIG_H
#define LINNET_SERVICES_AUTH_AUTH_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "services/auth/auth_http.h"
#include "services/auth/auth_jwt.h"

enum {
        AUTH_CHAIN_MAX   = 16,          /* words of auth.chain */
        AUTH_ROWS_MAX    = 64,          /* auth.user.N, and auth.client.N */
        AUTH_NAME_SIZE   = 256,
        AUTH_SECRET_SIZE = 256,
        AUTH_PATH_SIZE   = 1024,
        AUTH_WHY_SIZE    = 512,
        AUTH_WORKERS_MAX = 16,
};

/* auth.user.N.username and .password, or auth.client.N.clientid and .password. */
struct auth_row {
        uint32_t number;                        /* N */
        char     name[AUTH_NAME_SIZE];          /* empty: not given yet */
        char     secret[AUTH_SECRET_SIZE];      /* plain or hashed, as secret.h reads it */
};

struct auth_rows {
        struct auth_row rows[AUTH_ROWS_MAX];
        unsigned        count;
};

struct auth_config {
        char             chain[AUTH_NAME_SIZE]; /* words, as written; empty: nobody is known */
        char             chain_place[AUTH_PATH_SIZE + 16];      /* where that stands: "file:line" */
        char             password_file[AUTH_PATH_SIZE];
        char             scram_file[AUTH_PATH_SIZE];
        uint32_t         workers;               /* threads that compute password hashes */
        uint32_t         queue_max;             /* of passwords that wait for one */
        uint32_t         cache_entries;         /* passwords proven of late; 0: none are kept */
        uint32_t         cache_ttl_ms;
        struct auth_rows users, clients;
        struct auth_jwt_config jwt;
        struct auth_http_config http;
};

void auth_config_init(struct auth_config *config);      /* every field at its default */

/* The next word of a chain off *rest; false once there is none. */
bool auth_chain_next(struct str *rest, struct str *word);

/* A chain as one may write it: known words, none twice. */
bool auth_chain_good(struct str chain, char why[static AUTH_WHY_SIZE]);

/* What no key shows alone: every word of the chain has its keys, every row its name and password,
 * no name twice. `where` is set to the place of it if that is known, or NULL. */
bool auth_config_good(const struct auth_config *config, const char **where,
                      char why[static AUTH_WHY_SIZE]);

#endif
