/* What the access chain has said of a client's topics: asked once, remembered for a while. Least
 * recently used goes first; a change of the rules forgets all. It is a note that hangs on the
 * client's request, made when there is something to remember. */
#ifndef LINNET_CORE_VERDICTS_H
#define LINNET_CORE_VERDICTS_H

#include "core/access.h"

enum { VERDICT_TOPIC_MAX = 512 };       /* bytes; longer ones are asked for each time */

/* The verdict on the request's topic, with reason and line; ACCESS_LATER: it is not known. */
enum access_verdict verdicts_find(struct access_request *request) ON_SHARD;

/* Remembers it; nothing without memory. */
void verdicts_keep(struct access_request *request, enum access_verdict verdict) ON_SHARD;

/* The client may be another's from here on. */
void verdicts_forget(struct access_request *request) ON_SHARD;

#endif
