/* Messages that wait for a session: its client is away, or its window is full (emqttd_mqueue).
 *
 *      in -> | class of the highest priority | ... | class of the lowest | -> out
 *
 * Without priorities there is one class. Bounded by messages and by bytes; when full, the drop
 * policy says who goes. Pure: no clock, no I/O.
 */
#ifndef LINNET_CORE_MQUEUE_H
#define LINNET_CORE_MQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/delivery.h"
#include "core/settings.h"

struct mqueue_class;

struct mqueue {
        struct mqueue_class *classes;   /* highest priority first; owned */
        struct list          ages[2];   /* QoS 0, and QoS 1/2: oldest first */
        uint32_t             len;
        uint64_t             bytes;
        uint64_t             dropped;
        bool                 alarmed;   /* above the high watermark, not yet below the low one */
};

void mqueue_init(struct mqueue *mqueue);
void mqueue_deinit(struct mqueue *mqueue);      /* releases what is left */

/* Takes the delivery in any case. What had to go for it, or the delivery itself, is handed to
 * *lost (to be released by the caller); true when something was lost that way, by the drop
 * policy or for want of memory. Call again with `delivery` NULL while it returns true: several
 * small ones may have to go. */
bool mqueue_push(struct mqueue *mqueue, const struct settings *settings, struct delivery *delivery,
                 struct delivery *lost);

/* The next one out; false when it is empty. */
bool mqueue_pop(struct mqueue *mqueue, struct delivery *out);

/* The oldest of QoS 0, which needs no room in a window; false when there is none. */
bool mqueue_pop_qos0(struct mqueue *mqueue, struct delivery *out);

/* The length has just risen above the high (fallen below the low) watermark: told once each. */
bool mqueue_rose(struct mqueue *mqueue, const struct settings *settings);
bool mqueue_fell(struct mqueue *mqueue, const struct settings *settings);

#endif
