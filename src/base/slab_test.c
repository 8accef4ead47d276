#include "base/slab.h"
#include "base/memory.h"
#include "base/platform.h"
#include "base/random.h"
#include "unit.h"

#include <string.h>

enum { OBJECTS = 4000 };

static char *objects[OBJECTS];

/* With chunks or without, whatever the sanitizer would have. */
static void slab_make(struct slab *slab, size_t object_size, bool plain)
{
        slab_init(slab, "test", object_size, 0);
        slab->plain = plain;
}

static void expect_zeroed(const char *object, size_t size)
{
        for (size_t i = 0; i < size; i++)
                EXPECT(object[i] == 0, "byte %zu of %zu", i, size);
}

TEST(sizes_and_chunks)
{
        static const struct row {
                size_t   asked, object_size, chunk_size;
                unsigned chunk_objects;
        } rows[] = {
                { 1, 16, 65536, 4093 },
                { 16, 16, 65536, 4093 },
                { 17, 32, 65536, 2046 },
                { 1000, 1008, 65536, 64 },
                { 8000, 8000, 65536, 8 },
                { 8192, 8192, 131072, 15 },     /* large objects: still several in a chunk */
                { 100000, 100000, 1048576, 10 },
        };
        const struct row *row;

        EACH(rows, row) {
                struct slab slab;

                slab_init(&slab, "test", row->asked, 0);
                EXPECT_EQ(slab.object_size, row->object_size);
                EXPECT_EQ(slab.chunk_size, row->chunk_size);
                EXPECT_EQ(slab.chunk_objects, row->chunk_objects);
                EXPECT_EQ(slab.plain, PLATFORM_ASAN);
                slab_deinit(&slab);
        }
}

TEST(objects_are_zeroed_aligned_and_apart)
{
        static const size_t sizes[] = { 1, 24, 400, 9000 };
        const size_t       *size;

        EACH(sizes, size) {
                for (unsigned plain = 0; plain < 2; plain++) {
                        struct slab slab;

                        slab_make(&slab, *size, plain);
                        for (unsigned i = 0; i < 200; i++) {
                                objects[i] = slab_alloc(&slab);
                                EXPECT(objects[i] != NULL);
                                EXPECT_EQ((uintptr_t)objects[i] % 16, 0);
                                expect_zeroed(objects[i], *size);
                                memset(objects[i], (int)i + 1, *size);
                        }
                        for (unsigned i = 0; i < 200; i++) {
                                for (size_t at = 0; at < *size; at++)
                                        EXPECT_EQ((uint8_t)objects[i][at], i + 1);
                                slab_free(&slab, objects[i]);
                        }
                        slab_free(&slab, NULL);
                        EXPECT_EQ(slab.objects_used, 0);
                        slab_deinit(&slab);
                }
        }
}

TEST(the_bound_holds)
{
        struct slab slab;
        void       *a, *b;

        slab_init(&slab, "test", 100, 2);
        a = slab_alloc(&slab);
        b = slab_alloc(&slab);
        EXPECT(a != NULL && b != NULL);
        EXPECT(slab_alloc(&slab) == NULL);
        slab_free(&slab, a);
        a = slab_alloc(&slab);
        EXPECT(a != NULL);
        EXPECT(slab_alloc(&slab) == NULL);
        slab_free(&slab, a);
        slab_free(&slab, b);
        slab_deinit(&slab);
}

TEST(an_allocation_may_fail)
{
        for (unsigned plain = 0; plain < 2; plain++) {
                struct slab slab;

                slab_make(&slab, 100, plain);
                mem_fail_after(0);
                EXPECT(slab_alloc(&slab) == NULL);
                mem_fail_after(1);              /* with chunks: the chunk itself fails */
                objects[0] = slab_alloc(&slab);
                EXPECT_EQ(objects[0] != NULL, plain);
                mem_fail_after(-1);
                slab_free(&slab, objects[0]);

                objects[0] = slab_alloc(&slab);
                mem_fail_after(0);              /* there is room, and still it counts */
                EXPECT(slab_alloc(&slab) == NULL);
                mem_fail_after(-1);
                slab_free(&slab, objects[0]);
                slab_deinit(&slab);
        }
}

