/* One message on its way to one session: what differs from receiver to receiver. */
#ifndef LINNET_CORE_DELIVERY_H
#define LINNET_CORE_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/message.h"

struct entry;

struct delivery {
        struct message *message;        /* a reference */
        struct entry   *entry;          /* its record (core/journal); NULL: it is not kept */
        uint32_t       *more_ids;       /* owned; NULL unless there is more than one identifier */
        uint32_t        id;             /* the first subscription identifier; 0: none */
        uint16_t        more_count;
        uint8_t         qos;
        bool            retain;         /* the flag that the receiver sees */
        uint32_t        share;          /* of the subscription that brought it; 0: not shared */
};

/* One more identifier; false without memory or beyond SUBSCRIPTION_IDS_MAX. */
bool delivery_add_id(struct delivery *delivery, uint32_t id);

/* Gives back the message and the identifiers, and forgets the record. */
void delivery_release(struct delivery *delivery);

/* Gives back the message and the identifiers: PUBREC has come. */
void delivery_strip(struct delivery *delivery);

#endif
