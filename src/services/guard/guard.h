/* Who is not let in, and since when: bans, limits by address, clients that come too often, logins
 * that fail, shards that do not keep up. It hangs on the hooks of connections; what is looked at
 * once a message knows nothing of it.
 *
 * One lock holds what all shards share; it is taken a few times a connection, and never while
 * anything is written to disk. */
#ifndef LINNET_SERVICES_GUARD_GUARD_H
#define LINNET_SERVICES_GUARD_GUARD_H

#include "core/shard.h"

struct guard;

/* Hangs on the hooks; before the shards start. `folder`: where the file "bans" is; NULL: what is
 * banned is not kept. NULL without memory. */
struct guard *guard_new(struct broker *broker, const char *folder);
void          guard_free(struct guard *guard);          /* after the shards */
void          guard_start(struct guard *guard, struct shard *shard) ON_SHARD;

/* Reads the file: what stands there holds from now on, and of what does not only what came after
 * the last guard_save(). Writes it, if anything has changed. By one thread that may wait. */
void guard_load(struct guard *guard);
void guard_save(struct guard *guard);

#endif
