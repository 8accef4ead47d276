/* How long the certificates of all listeners are good for: said now and then, and an alarm when it
 * is not long. On the first shard. */
#ifndef LINNET_SERVICES_CERTIFICATES_EXPIRY_H
#define LINNET_SERVICES_CERTIFICATES_EXPIRY_H

#include "core/shard.h"
#include "services/certificates/slot.h"

struct expiry {
        struct list  slots;             /* whose listeners are open */
        struct timer say;
};

void expiry_init(struct expiry *expiry);

/* Tells of this one at once, and from then on. */
void expiry_add(struct expiry *expiry, struct shard *shard, struct certificates_slot *slot)
        ON_SHARD;

/* No more: what was said is taken back, unless another slot of the same name says it now. */
void expiry_remove(struct expiry *expiry, struct shard *shard, struct certificates_slot *slot)
        ON_SHARD;

#endif
