/* $delayed/<seconds>/<topic>: a message that is published later (core/pending), by the
 * shard that received it; access was checked by the client for the real topic. */
#ifndef LINNET_SERVICES_MODULES_DELAYED_H
#define LINNET_SERVICES_MODULES_DELAYED_H

#include "core/shard.h"

struct delayed;

/* Hangs on the hooks; before the shards start. NULL without memory. */
struct delayed *delayed_new(struct broker *broker);

void delayed_free(struct delayed *delayed);

#endif
