/* What the last topics published on a shard have matched: most come again soon. An entry holds as
 * long as the route index is what it was (router_version()); one place per hash, so that a new
 * topic takes another's and the memory stays what it is. Belongs to its shard. */
#ifndef LINNET_CORE_ROUTE_MEMO_H
#define LINNET_CORE_ROUTE_MEMO_H

#include "core/router.h"

struct route_memo;

struct route_memo *route_memo_new(void);        /* NULL without memory */
void               route_memo_free(struct route_memo *memo);

/* As router_match(), which it asks when it does not know. */
bool route_memo_match(struct route_memo *memo, struct router *router, struct str topic,
                      struct matches *out) ON_SHARD;

#endif
