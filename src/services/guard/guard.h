/* Who is not let in, and since when: bans, limits by address, clients that come too often, logins
 * that fail, shards that do not keep up. It hangs on the hooks of connections; what is looked at
 * once a message knows nothing of it.
 *
 * One lock holds what all shards share; it is taken a few times a connection, and never while
 * anything is written to disk. */
#ifndef LINNET_SERVICES_GUARD_GUARD_H
#define LINNET_SERVICES_GUARD_GUARD_H

#include "core/shard.h"
#include "services/guard/ban.h"

struct guard;

/* Hangs on the hooks; before the shards start. `folder`: where the file "bans" is; NULL: what is
 * banned is not kept. NULL without memory. */
struct guard *guard_new(struct broker *broker, const char *folder);
void          guard_free(struct guard *guard);          /* after the shards */
void          guard_start(struct guard *guard, struct shard *shard) ON_SHARD;

/* Reads the file: what stands there holds from now on, and of what does not only what came after
 * the last guard_save(). Writes it, if anything has changed. By one thread that may wait. */
void guard_load(struct guard *guard);
bool guard_save(struct guard *guard);   /* false: it could not, which was logged */

/* An operator's: whoever is connected and banned by now is disconnected within a second. The ban
 * holds at once, and is in the file after the next guard_save(). */
enum ban_result guard_ban(struct guard *guard, const struct ban *ban) ANY_THREAD;
bool            guard_unban(struct guard *guard, enum ban_kind kind, struct str what) ANY_THREAD;

/* Shows up to `max` bans that hold from *at on (0 at first), which moves behind them; they may not
 * be kept, nor the guard called. False: those were the last. One that comes or goes between two
 * calls may be shown or not. */
bool guard_see_bans(struct guard *guard, size_t *at, unsigned max,
                    void (*see)(void *context, const struct ban *ban), void *context) ANY_THREAD;

#endif
