/* A hash table of pointers for one thread: linear probing over a power of two of slots, at most
 * three quarters full, but that the smallest has two slots and one value. The table owns neither
 * keys nor values; the key is found in the value through `key_of`, so an entry costs 16 bytes of
 * table. Removal leaves no tombstones (backward shift), growth copies all slots at once.
 */
#ifndef LINNET_BASE_MAP_H
#define LINNET_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

struct map_slot {
        uint64_t hash;
        void    *value;         /* NULL marks a free slot */
};

struct map {
        struct map_slot *slots; /* owned */
        uint32_t         size;  /* 0 or a power of two */
        uint32_t         count;
        struct str (*key_of)(const void *value);
        struct hash_key  key;
};

void  map_init(struct map *map, struct str (*key_of)(const void *value), struct hash_key key);
void  map_deinit(struct map *map);                      /* the values are their owners' */
void *map_find(const struct map *map, struct str key);  /* NULL when there is none */
bool  map_add(struct map *map, void *value);    /* the key must not be there; false: no memory */
void *map_remove(struct map *map, struct str key);      /* the removed value, or NULL */

/* The first value at or after slot *at, and *at moved behind it; NULL at the end. Start with 0.
 * The map must not change during the walk, but the value in hand may be removed: then *at goes back
 * by one, for another value may have moved to its place. */
void *map_next(const struct map *map, size_t *at);

/* A walk in slices, between which the map may change: what is there all the time is shown, twice
 * only if it was moved by a change. Zeroed it has not begun. */
struct map_walk {
        size_t size;            /* of the map; with another one it begins again */
        size_t from;            /* a slot that was free when it began */
        size_t left;            /* slots from there on that are to be seen */
        bool   done;
};

/* The next value, having looked at no more than *slots of the map, which it lessens. NULL: it is
 * done, or that were enough. */
void *map_walk_next(const struct map *map, struct map_walk *walk, size_t *slots);

#endif