/* How many chunks there are after so many objects were taken and freed, in order of age. */
TEST(empty_chunks_are_given_back)
{
        struct slab slab;
        unsigned    per, count;

        slab_make(&slab, 1000, false);
        per   = slab.chunk_objects;
        count = 10 * per;
        for (unsigned i = 0; i < count; i++)
                objects[i] = slab_alloc(&slab);
        EXPECT_EQ(slab_bytes(&slab), 10 * slab.chunk_size);
        EXPECT_EQ(slab.objects_room, 0);

        for (unsigned i = 0; i < per; i++)
                slab_free(&slab, objects[i]);
        EXPECT_EQ(slab_bytes(&slab), 10 * slab.chunk_size);     /* the only room there is: kept */
        for (unsigned i = per; i < 2 * per; i++)
                slab_free(&slab, objects[i]);
        EXPECT_EQ(slab_bytes(&slab), 9 * slab.chunk_size);      /* there is the other */
        for (unsigned i = 2 * per; i < count; i++)
                slab_free(&slab, objects[i]);
        EXPECT_EQ(slab_bytes(&slab), slab.chunk_size);
        slab_deinit(&slab);
        EXPECT_EQ(slab_bytes(&slab), 0);
}

/* One object over a chunk's end, taken and freed again and again, must not cost a chunk a time. */
TEST(chunks_do_not_come_and_go)
{
        struct slab slab;
        unsigned    per;

        slab_make(&slab, 1000, false);
        per = slab.chunk_objects;
        for (unsigned i = 0; i < per; i++)
                objects[i] = slab_alloc(&slab);
        objects[per] = slab_alloc(&slab);
        slab_free(&slab, objects[per]);

        mem_fail_after(1000);
        for (unsigned i = 0; i < 1000; i++) {   /* each is one in the books, a chunk would be two */
                objects[per] = slab_alloc(&slab);
                EXPECT(objects[per] != NULL);
                slab_free(&slab, objects[per]);
        }
        mem_fail_after(-1);
        for (unsigned i = 0; i < per; i++)
                slab_free(&slab, objects[i]);
        slab_deinit(&slab);
}

/* Every object carries its number in all its bytes; whatever comes and goes, it keeps it. */
TEST(random_use_keeps_objects_whole)
{
        static const size_t sizes[] = { 16, 48, 1000, 9000 };
        const size_t       *size;
        struct random       random;

        random_init(&random, 5);
        EACH(sizes, size) {
                struct slab slab;
                unsigned    used = 0;

                slab_make(&slab, *size, false);
                memset(objects, 0, sizeof objects);
                for (unsigned round = 0; round < 60000; round++) {
                        uint32_t i = random_below(&random, *size > 1000 ? 200 : OBJECTS);

                        if (objects[i] != NULL) {
                                EXPECT_EQ((uint8_t)objects[i][0], i % 255 + 1);
                                EXPECT_EQ((uint8_t)objects[i][*size - 1], i % 255 + 1);
                                slab_free(&slab, objects[i]);
                                objects[i] = NULL;
                                used--;
                        } else if (random_below(&random, 8) < (round / 10000 % 2 ? 1u : 7u)) {
                                objects[i] = slab_alloc(&slab);
                                expect_zeroed(objects[i], *size);
                                memset(objects[i], (int)(i % 255 + 1), *size);
                                used++;
                        }
                        EXPECT_EQ(slab.objects_used, used);
                }
                for (unsigned i = 0; i < OBJECTS; i++)
                        slab_free(&slab, objects[i]);
                EXPECT_EQ(slab.objects_used, 0);
                slab_deinit(&slab);
        }
}

SUITE(slab, CASE(sizes_and_chunks), CASE(objects_are_zeroed_aligned_and_apart),
      CASE(the_bound_holds), CASE(an_allocation_may_fail), CASE(empty_chunks_are_given_back),
      CASE(chunks_do_not_come_and_go), CASE(random_use_keeps_objects_whole))
