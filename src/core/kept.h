/* A thing that has a record in the store (core/journal). */
#ifndef LINNET_CORE_KEPT_H
#define LINNET_CORE_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum kept_kind { KEPT_SESSION, KEPT_SUBSCRIPTION, KEPT_DELIVERY, KEPT_RETAINED, KEPT_PENDING };
enum kept_place { KEPT_NOWHERE, KEPT_DIRTY, KEPT_FLYING, KEPT_HELD };

/* What one record is made from. Zeroed it is not kept. */
struct kept {
        struct list in_journal;         /* by place */
        uint64_t    key;                /* 0: not kept */
        uint32_t    first_in;           /* the batch with its first record, the lower bits */
        uint32_t    since_ms;           /* a dirty one: when it became so, the lower bits */
        uint8_t     kind;               /* enum kept_kind */
        uint8_t     place;              /* enum kept_place */
        bool        posted;             /* the record is in the store, or on its way there */
};

#endif
