#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "unit.h"

#include <string.h>

enum { NAMES = 600 };

struct named {
        char     name[8];
        unsigned met;
};

static struct named named[NAMES];

static struct str named_key(const void *value)
{
        return str_of(((const struct named *)value)->name);
}

static void named_init(void)
{
        for (unsigned i = 0; i < NAMES; i++) {
                snprintf(named[i].name, sizeof named[i].name, "n%u", i);
                named[i].met = 0;
        }
}

static struct map map_new(uint64_t seed)
{
        struct map map;

        named_init();
        map_init(&map, named_key, (struct hash_key){ seed, ~seed });
        return map;
}

/* Everything the map promises about itself: at most three quarters full, and every value reachable
 * from its home without a gap. */
static void map_check(const struct map *map)
{
        size_t count = 0;

        EXPECT((map->size & (map->size - 1)) == 0);
        EXPECT(map->count <= (map->size < 4 ? map->size / 2 : map->size / 4 * 3));
        for (size_t i = 0; i < map->size; i++) {
                if (map->slots[i].value == NULL)
                        continue;
                count++;
                EXPECT_EQ(map->slots[i].hash,
                          hash_str(&map->key, map->key_of(map->slots[i].value)));
                for (size_t at = map->slots[i].hash; (at & (map->size - 1)) != i; at++)
                        EXPECT(map->slots[at & (map->size - 1)].value != NULL, "slot %zu", i);
        }
        EXPECT_EQ(count, map->count);
}

/* Against the simplest model there is: a flag per name. */
TEST(random_use_agrees_with_a_naive_model)
{
        static const uint32_t pools[] = { 3, 6, 7, 30, 600 };   /* names in use */
        const uint32_t       *pool;
        struct random         random;

        random_init(&random, 11);
        EACH(pools, pool) {
                struct map map         = map_new(*pool);
                bool       there[NAMES] = { 0 };
                size_t     count       = 0;

                for (unsigned round = 0; round < 40000; round++) {
                        uint32_t   i   = random_below(&random, *pool);
                        struct str key = named_key(&named[i]);

                        EXPECT(map_find(&map, key) == (there[i] ? &named[i] : NULL), "%u", round);
                        /* Phases of growing and of shrinking. */
                        if (!there[i] && random_below(&random, 8) < (round / 4000 % 2 ? 2u : 7u)) {
                                EXPECT(map_add(&map, &named[i]));
                                there[i] = true;
                                count++;
                        } else if (random_below(&random, 2) == 0) {
                                EXPECT(map_remove(&map, key) == (there[i] ? &named[i] : NULL));
                                count -= there[i];
                                there[i] = false;
                        }
                        EXPECT_EQ(map.count, count);
                        if (round % 64 == 0)
                                map_check(&map);
                }
                map_deinit(&map);
        }
}

/* Runs that wrap round the end are where backward shifting goes wrong. */
TEST(every_order_of_removal_leaves_the_others)
{
        for (uint64_t seed = 0; seed < 3000; seed++) {
                struct map map = map_new(seed);

                for (unsigned i = 0; i < 6; i++)
                        EXPECT(map_add(&map, &named[i]));
                EXPECT_EQ(map.size, 8);
                for (unsigned i = 0; i < 6; i++) {
                        EXPECT(map_remove(&map, named_key(&named[i])) == &named[i]);
                        EXPECT(map_remove(&map, named_key(&named[i])) == NULL);
                        map_check(&map);
                        for (unsigned left = i + 1; left < 6; left++)
                                EXPECT(map_find(&map, named_key(&named[left])) == &named[left]);
                }
                map_deinit(&map);
        }
}

TEST(a_walk_meets_everything_once)
{
        static const unsigned counts[] = { 0, 1, 6, 7, 600 };
        const unsigned       *count;

        EACH(counts, count) {
                struct map    map = map_new(5);
                size_t        at  = 0;
                struct named *value;

                for (unsigned i = 0; i < *count; i++)
                        EXPECT(map_add(&map, &named[i]));
                while ((value = map_next(&map, &at)) != NULL)
                        value->met++;
                EXPECT(map_next(&map, &at) == NULL);
                for (unsigned i = 0; i < NAMES; i++)
                        EXPECT_EQ(named[i].met, i < *count);
                map_deinit(&map);
        }
}

TEST(a_walk_may_remove_what_it_meets)
{
        for (uint64_t seed = 0; seed < 1000; seed++) {
                struct map    map   = map_new(seed);
                unsigned      count = seed % 2 == 0 ? 6 : 40, met = 0;
                size_t        at    = 0;
                struct named *value;

                for (unsigned i = 0; i < count; i++)
                        EXPECT(map_add(&map, &named[i]));
                while ((value = map_next(&map, &at)) != NULL) {
                        EXPECT(map_remove(&map, named_key(value)) == value);
                        met++;
                        at--;
                }
                EXPECT_EQ(met, count);
                EXPECT_EQ(map.count, 0);
                map_deinit(&map);
        }
}

