/* Retained messages on their way to a new subscriber.
 *
 * SUBSCRIBE mails the shard of the topic's hash (or all, for a wildcard); each answers in batches
 * of at most RETAINED_BATCH_MAX, and goes on when the subscriber has sent its batch, as its window
 * and output allow. So a replay of any length holds one batch per shard in memory and never
 * overflows the queue.
 */
#ifndef LINNET_CORE_REPLAY_H
#define LINNET_CORE_REPLAY_H

#include "core/session.h"

/* Begins a replay for the subscription of that name [MQTT3-3.3.1-6]; nothing without memory. */
void replay_start(struct session *session, struct str name) ON_SHARD;

/* Sends what has come of the session's replays as far as there is room; session_pump()'s. */
void replay_pump(struct session *session) ON_SHARD;

/* A live retained message passes by: an older one of the same topic must not come behind it. */
void replay_seen(struct session *session, const struct message *message) ON_SHARD;

void replay_end_all(struct session *session) ON_SHARD;

/* The shard's tables of replays; with the shard. */
void replay_init(struct shard *shard) ON_SHARD;
void replay_teardown(struct shard *shard) ON_SHARD;

/* Hangs on message.publish, behind all others: a message that is to be retained is stored, or the
 * one before it removed, at its topic's shard. False without memory. */
bool retain_hook(struct hooks *hooks);

/* A restart has found it under that key; on the topic's shard. False without memory. */
bool retain_restore(struct shard *shard, struct message *message, uint64_t key) ON_SHARD;

#endif
