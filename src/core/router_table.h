/* A hash table of pointers that many threads read while one writes: open addressing, linear
 * probing. Readers take no lock; writers hold the owner's. It grows by copying, and the old one is
 * retired, so a reader's view stays whole until its turn ends.
 */
#ifndef LINNET_CORE_ROUTER_TABLE_H
#define LINNET_CORE_ROUTER_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rt/loop.h"

struct table_slot {
        _Atomic uint64_t hash;                  /* spares following a pointer that cannot match */
        _Atomic(void *)  item;                  /* NULL ends a probe */
};

struct table_slots {
        struct retired    retired;
        size_t            mask;
        size_t            used;                 /* live ones and tombstones; the writer's */
        struct table_slot slot[];
};

struct table {                                  /* zeroed is empty */
        _Atomic(struct table_slots *) slots;
        size_t                        live;     /* the writer's */
};

/* A walk over the items of one hash, or over all items. */
struct table_probe {
        struct table_slots *slots;
        uint64_t            hash;
        size_t              at;
};

struct table_probe table_probe(const struct table *table, uint64_t hash);
void              *table_next(struct table_probe *probe);       /* NULL: no more of this hash */

struct table_probe table_walk(const struct table *table);
void              *table_walk_next(struct table_probe *probe);  /* NULL: no more at all */

/* Room for `more` items; false without memory, and nothing has changed. */
bool table_reserve(struct table *table, struct loop *loop, size_t more) ON_SHARD;
void table_put(struct table *table, uint64_t hash, void *item);         /* room is reserved */
void table_remove(struct table *table, uint64_t hash, const void *item); /* it is there */
void table_free(struct table *table);           /* not the items; when nobody reads any more */

#endif
