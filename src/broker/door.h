/* The doors of a broker: where clients come in. A door is one listener on one shard; what comes in
 * gets the layers of the listener's type, and is a client of that shard from then on.
 *
 * One thread opens, changes and frees; by its mail each shard starts and closes its own doors. */
#ifndef LINNET_BROKER_DOOR_H
#define LINNET_BROKER_DOOR_H

#include "broker/config.h"
#include "broker/supervisor.h"
#include "core/shard.h"

struct certificates;
struct doors;

/* Before the shards, whose clients know their doors until they go; after them it is freed. What the
 * listeners need of TLS is added to `certificates`, which must outlive the doors. NULL without
 * memory. */
struct doors *doors_new(struct broker *broker, struct certificates *certificates);
void          doors_free(struct doors *doors);          /* NULL is nothing */

/* Opens on every shard what listeners the configuration has that are not open, or not as it says;
 * all of them or none: then false, after a log line that says which and why, and nothing changes. A
 * new listener whose name the supervisor has sockets for gets these instead of its address.
 * Connections wait until doors_commit(). */
bool doors_prepare(struct doors *doors, const struct config *config,
                   struct supervisor *supervisor);
void doors_abandon(struct doors *doors);                /* as if it had not been prepared */

/* The shards accept at what was prepared, and no more at what it takes the place of. Clients of
 * listeners that stay do so, too, on the terms on which they came; those of a listener that is gone
 * are told so and closed. TLS files of those that stay are read anew. False without memory: it was
 * abandoned. */
bool doors_commit(struct doors *doors);

void doors_shut(struct doors *doors);   /* closes all, when no shard runs any more */

/* Before the shards close theirs: the files of Unix sockets go while they still listen, so that
 * nobody else can have put another there. */
void doors_hide(struct doors *doors);

/* Shows each listener as it is open now; by the thread that changes them. */
struct door_view {
        const char *name, *address;             /* "tcp:external" */
        uint32_t    connections, max;           /* max 0: no limit */
        uint64_t    refused, denied;
};

void doors_see(const struct doors *doors,
               void (*see)(void *context, const struct door_view *view), void *context);

/* Accepts no more on this shard, when nothing is committed any more. */
void doors_close(struct doors *doors, struct shard *shard) ON_SHARD;

#endif
