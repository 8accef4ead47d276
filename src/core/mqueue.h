/* Messages that wait for a session: its client is away, or its window is full (emqttd_mqueue).
 *
 *      in -> | class of the highest priority | ... | class of the lowest | -> out
 *
 * Without priorities there is one class. Bounded by messages and by bytes; when full, the drop
 * policy says who goes. Beyond mqtt.mqueue.max_memory a class keeps what is in the store by its
 * key alone:
 *
 *      out <- | front: in memory | spilled: 16 bytes each | back: not safe in the store yet | <- in
 *
 * Pure: no clock, no I/O. Whoever owns it loads what is spilled.
 */
#ifndef LINNET_CORE_MQUEUE_H
#define LINNET_CORE_MQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/delivery.h"
#include "core/settings.h"

struct mqueue_class;
struct session;

/* A message that is in the store and not in memory. */
struct mqueue_spilled {
        uint64_t key;
        uint32_t size;                  /* message_size() */
        uint8_t  qos;
        bool     shared;
};

struct mqueue {
        struct mqueue_class *classes;   /* highest priority first; owned */
        struct list          ages[2];   /* in memory: QoS 0, and QoS 1/2; oldest first */
        uint32_t             len;       /* spilled ones included */
        uint32_t             spilled;
        uint64_t             bytes;     /* spilled ones included */
        uint64_t             memory;    /* bytes in memory */
        uint64_t             dropped;
        bool                 alarmed;   /* above the high watermark, not yet below the low one */
        bool                 loading;   /* what mqueue_to_load() named is on its way */
};

void mqueue_init(struct mqueue *mqueue);
void mqueue_deinit(struct mqueue *mqueue);      /* releases what is left */

/* Takes the delivery in any case. What had to go for it, or the delivery itself, is handed to
 * *lost (to be released by the caller); true when something was lost that way, by the drop
 * policy or for want of memory. Call again with `delivery` NULL while it returns true: several
 * small ones may have to go. When a spilled one had to go lost->message is NULL, and *lost_key its
 * record's key. */
bool mqueue_push(struct mqueue *mqueue, const struct settings *settings, struct delivery *delivery,
                 struct delivery *lost, uint64_t *lost_key);

/* The next one out; false when it is empty, or the next one is spilled. */
bool mqueue_pop(struct mqueue *mqueue, struct delivery *out);

/* The oldest of QoS 0, which needs no room in a window; false when there is none. */
bool mqueue_pop_qos0(struct mqueue *mqueue, struct delivery *out);

/* Forgets the bodies of what has become safe and is too much for memory; true when some that are
 * not safe yet are to follow. */
bool mqueue_spill(struct mqueue *mqueue);
bool mqueue_has_back(const struct mqueue *mqueue);

/* Keys of the next spilled ones, when little is left in front of them and nothing is being loaded;
 * returns how many. mqueue_loaded() takes one back, in that order; false: it is not wanted any
 * more, and the delivery is the caller's. mqueue_lost() forgets one that is not to be had. */
unsigned mqueue_to_load(struct mqueue *mqueue, uint64_t keys[], unsigned max);
bool     mqueue_wants(struct mqueue *mqueue, uint64_t key);
bool     mqueue_loaded(struct mqueue *mqueue, uint64_t key, struct delivery *delivery);
void     mqueue_lost(struct mqueue *mqueue, uint64_t key);

/* A restart puts it behind the others of its priority; false without memory. */
bool mqueue_restore(struct mqueue *mqueue, const struct mqueue_spilled *spilled, unsigned priority);

/* Calls `visit` with every delivery that is in memory, in no order. */
void mqueue_each(struct mqueue *mqueue, bool (*visit)(struct session *, struct delivery *),
                 struct session *session);

/* Takes out what is in memory and `keeps` does not want, then hands it to `drop`, whose it is. */
void mqueue_sift(struct mqueue *mqueue, bool (*keeps)(void *context, const struct delivery *),
                 void (*drop)(void *context, struct delivery *), void *context);

/* Takes out any of the spilled; false when there is none. */
bool mqueue_pop_spilled(struct mqueue *mqueue, struct mqueue_spilled *out);

/* The length has just risen above the high (fallen below the low) watermark: told once each. */
bool mqueue_rose(struct mqueue *mqueue, const struct settings *settings);
bool mqueue_fell(struct mqueue *mqueue, const struct settings *settings);

#endif
