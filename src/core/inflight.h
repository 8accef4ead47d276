/* What was sent to a client and is not acknowledged (emqttd_inflight): a ring keyed by packet id.
 *
 * An entry stands in the slot `packet id & (size - 1)`; ids are handed out in ascending order,
 * skipping those whose slot is taken, so no id collides with one in flight and finding is O(1). A
 * list through the slots keeps the order of sending, in which everything is sent again when a
 * client comes back.
 */
#ifndef LINNET_CORE_INFLIGHT_H
#define LINNET_CORE_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/delivery.h"

struct inflight_entry {
        struct delivery delivery;       /* message NULL once PUBREC has come */
        uint16_t        packet_id;      /* 0: the slot is free */
        uint16_t        next, prev;     /* packet ids in order of sending; 0: the end */
        bool            released;       /* PUBREL was sent; PUBCOMP is awaited */
        bool            unsent;         /* not sent (again) to the present peer yet */
        bool            held;           /* its record must be safe before anything is sent */
        bool            fresh;          /* was never sent: DUP is 0 then */
        uint64_t        sent_ms;
};

struct inflight {
        struct inflight_entry *slots;   /* owned; NULL while it is empty */
        uint32_t               size;    /* a power of two */
        uint32_t               count;
        uint32_t               size_hint; /* what it grew to before it was empty */
        uint16_t               last_id, first, last;
};

void inflight_deinit(struct inflight *inflight);        /* releases what is left */

/* Takes the delivery under a new packet id. NULL without memory or when all 65,535 ids are in use;
 * the delivery is the caller's then. */
struct inflight_entry *inflight_add(struct inflight *inflight, struct delivery *delivery);

/* The same under the packet id that it had before a restart, which must be free. */
struct inflight_entry *inflight_restore(struct inflight *inflight, struct delivery *delivery,
                                        uint16_t packet_id);

struct inflight_entry *inflight_find(struct inflight *inflight, uint16_t packet_id); /* or NULL */
void inflight_remove(struct inflight *inflight, struct inflight_entry *entry);  /* releases it */

/* In order of sending; NULL at the end. */
struct inflight_entry *inflight_first(struct inflight *inflight);
struct inflight_entry *inflight_next(struct inflight *inflight, const struct inflight_entry *entry);

#endif
