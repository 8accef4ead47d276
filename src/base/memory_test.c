#include "base/memory.h"
#include "base/limits.h"
#include "unit.h"

#include <pthread.h>
#include <string.h>

/* One of each kind of allocation; how many worked before the first that did not. */
static unsigned allocate_all(void)
{
        void    *got[6] = { 0 };
        unsigned count  = 0;

        for (bool worked = true; worked && count < 6; count += worked) {
                switch (count) {
                case 0: got[0] = mem_alloc(10); break;
                case 1: got[1] = mem_zalloc(10); break;
                case 2: got[2] = mem_aligned(64, 128); break;
                case 3: got[3] = mem_realloc(NULL, 10); break;
                case 4: got[4] = mem_realloc_array(NULL, 3, 5); break;
                default: got[5] = mem_dup(STR("abc")); break;
                }
                worked = got[count] != NULL;
        }
        for (unsigned i = 0; i < 6; i++)
                mem_free(got[i]);
        return count;
}

TEST(the_nth_allocation_fails)
{
        for (unsigned n = 0; n <= 6; n++) {
                uint64_t before = mem_failures();

                mem_fail_after(n);
                EXPECT_EQ(allocate_all(), n);
                mem_fail_after(-1);
                EXPECT_EQ(mem_failures() - before, n < 6);
        }
        EXPECT_EQ(allocate_all(), 6);
}

static void *allocate_elsewhere(void *count)
{
        *(unsigned *)count = allocate_all();
        return NULL;
}

TEST(failing_is_of_one_thread)
{
        pthread_t thread;
        unsigned  count = 0;

        mem_fail_after(0);
        EXPECT(mem_denied());
        EXPECT_EQ(pthread_create(&thread, NULL, allocate_elsewhere, &count), 0);
        pthread_join(thread, NULL);
        EXPECT(mem_denied());
        mem_fail_after(-1);
        EXPECT_EQ(count, 6);
        EXPECT(!mem_denied());
}

TEST(a_failed_realloc_leaves_the_memory)
{
        char *memory = mem_dup(STR("kept"));

        mem_fail_after(0);
        EXPECT(mem_realloc(memory, 100) == NULL);
        mem_fail_after(-1);
        EXPECT(strcmp(memory, "kept") == 0);
        mem_free(memory);
}

TEST(sizes_overflow_to_nothing)
{
        static const struct row {
                size_t count, size;
        } rows[] = {
                { SIZE_MAX, 2 },
                { 2, SIZE_MAX },
                { SIZE_MAX / 2 + 1, 2 },
                { (size_t)1 << 32, (size_t)1 << 32 },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT(mem_realloc_array(NULL, row->count, row->size) == NULL, "row %td",
                       row - rows);
}

TEST(nothing_is_something_to_be_freed)
{
        void *none = mem_alloc(0), *zero = mem_zalloc(0), *again = mem_alloc(4);

        EXPECT(none != NULL && zero != NULL);
        again = mem_realloc(again, 0);
        EXPECT(again != NULL);
        mem_free(none);
        mem_free(zero);
        mem_free(again);
        mem_free(NULL);
}

TEST(copies_end_with_a_nul)
{
        char *copy = mem_dup(str_from("abcdef", 3)), *empty = mem_dup((struct str){ 0 });

        EXPECT(strcmp(copy, "abc") == 0);
        EXPECT(strcmp(empty, "") == 0);
        mem_free(TAKE(copy));
        EXPECT(copy == NULL);
        mem_free(empty);
}

TEST(memory_is_zeroed_and_aligned_where_promised)
{
        for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
                void *memory = mem_aligned(alignment, alignment);

                EXPECT_EQ((uintptr_t)memory % alignment, 0);
                mem_free(memory);
        }

        char *dirty = mem_alloc(64);

        memset(dirty, 0x5a, 64);
        mem_free(dirty);

        char *clean = mem_zalloc(64);

        for (unsigned i = 0; i < 64; i++)
                EXPECT_EQ(clean[i], 0);
        mem_free(clean);
}

TEST(what_is_held_is_known_to_within_the_slack)
{
        enum { COUNT = 64, SIZE = 100000 };
        void    *blocks[COUNT];
        uint64_t before = mem_held(), most;

        for (unsigned i = 0; i < COUNT; i++)
                EXPECT((blocks[i] = i % 2 ? mem_alloc(SIZE) : mem_zalloc(SIZE)) != NULL);
        most = mem_held();
        EXPECT(most - before >= COUNT * SIZE - MEMORY_SLACK_BYTES);
        EXPECT(most - before < COUNT * (SIZE + 4096) + MEMORY_SLACK_BYTES);
        for (unsigned i = 0; i < COUNT; i++)
                EXPECT((blocks[i] = mem_realloc(blocks[i], 2 * SIZE)) != NULL);
        EXPECT(mem_held() - most >= COUNT * SIZE - 2 * MEMORY_SLACK_BYTES - COUNT * 4096);
        for (unsigned i = 0; i < COUNT; i++)
                mem_free(blocks[i]);
        EXPECT(mem_held() <= before + MEMORY_SLACK_BYTES);
}

SUITE(memory, CASE(the_nth_allocation_fails), CASE(failing_is_of_one_thread),
      CASE(a_failed_realloc_leaves_the_memory), CASE(sizes_overflow_to_nothing),
      CASE(nothing_is_something_to_be_freed), CASE(copies_end_with_a_nul),
      CASE(memory_is_zeroed_and_aligned_where_promised),
      CASE(what_is_held_is_known_to_within_the_slack))