/* The first half stays; the others come and go between slices. */
static void walk_among_changes(uint64_t seed)
{
        struct map      map    = map_new(seed);
        struct map_walk walk   = { 0 };
        struct random   random;
        unsigned        stay   = 3 + (unsigned)(seed % 20), all = 2 * stay;
        size_t          steps  = 0;

        random_init(&random, seed);
        for (unsigned i = 0; i < all; i++)
                EXPECT(map_add(&map, &named[i]));
        while (!walk.done) {
                size_t        slots = 1 + random_below(&random, 4);
                struct named *value;

                while ((value = map_walk_next(&map, &walk, &slots)) != NULL)
                        value->met++;
                EXPECT_EQ(walk.done ? 0 : slots, 0);
                for (unsigned change = 0; change < 4; change++) {
                        unsigned at = stay + (unsigned)random_below(&random, stay);

                        if (map_remove(&map, named_key(&named[at])) == NULL)
                                EXPECT(map_add(&map, &named[at]));
                }
                EXPECT(++steps < 1000);
        }
        for (unsigned i = 0; i < stay; i++)
                EXPECT(named[i].met > 0, "seed %llu: %u of %u", (unsigned long long)seed, i, stay);
        map_deinit(&map);
}

TEST(a_walk_in_slices_meets_what_stays)
{
        struct map      none = map_new(1);
        struct map_walk walk = { 0 };
        size_t          slots = 1;

        EXPECT(map_walk_next(&none, &walk, &slots) == NULL && walk.done);
        for (uint64_t seed = 0; seed < 5000; seed++)
                walk_among_changes(seed);
}

TEST(a_walk_in_slices_meets_what_is_at_rest_once)
{
        for (uint64_t seed = 0; seed < 500; seed++) {
                struct map      map  = map_new(seed);
                struct map_walk walk = { 0 };

                for (unsigned i = 0; i < 24; i++)
                        EXPECT(map_add(&map, &named[i]));
                while (!walk.done) {
                        size_t        slots = 5;
                        struct named *value;

                        while ((value = map_walk_next(&map, &walk, &slots)) != NULL)
                                value->met++;
                }
                for (unsigned i = 0; i < 24; i++)
                        EXPECT_EQ(named[i].met, 1);
                map_deinit(&map);
        }
}

TEST(a_walk_begins_again_when_the_map_has_grown)
{
        struct map      map  = map_new(1);
        struct map_walk walk = { 0 };
        size_t          slots = 8;
        struct named   *value;

        for (unsigned i = 0; i < 6; i++)
                EXPECT(map_add(&map, &named[i]));
        while ((value = map_walk_next(&map, &walk, &slots)) != NULL)
                value->met++;
        for (unsigned i = 6; i < 30; i++)
                EXPECT(map_add(&map, &named[i]));
        for (slots = 1000; (value = map_walk_next(&map, &walk, &slots)) != NULL;)
                value->met++;
        EXPECT(walk.done);
        for (unsigned i = 0; i < 30; i++)
                EXPECT(named[i].met > 0, "%u", i);
        map_deinit(&map);
}

TEST(an_empty_map_holds_no_memory)
{
        struct map map = map_new(1);

        EXPECT(map.slots == NULL);
        EXPECT(map_find(&map, STR("n1")) == NULL);
        EXPECT(map_remove(&map, STR("n1")) == NULL);
        EXPECT(map_add(&map, &named[1]));
        map_deinit(&map);
        EXPECT(map.slots == NULL && map.count == 0);
        EXPECT(map_find(&map, STR("n1")) == NULL);
}

TEST(without_memory_nothing_changes)
{
        struct map map = map_new(1);

        mem_fail_after(0);
        EXPECT(!map_add(&map, &named[0]));
        mem_fail_after(3);              /* 2 slots, 4, then 8 */
        for (unsigned i = 0; i < 6; i++)
                EXPECT(map_add(&map, &named[i]));
        EXPECT(!map_add(&map, &named[6]));
        mem_fail_after(-1);
        map_check(&map);
        EXPECT_EQ(map.count, 6);
        EXPECT(map_find(&map, named_key(&named[6])) == NULL);
        EXPECT(map_find(&map, named_key(&named[5])) == &named[5]);
        map_deinit(&map);
}

SUITE(map, CASE(random_use_agrees_with_a_naive_model),
      CASE(every_order_of_removal_leaves_the_others), CASE(a_walk_meets_everything_once),
      CASE(a_walk_may_remove_what_it_meets), CASE(a_walk_in_slices_meets_what_stays),
      CASE(a_walk_in_slices_meets_what_is_at_rest_once),
      CASE(a_walk_begins_again_when_the_map_has_grown), CASE(an_empty_map_holds_no_memory),
      CASE(without_memory_nothing_changes))
