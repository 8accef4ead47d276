/* A key set that lives elsewhere: an actor that reads it from a file or a URL, now and then and
 * when a token names a key that is not there, and mails it to the shards. What cannot be read
 * leaves the last good set in use, and raises the alarm "jwks_failing". */
#ifndef LINNET_SERVICES_AUTH_JWKS_H
#define LINNET_SERVICES_AUTH_JWKS_H

#include "core/shard.h"
#include "net/http_client.h"
#include "services/auth/jwk.h"

enum {
        JWKS_UNKNOWN_PAUSE_MS = 60000,  /* unknown names make it look no more often than this */
        JWKS_RETRY_MS         = 10000,  /* after a failure */
        JWKS_FILE_LOOK_MS     = 2000,   /* whether the file has changed */
};

struct jwks;

/* One of file and url; the strings outlive the actor. */
struct jwks_config {
        const char *file;
        const char *url, *ca_file;
        uint32_t    refresh_ms;
};

/* Who waits for the set to be looked at anew. Embedded; zeroed at first. */
struct jwks_waiter {
        struct list in_waiting;
        void (*looked)(struct jwks_waiter *waiter);     /* on its shard; it waits no more */
};

/* Before the shards are initialised. Of a loop's configuration the poll (taken) and the clock
 * count. NULL: `why` says what is wrong with the file, or is empty without memory; the poll is the
 * caller's then. */
struct jwks *jwks_new(struct broker *broker, struct http_client *http,
                      const struct jwks_config *config, const struct loop_config *config_of_loop,
                      char why[static JWK_WHY_SIZE]);

/* Whether the file is good; if not, `why`. */
bool jwks_inspect(const char *file, char why[static JWK_WHY_SIZE]);

struct loop *jwks_loop(struct jwks *jwks);      /* to be run by a thread of its own */
void         jwks_begin(struct jwks *jwks);     /* by that thread, before its loop runs */

/* When neither its loop nor a shard runs any more. NULL is nothing. */
void jwks_free(struct jwks *jwks);

/* The set as this shard knows it, for this turn. */
const struct jwk_set *jwks_keys(const struct jwks *jwks, const struct shard *shard) ON_SHARD;

/* Asks for the set to be looked at, unless that has just been done. */
void jwks_wait(struct jwks *jwks, struct shard *shard, struct jwks_waiter *waiter) ON_SHARD;
void jwks_cancel(struct jwks_waiter *waiter);   /* nothing when it does not wait */

#endif
