/* The store: an actor that writes what the shards' journals hand it (core/store_port).
 *
 *      batches of all shards that have come -> one transaction -> commit -> each is told "safe"
 *
 * One loop of its own, turned by one thread: while it commits, the next batches gather. A batch
 * that cannot be written (the disk is full) is kept and tried again; the shards are told, and
 * refuse what would have to be kept until it could be. Reads of queued messages are served between
 * commits.
 */
#ifndef LINNET_SERVICES_STORE_STORE_H
#define LINNET_SERVICES_STORE_STORE_H

#include "core/shard.h"
#include "services/store/engine.h"

struct store;

/* Takes the engine, the poll, and its place as broker->store, before the shards are initialised.
 * `clock` as in struct loop_config. NULL without memory; engine and poll are the caller's then. */
struct store *store_new(struct broker *broker, struct engine *engine, enum durability level,
                        const struct loop_config *clock_and_poll);

/* Once the shards are initialised and before any loop runs: sessions with all that is theirs,
 * retained and pending messages are put where they belong. False: it said why in the log. */
bool store_recover(struct store *store);

struct loop *store_loop(struct store *store);   /* to be run by a thread of its own */

/* When no loop runs any more, after the shards are gone. What was not committed is lost. */
void store_free(struct store *store);

#endif
