/* The shards of a broker, and the threads that turn them. */
#ifndef LINNET_BROKER_WORKER_H
#define LINNET_BROKER_WORKER_H

#include "core/shard.h"

struct doors;
struct workers;

/* What a shard's thread does before its first turn, with on_shard(). */
typedef void worker_begin(void *context, struct shard *shard);

/* For all shards of the broker, which must outlive this. NULL without memory. */
struct workers *workers_new(struct broker *broker);

/* Makes the shards, which begin with these settings. False after a log line that says why, or
 * without memory: some may be there. */
bool workers_open(struct workers *workers, const struct settings *settings);

/* A thread per shard; false after a log line that says why: some may run. */
bool workers_start(struct workers *workers, worker_begin *begin, void *context);

/* Whether every shard has turned since the last time this was asked. */
bool workers_beat(struct workers *workers);

/* Each shard closes its doors and says goodbye to its clients; waits for the threads to end. */
void workers_stop(struct workers *workers, struct doors *doors);

/* When no thread runs: the clients go, then the shards, as many as there are. Their memory stays
 * for those who count in it, until it is freed. NULL is nothing to free. */
void workers_close(struct workers *workers);
void workers_free(struct workers *workers);

#endif
