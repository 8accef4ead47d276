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
#include "services/auth/hasher.h"

struct auth;

/* Whether a link asks somebody over HTTP. */
bool auth_wants_http(const struct auth_config *config);

/* Adds the providers to broker->access, before the shards are initialised. `http` may be NULL when
 * no link wants it; `host` is for hasher_new(). NULL: `why` says what is wrong (a file that cannot
 * be read, say) or is empty without memory. */
struct auth *auth_new(struct broker *broker, struct http_client *http,
                      const struct auth_config *config, const struct hasher_host *host,
                      char why[static AUTH_WHY_SIZE]);

/* Reads what auth_new() would, and tells of each link that could not be made. */
void auth_inspect(const struct auth_config *config,
                  void (*tell)(void *context, const char *provider, const char *why),
                  void *context);

/* When no loop runs any more, after the shards are gone. NULL is nothing. */
void auth_free(struct auth *auth);

/* The loops of those who compute hashes, each turned by one thread. */
unsigned     auth_loops(const struct auth *auth);
struct loop *auth_loop(struct auth *auth, unsigned at);

/* Makes the threads of these and of what else works beside the shards, and ends them: after the
 * shards have ended. False: a thread could not be made. */
bool auth_start(struct auth *auth);
void auth_stop(struct auth *auth);

/* What the links know is read anew, on a thread of its own, and sent to the shards. A link whose
 * data are not good keeps what it has, says so in the log, and raises an alarm. False: no memory.
 * Any thread, while the loops run. */
bool auth_reload(struct auth *auth, const struct auth_config *config);

#endif
