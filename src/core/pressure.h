/* How near the broker is to memory.limit. What counts is all that its heap holds: sessions, queues,
 * outputs, retained messages and what is on its way.
 *
 *      NONE   below 90 %, and below 85 % once it was above
 *      SOFT   who publishes is read more slowly the nearer the limit is
 *      HARD   at 100 %, until below 95 %: what would make it hold more is refused
 */
#ifndef LINNET_CORE_PRESSURE_H
#define LINNET_CORE_PRESSURE_H

#include "core/shard.h"

enum pressure { PRESSURE_NONE, PRESSURE_SOFT, PRESSURE_HARD };

/* Bytes; 0: no limit. */
uint64_t pressure_limit(const struct shard *shard) ON_SHARD;

/* As it is now; raises and clears the alarm when it changes. */
enum pressure pressure_of(struct shard *shard) ON_SHARD;

/* How long a client that has published is not to be read; 0: no pressure. */
uint32_t pressure_pause_ms(struct shard *shard) ON_SHARD;

/* For tests: the marks alone. */
enum pressure pressure_at(enum pressure before, uint64_t held, uint64_t limit);

#endif
