/* A hash table of pointers: linear probing, backward-shift removal. */
#include "base/map.h"

#include "base/memory.h"

#include <assert.h>

enum {
        MAP_SIZE_MIN = 2,       /* most sessions have one subscription */
        MAP_SIZE_MAX = 1 << 30,
};

static bool             map_grow(struct map *map);
static struct map_slot *map_slot_of(const struct map *map, uint64_t hash, struct str key);
static void             map_close_gap(struct map *map, size_t gap);

void map_init(struct map *map, struct str (*key_of)(const void *value), struct hash_key key)
{
        assert(key_of != NULL);
        *map = (struct map){ .key_of = key_of, .key = key };
}

void map_deinit(struct map *map)
{
        mem_free(map->slots);
        map->slots = NULL;
        map->size = map->count = 0;
}

void *map_find(const struct map *map, struct str key)
{
        if (map->count == 0)
                return NULL;
        return map_slot_of(map, hash_str(&map->key, key), key)->value;
}

/* How many it may hold: one slot at least is free, so that every search ends. */
static uint32_t room_of(const struct map *map)
{
        return map->size < 4 ? map->size / 2 : map->size / 4 * 3;
}

bool map_add(struct map *map, void *value)
{
        assert(value != NULL);
        if (map->count >= room_of(map) && !map_grow(map))
                return false;

        struct str       key  = map->key_of(value);
        uint64_t         hash = hash_str(&map->key, key);
        struct map_slot *slot = map_slot_of(map, hash, key);

        assert(slot->value == NULL);            /* the key must not be there */
        *slot = (struct map_slot){ hash, value };
        map->count++;
        return true;
}

void *map_remove(struct map *map, struct str key)
{
        if (map->count == 0)
                return NULL;

        struct map_slot *slot  = map_slot_of(map, hash_str(&map->key, key), key);
        void            *value = slot->value;

        if (value == NULL)
                return NULL;
        map_close_gap(map, (size_t)(slot - map->slots));
        map->count--;
        return value;
}

void *map_next(const struct map *map, size_t *at)
{
        while (*at < map->size) {
                void *value = map->slots[(*at)++].value;

                if (value != NULL)
                        return value;
        }
        return NULL;
}

static void walk_begin(const struct map *map, struct map_walk *walk)
{
        size_t from = 0;

        while (from < map->size && map->slots[from].value != NULL)
                from++;
        *walk = (struct map_walk){ .size = map->size, .from = from, .left = map->size };
}

/* Downwards and round to a slot that was free, since a removal pulls values down: to where they are
 * still to be seen, or seen again. None that was there is pulled past that slot, for its home is on
 * this side of it. Of a map that does not change each is seen once. */
void *map_walk_next(const struct map *map, struct map_walk *walk, size_t *slots)
{
        if (walk->size != map->size)
                walk_begin(map, walk);
        while (*slots > 0 && walk->left > 0) {
                void *value;

                --*slots;
                value = map->slots[(walk->from + --walk->left) & (map->size - 1)].value;
                if (value != NULL)
                        return value;
        }
        walk->done = walk->left == 0;
        return NULL;
}

static bool map_grow(struct map *map)
{
        uint32_t         size  = map->size > 0 ? map->size * 2 : MAP_SIZE_MIN;
        struct map_slot *slots = NULL;

        if (size <= MAP_SIZE_MAX)
                slots = mem_zalloc(size * sizeof *slots);
        if (slots == NULL)
                return false;

        for (uint32_t i = 0; i < map->size; i++) {
                size_t at = map->slots[i].hash & (size - 1);

                if (map->slots[i].value == NULL)
                        continue;
                while (slots[at].value != NULL)
                        at = (at + 1) & (size - 1);
                slots[at] = map->slots[i];
        }
        mem_free(map->slots);
        map->slots = slots;
        map->size  = size;
        return true;
}

/* The slot that holds the key, or the free one where its search ends. */
static struct map_slot *map_slot_of(const struct map *map, uint64_t hash, struct str key)
{
        assert(map->count < map->size);         /* so that the search ends */

        for (size_t at = hash;; at++) {
                struct map_slot *slot = &map->slots[at & (map->size - 1)];

                if (slot->value == NULL)
                        return slot;
                if (slot->hash == hash && str_eq(map->key_of(slot->value), key))
                        return slot;
        }
}

/* Empties slot `gap` and pulls back every later one of its run that may stand there: one whose home
 * is not between the gap and itself, which a search would otherwise no longer reach.
 *
 *      home  gap  …  at        at moves to gap
 *      gap  …  home  …  at     at stays
 */
static void map_close_gap(struct map *map, size_t gap)
{
        size_t mask = map->size - 1;

        for (size_t at = (gap + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
                size_t home = map->slots[at].hash & mask;

                if (((at - home) & mask) < ((at - gap) & mask))
                        continue;
                map->slots[gap] = map->slots[at];
                gap             = at;
        }
        map->slots[gap] = (struct map_slot){ 0 };
}
