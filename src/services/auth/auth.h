/* Authentication: makes the providers that auth.chain names and puts them into the access chain, in
 * that order.
 *
 *      auth.chain = password_file, clientid     a link for each word: a row of auth_kinds.c
 *           link ── data of shard 0             what it knows: immutable, counted; a reload makes
 *                └─ data of shard 1 …           a new one and mails it to every shard
 *
 * The chain itself is fixed when the broker starts. */
#ifndef LINNET_SERVICES_AUTH_AUTH_H
#define LINNET_SERVICES_AUTH_AUTH_H

#include "core/shard.h"
#include "net/http_client.h"
#include "services/auth/auth_config.h"

struct auth;

/* Whether a link asks somebody over HTTP. */
bool auth_wants_http(const struct auth_config *config);

/* Adds the providers to broker->access, before the shards are initialised. `http` may be NULL when
 * no link wants it. NULL: `why` says what is wrong (a file that cannot be read, say) or is empty
 * without memory. */
struct auth *auth_new(struct broker *broker, struct http_client *http,
                      const struct auth_config *config, char why[static AUTH_WHY_SIZE]);

/* Makes the threads of what works beside the shards, and ends them: after the shards have ended.
 * False: a thread could not be made. */
bool auth_start(struct auth *auth);
void auth_stop(struct auth *auth);

/* After the shards are gone. NULL is nothing. */
void auth_free(struct auth *auth);

/* What the links know is read anew, and sent to the running shards; a link whose data are not good
 * keeps what it has and says so in the log. By one thread at a time that is no shard. */
void auth_reload(struct auth *auth, const struct auth_config *config);

#endif
