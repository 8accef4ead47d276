/* Which member of a shared group gets a message. */
#ifndef LINNET_CORE_SHARED_H
#define LINNET_CORE_SHARED_H

#include "core/message.h"
#include "core/router.h"
#include "core/shard.h"

/* By the configured strategy, among members that are connected while there are any; `except`
 * (may be NULL) is passed over. NULL: there is nobody. */
struct member *shared_pick(struct shard *shard, const struct group *group,
                           const struct message *message, const struct member *except) ON_SHARD;

#endif
