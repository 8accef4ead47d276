#include "core/router_table.h"

#include <assert.h>

#include "base/list.h"
#include "base/memory.h"

enum { SLOTS_MIN = 16 };

/* Stands where an item was and the probe goes on. */
static char tombstone;

struct table_probe table_probe(const struct table *table, uint64_t hash)
{
        struct table_slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire);

        return (struct table_probe){ slots, hash, slots != NULL ? hash & slots->mask : 0 };
}

/* A slot that is used anew may show a reader the old item with the new hash: then the old one is
 * gone already and may be passed over. A new item never comes with an old hash. */
void *table_next(struct table_probe *probe)
{
        struct table_slots *slots = probe->slots;

        if (slots == NULL)
                return NULL;
        for (;;) {
                struct table_slot *slot = &slots->slot[probe->at];
                void              *item = atomic_load_explicit(&slot->item, memory_order_acquire);

                if (item == NULL)
                        return NULL;
                probe->at = (probe->at + 1) & slots->mask;
                if (item != &tombstone &&
                    atomic_load_explicit(&slot->hash, memory_order_relaxed) == probe->hash)
                        return item;
        }
}

struct table_probe table_walk(const struct table *table)
{
        return (struct table_probe){
                .slots = atomic_load_explicit(&table->slots, memory_order_acquire),
        };
}

void *table_walk_next(struct table_probe *probe)
{
        struct table_slots *slots = probe->slots;

        while (slots != NULL && probe->at <= slots->mask) {
                struct table_slot *slot = &slots->slot[probe->at++];
                void              *item = atomic_load_explicit(&slot->item, memory_order_acquire);

                if (item != NULL && item != &tombstone)
                        return item;
        }
        return NULL;
}

static void put(struct table_slots *slots, uint64_t hash, void *item)
{
        size_t at = hash & slots->mask;

        while (atomic_load_explicit(&slots->slot[at].item, memory_order_relaxed) != NULL)
                at = (at + 1) & slots->mask;
        slots->used++;
        assert(slots->used <= slots->mask);     /* an empty one is left to end the probes */
        atomic_store_explicit(&slots->slot[at].hash, hash, memory_order_relaxed);
        /* Releases the item and the hash to who finds it. */
        atomic_store_explicit(&slots->slot[at].item, item, memory_order_release);
}

static void on_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct table_slots, retired));
}

/* At most three quarters are used; a copy is at most half full, so that the next one is far. */
bool table_reserve(struct table *table, struct loop *loop, size_t more)
{
        struct table_slots *old  = atomic_load_explicit(&table->slots, memory_order_relaxed);
        size_t              size = SLOTS_MIN;

        if (old != NULL && old->used + more <= (old->mask + 1) / 4 * 3)
                return true;
        while (size < (table->live + more) * 2)
                size *= 2;

        struct table_slots *slots =
                mem_zalloc(sizeof *slots + size * sizeof(struct table_slot));

        if (slots == NULL)
                return false;
        slots->mask = size - 1;
        for (size_t i = 0; old != NULL && i <= old->mask; i++) {
                struct table_slot *slot = &old->slot[i];
                void              *item = atomic_load_explicit(&slot->item, memory_order_relaxed);

                if (item != NULL && item != &tombstone)
                        put(slots, atomic_load_explicit(&slot->hash, memory_order_relaxed), item);
        }
        assert(slots->used == table->live);
        atomic_store_explicit(&table->slots, slots, memory_order_release);
        if (old != NULL)
                reclaim_retire(loop, &old->retired, on_release);
        return true;
}

void table_put(struct table *table, uint64_t hash, void *item)
{
        put(atomic_load_explicit(&table->slots, memory_order_relaxed), hash, item);
        table->live++;
}

/* A tombstone is needed only where the probe goes on; those that end one now go with it. */
void table_remove(struct table *table, uint64_t hash, const void *item)
{
        struct table_slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);
        size_t              at    = hash & slots->mask;
        void               *found;

        while ((found = atomic_load_explicit(&slots->slot[at].item, memory_order_relaxed)) != item)
        {
                assert(found != NULL);
                at = (at + 1) & slots->mask;
        }
        table->live--;
        atomic_store_explicit(&slots->slot[at].item, &tombstone, memory_order_release);

        size_t next = (at + 1) & slots->mask;

        if (atomic_load_explicit(&slots->slot[next].item, memory_order_relaxed) != NULL)
                return;
        while (atomic_load_explicit(&slots->slot[at].item, memory_order_relaxed) == &tombstone) {
                atomic_store_explicit(&slots->slot[at].item, NULL, memory_order_release);
                slots->used--;
                at = (at - 1) & slots->mask;
        }
}

void table_free(struct table *table)
{
        mem_free(atomic_load_explicit(&table->slots, memory_order_relaxed));
        *table = (struct table){ .slots = NULL };
}
