#include "core/delivery.h"

#include "base/limits.h"
#include "base/memory.h"
#include "core/journal.h"

bool delivery_add_id(struct delivery *delivery, uint32_t id)
{
        if (id == 0)
                return true;
        if (delivery->id == 0) {
                delivery->id = id;
                return true;
        }
        if (delivery->more_count + 1 >= SUBSCRIPTION_IDS_MAX)
                return false;

        uint32_t *ids =
                mem_realloc_array(delivery->more_ids, delivery->more_count + 1u, sizeof *ids);

        if (ids == NULL)
                return false;
        ids[delivery->more_count++] = id;
        delivery->more_ids          = ids;
        return true;
}

void delivery_strip(struct delivery *delivery)
{
        message_put(TAKE(delivery->message));
        mem_free(TAKE(delivery->more_ids));
        delivery->more_count = 0;
}

void delivery_release(struct delivery *delivery)
{
        entry_free(delivery->entry);            /* first: it may owe to the message */
        delivery_strip(delivery);
        *delivery = (struct delivery){ .message = NULL };
}
