#include "core/inflight.h"

#include <assert.h>

#include "base/memory.h"

enum { SLOTS_FIRST = 8, SLOTS_MAX = 65536 };

static struct inflight_entry *slot_of(const struct inflight *inflight, uint16_t packet_id)
{
        return &inflight->slots[packet_id & (inflight->size - 1)];
}

/* One that fills and empties all the time is not to double itself up to its size each time; nor to
 * keep a size that it no longer needs. */
static uint32_t size_after(struct inflight *inflight)
{
        uint32_t hint = inflight->size_hint;

        if (inflight->size != 0)
                return inflight->size * 2;
        inflight->size_hint = 0;
        return hint > SLOTS_FIRST ? hint / 2 : SLOTS_FIRST;
}

/* Twice the slots; ids that differ modulo the old size differ modulo the new one. */
static bool grow(struct inflight *inflight)
{
        uint32_t               size  = size_after(inflight);
        struct inflight_entry *slots = mem_zalloc(size * sizeof *slots);

        if (slots == NULL)
                return false;
        for (uint32_t i = 0; i < inflight->size; i++) {
                const struct inflight_entry *entry = &inflight->slots[i];

                if (entry->packet_id != 0)
                        slots[entry->packet_id & (size - 1)] = *entry;
        }
        mem_free(inflight->slots);
        inflight->slots = slots;
        inflight->size  = size;
        return true;
}

void inflight_deinit(struct inflight *inflight)
{
        while (inflight->first != 0)
                inflight_remove(inflight, slot_of(inflight, inflight->first));
        assert(inflight->slots == NULL);
}

static struct inflight_entry *enter(struct inflight *inflight, struct delivery *delivery,
                                    uint16_t id)
{
        struct inflight_entry *entry = slot_of(inflight, id);

        *entry = (struct inflight_entry){ .packet_id = id, .prev = inflight->last };
        entry->delivery = *delivery;
        *delivery       = (struct delivery){ .message = NULL };
        if (inflight->last != 0)
                slot_of(inflight, inflight->last)->next = id;
        else
                inflight->first = id;
        inflight->last    = id;
        inflight->last_id = id;
        inflight->count++;
        return entry;
}

/* The id is not 0, in nobody's use, and taken until inflight_remove() [MQTT3-2.3.1-4]
 * [MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1]. */
struct inflight_entry *inflight_add(struct inflight *inflight, struct delivery *delivery)
{
        if (inflight->count >= UINT16_MAX)
                return NULL;
        if (inflight->count * 2 >= inflight->size && inflight->size < SLOTS_MAX && !grow(inflight))
                return NULL;

        uint16_t id = inflight->last_id;

        do {
                id = (uint16_t)(id + 1);
        } while (id == 0 || slot_of(inflight, id)->packet_id != 0);

        return enter(inflight, delivery, id);
}

struct inflight_entry *inflight_restore(struct inflight *inflight, struct delivery *delivery,
                                        uint16_t packet_id)
{
        assert(packet_id != 0 && inflight_find(inflight, packet_id) == NULL);

        /* Ids that differ have slots of their own in a ring that is large enough. */
        while (inflight->size == 0 || slot_of(inflight, packet_id)->packet_id != 0)
                if (!grow(inflight))
                        return NULL;
        return enter(inflight, delivery, packet_id);
}

struct inflight_entry *inflight_find(struct inflight *inflight, uint16_t packet_id)
{
        if (inflight->slots == NULL || packet_id == 0)
                return NULL;

        struct inflight_entry *entry = slot_of(inflight, packet_id);

        return entry->packet_id == packet_id ? entry : NULL;
}

void inflight_remove(struct inflight *inflight, struct inflight_entry *entry)
{
        assert(entry->packet_id != 0);
        if (entry->prev != 0)
                slot_of(inflight, entry->prev)->next = entry->next;
        else
                inflight->first = entry->next;
        if (entry->next != 0)
                slot_of(inflight, entry->next)->prev = entry->prev;
        else
                inflight->last = entry->prev;
        delivery_release(&entry->delivery);
        *entry = (struct inflight_entry){ .packet_id = 0 };
        if (--inflight->count == 0) {           /* an idle session holds no slots */
                mem_free(inflight->slots);
                inflight->slots     = NULL;
                inflight->size_hint = inflight->size;
                inflight->size      = 0;
        }
}

struct inflight_entry *inflight_first(struct inflight *inflight)
{
        return inflight->first != 0 ? slot_of(inflight, inflight->first) : NULL;
}

struct inflight_entry *inflight_next(struct inflight *inflight, const struct inflight_entry *entry)
{
        return entry->next != 0 ? slot_of(inflight, entry->next) : NULL;
}
