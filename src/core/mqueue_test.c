#include "core/mqueue.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/journal.h"
#include "harness/world.h"
#include "unit.h"

/* A delivery whose payload is one letter, made at that time. */
static struct delivery letter(char name, uint8_t qos, const char *topic)
{
        struct message_fields fields = { .topic   = str_of(topic),
                                         .payload = str_from(&name, 1),
                                         .qos     = qos,
                                         .guid    = { .time_us = (uint8_t)name } };

        return (struct delivery){ .message = message_new(&fields), .qos = qos };
}

static struct settings limits(uint32_t length, enum mqueue_drop drop)
{
        struct settings settings;

        settings_init(&settings);
        settings.mqueue_max_length = length;
        settings.mqueue_max_bytes  = 0;
        settings.mqueue_drop       = drop;
        return settings;
}

static void push(struct mqueue *mqueue, const struct settings *settings, struct delivery delivery,
                 char *lost_names)
{
        struct delivery lost;
        uint64_t        key;
        bool            more = mqueue_push(mqueue, settings, &delivery, &lost, &key);

        while (more) {
                char name = lost.message != NULL ? message_payload(lost.message).ptr[0] : (char)key;

                strncat(lost_names, &name, 1);
                delivery_release(&lost);
                more = mqueue_push(mqueue, settings, NULL, &lost, &key);
        }
}

static void drain(struct mqueue *mqueue, char *names)
{
        struct delivery delivery;

        while (mqueue_pop(mqueue, &delivery)) {
                strncat(names, message_payload(delivery.message).ptr, 1);
                delivery_release(&delivery);
        }
}

TEST(a_full_queue_drops_by_policy)
{
        static const struct row {
                enum mqueue_drop drop;
                const char      *qos;           /* of A, B, C, ... */
                const char      *lost, *left;
        } rows[] = {
                { MQUEUE_DROP_OLDEST, "1111", "A", "BCD" },
                { MQUEUE_DROP_OLDEST, "1011", "A", "BCD" },
                { MQUEUE_DROP_OLDEST, "0111", "A", "BCD" },
                { MQUEUE_DROP_NEWEST, "1111", "D", "ABC" },
                { MQUEUE_DROP_QOS0_FIRST, "1101", "C", "ABD" },
                { MQUEUE_DROP_QOS0_FIRST, "1111", "A", "BCD" },
        };
        const struct row *row;

        EACH(rows, row) {
                struct settings settings  = limits(3, row->drop);
                char            lost[8]   = "", left[8] = "";
                struct mqueue   mqueue;

                mqueue_init(&mqueue);
                for (unsigned i = 0; row->qos[i] != '\0'; i++)
                        push(&mqueue, &settings,
                             letter((char)('A' + i), (uint8_t)(row->qos[i] - '0'), "t"), lost);
                EXPECT_EQ(mqueue.dropped, 1);
                drain(&mqueue, left);
                EXPECT(strcmp(lost, row->lost) == 0, "lost %s, not %s", lost, row->lost);
                EXPECT(strcmp(left, row->left) == 0, "left %s, not %s", left, row->left);
                EXPECT_EQ(mqueue.bytes, 0);
                mqueue_deinit(&mqueue);
        }
}

TEST(bytes_bound_it_too)
{
        struct settings settings = limits(0, MQUEUE_DROP_OLDEST);
        char            lost[8]  = "";
        struct mqueue   mqueue;
        struct delivery first = letter('A', 1, "t");

        settings.mqueue_max_bytes = 2 * message_size(first.message);
        mqueue_init(&mqueue);
        push(&mqueue, &settings, first, lost);
        push(&mqueue, &settings, letter('B', 1, "t"), lost);
        EXPECT(strcmp(lost, "") == 0, "two fit");
        push(&mqueue, &settings, letter('C', 1, "t"), lost);
        EXPECT(strcmp(lost, "A") == 0, "the oldest went: %s", lost);
        mqueue_deinit(&mqueue);
}

TEST(higher_priorities_leave_first)
{
        struct settings settings = limits(10, MQUEUE_DROP_OLDEST);
        char            lost[8] = "", left[8] = "";
        struct mqueue   mqueue;

        snprintf(settings.mqueue_priorities, sizeof settings.mqueue_priorities, "low=1,high=20");
        mqueue_init(&mqueue);
        push(&mqueue, &settings, letter('A', 1, "none"), lost);
        push(&mqueue, &settings, letter('B', 1, "low"), lost);
        push(&mqueue, &settings, letter('C', 1, "high"), lost);
        push(&mqueue, &settings, letter('D', 1, "low"), lost);
        drain(&mqueue, left);
        EXPECT(strcmp(left, "CBDA") == 0, "left %s", left);
        mqueue_deinit(&mqueue);
}

TEST(watermarks_are_told_once)
{
        struct settings settings = limits(10, MQUEUE_DROP_OLDEST);
        char            lost[8]  = "";
        struct delivery delivery;
        struct mqueue   mqueue;

        settings.mqueue_high_percent = 60;
        settings.mqueue_low_percent  = 20;
        mqueue_init(&mqueue);
        for (unsigned i = 0; i < 6; i++)
                push(&mqueue, &settings, letter('A', 1, "t"), lost);
        EXPECT(!mqueue_rose(&mqueue, &settings), "six is not above six");
        push(&mqueue, &settings, letter('B', 1, "t"), lost);
        EXPECT(mqueue_rose(&mqueue, &settings), "seven is");
        EXPECT(!mqueue_rose(&mqueue, &settings), "told once");
        while (mqueue.len > 1) {
                EXPECT(!mqueue_fell(&mqueue, &settings), "not below two yet");
                mqueue_pop(&mqueue, &delivery);
                delivery_release(&delivery);
        }
        EXPECT(mqueue_fell(&mqueue, &settings), "below two");
        EXPECT(!mqueue_fell(&mqueue, &settings), "told once");
        mqueue_deinit(&mqueue);
}

/* ---- spilled --------------------------------------------------------------------------------- */

enum { LOAD_MAX = 128 };

/* A queue of a shard that has a store, with room in memory for so many letters. */
struct bench {
        struct world   *world;
        struct shard   *shard;
        struct settings settings;
        struct mqueue   mqueue;
        uint64_t        size;           /* of one letter */
        char            lost[64], out[64];
};

static void bench_init(struct bench *b, unsigned in_memory, uint32_t length, enum mqueue_drop drop)
{
        struct delivery   one = letter('A', 1, "t");
        struct world_plan plan;

        memset(b, 0, sizeof *b);
        b->size     = message_size(one.message);
        b->settings = limits(length, drop);
        b->settings.mqueue_max_memory = in_memory * b->size;
        plan = (struct world_plan){ .shards = 1, .settings = &b->settings,
                                    .durability = DURABILITY_STRICT };
        b->world = world_new(&plan);
        EXPECT(b->world != NULL);
        b->shard = b->world->broker.shards[0];
        role_claim(&b->shard->loop);
        mqueue_init(&b->mqueue);
        delivery_release(&one);
}

static void bench_deinit(struct bench *b)
{
        mqueue_deinit(&b->mqueue);
        EXPECT_EQ(b->mqueue.len, 0);
        EXPECT_EQ(b->mqueue.bytes, 0);
        EXPECT_EQ(b->mqueue.memory, 0);
        EXPECT_EQ(b->mqueue.spilled, 0);
        role_leave();
        world_free(b->world);
}

static struct delivery kept(struct bench *b, char name, const char *topic)
{
        struct delivery delivery = letter(name, 1, topic);

        delivery.entry = entry_adopt(b->shard, delivery.message, KEPT_DELIVERY,
                                               (uint64_t)name);
        return delivery;
}

/* Upper case is safe in the store; lower case is on its way there; digits are of QoS 0. */
static void put(struct bench *b, const char *names, const char *topic)
{
        for (; *names != '\0'; names++) {
                struct delivery delivery = *names <= '9' ? letter(*names, 0, topic)
                                                         : kept(b, *names, topic);

                if (delivery.entry != NULL)
                        delivery.entry->kept.posted = *names <= 'Z';
                push(&b->mqueue, &b->settings, delivery, b->lost);
        }
}

static void take(struct bench *b, unsigned max)
{
        struct delivery delivery;

        b->out[0] = '\0';
        while (max-- > 0 && mqueue_pop(&b->mqueue, &delivery)) {
                strncat(b->out, message_payload(delivery.message).ptr, 1);
                delivery_release(&delivery);
        }
}

/* Those that the queue asks for, at most so many. */
static unsigned ask(struct bench *b, unsigned max, char *names)
{
        uint64_t keys[LOAD_MAX];
        unsigned count = mqueue_to_load(&b->mqueue, keys, max);

        for (unsigned i = 0; i < count; i++)
                names[i] = (char)keys[i];
        names[count] = '\0';
        return count;
}

static void bring(struct bench *b, const char *names, const char *topic)
{
        for (; *names != '\0'; names++) {
                struct delivery delivery = kept(b, *names, topic);

                EXPECT(mqueue_wants(&b->mqueue, (uint64_t)*names), "%c", *names);
                EXPECT(mqueue_loaded(&b->mqueue, (uint64_t)*names, &delivery), "%c", *names);
        }
        b->mqueue.loading = false;
}

#define EXPECT_TEXT(actual, expected)                                                              \
        EXPECT(strcmp((actual), (expected)) == 0, "it is '%s', not '%s'", (actual), (expected))

TEST(what_is_too_much_for_memory_leaves_it_and_comes_back_in_order)
{
        struct bench b;
        char         keys[LOAD_MAX + 1];

        bench_init(&b, 2, 0, MQUEUE_DROP_OLDEST);
        put(&b, "ABCDEF", "t");
        EXPECT(mqueue_has_back(&b.mqueue));
        EXPECT_EQ(b.mqueue.memory, 6 * b.size);
        EXPECT(!mqueue_spill(&b.mqueue), "all are safe");
        EXPECT(!mqueue_has_back(&b.mqueue));
        EXPECT_EQ(b.mqueue.spilled, 4);
        EXPECT_EQ(b.mqueue.len, 6);
        EXPECT_EQ(b.mqueue.bytes, 6 * b.size);
        EXPECT_EQ(b.mqueue.memory, 2 * b.size);
        put(&b, "G", "t");
        EXPECT(mqueue_has_back(&b.mqueue), "behind what is spilled, whatever room there is");
        take(&b, 9);
        EXPECT_TEXT(b.out, "AB");

        EXPECT_EQ(ask(&b, 3, keys), 3);
        EXPECT_TEXT(keys, "CDE");
        EXPECT_EQ(ask(&b, 3, keys), 0);
        EXPECT(!mqueue_wants(&b.mqueue, 'D'), "C comes before it");
        mqueue_lost(&b.mqueue, 'Z');
        EXPECT_EQ(b.mqueue.len, 5);
        bring(&b, "CD", "t");
        mqueue_lost(&b.mqueue, 'E');
        EXPECT_EQ(b.mqueue.len, 4);
        EXPECT_EQ(b.mqueue.bytes, 4 * b.size);
        EXPECT_EQ(b.mqueue.memory, 3 * b.size);
        take(&b, 9);
        EXPECT_TEXT(b.out, "CD");
        EXPECT_EQ(ask(&b, 3, keys), 1);
        bring(&b, "F", "t");
        take(&b, 9);
        EXPECT_TEXT(b.out, "FG");
        EXPECT_EQ(ask(&b, 3, keys), 0);
        EXPECT_TEXT(b.lost, "");
        bench_deinit(&b);
}

TEST(nothing_leaves_memory_before_it_and_its_elders_are_safe)
{
        struct bench b;

        bench_init(&b, 1, 0, MQUEUE_DROP_OLDEST);
        put(&b, "ABcDe", "t");
        EXPECT(mqueue_spill(&b.mqueue), "some are to follow");
        EXPECT_EQ(b.mqueue.spilled, 1);
        EXPECT_EQ(b.mqueue.memory, 4 * b.size);
        EXPECT(mqueue_spill(&b.mqueue));
        EXPECT_EQ(b.mqueue.spilled, 1);
        take(&b, 9);
        EXPECT_TEXT(b.out, "A");
        bring(&b, "B", "t");
        take(&b, 9);
        EXPECT_TEXT(b.out, "BcDe");
        bench_deinit(&b);
}

TEST(more_is_loaded_when_little_is_left_in_front)
{
        static const char names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_";       /* 31 */
        struct bench      b;
        char              keys[LOAD_MAX + 1];

        bench_init(&b, 32, 0, MQUEUE_DROP_OLDEST);
        put(&b, "1", "t");
        for (const char *name = names; *name != '\0'; name++) {
                struct delivery delivery = kept(&b, *name, "t");

                push(&b.mqueue, &b.settings, delivery, b.lost);
        }
        for (char name = 'a'; name <= 'c'; name++)
                push(&b.mqueue, &b.settings, kept(&b, name, "t"), b.lost);
        EXPECT(!mqueue_spill(&b.mqueue));
        EXPECT_EQ(b.mqueue.spilled, 3);
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 0);
        take(&b, 1);
        EXPECT_TEXT(b.out, "1");
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 3);
        EXPECT_TEXT(keys, "abc");
        bench_deinit(&b);
}

/* In front AB, spilled CD, then what `more` brings; the queue holds four. */
TEST(a_full_queue_drops_what_is_spilled_by_policy)
{
        static const struct row {
                enum mqueue_drop drop;
                unsigned         taken;         /* of those in front */
                const char      *loaded;        /* brought back after that */
                const char      *more, *lost;
                const char      *front, *rest;  /* what comes out at once, and what is asked for */
        } rows[] = {
                { MQUEUE_DROP_OLDEST, 0, "", "E", "A", "B", "CD" },
                { MQUEUE_DROP_OLDEST, 0, "", "EFG", "ABC", "", "D" },
                { MQUEUE_DROP_OLDEST, 2, "", "EFG", "C", "", "D" },
                { MQUEUE_DROP_OLDEST, 2, "", "EFGHI", "CDE", "FGHI", "" },
                { MQUEUE_DROP_OLDEST, 2, "CD", "EFG", "C", "DEFG", "" },
                { MQUEUE_DROP_OLDEST, 2, "C", "EFGH", "CD", "EFGH", "" },
                { MQUEUE_DROP_NEWEST, 2, "", "EFG", "G", "", "CD" },
                { MQUEUE_DROP_QOS0_FIRST, 2, "", "EFG", "C", "", "D" },
                { MQUEUE_DROP_QOS0_FIRST, 2, "CD", "EFG", "C", "DEFG", "" },
        };
        const struct row *row;

        EACH(rows, row) {
                struct bench b;
                char         keys[LOAD_MAX + 1];
                unsigned     at = (unsigned)(row - rows);

                bench_init(&b, 2, 4, row->drop);
                put(&b, "ABCD", "t");
                EXPECT(!mqueue_spill(&b.mqueue));
                take(&b, row->taken);
                if (row->loaded[0] != '\0') {
                        EXPECT_EQ(ask(&b, (unsigned)strlen(row->loaded), keys),
                                  strlen(row->loaded));
                        bring(&b, row->loaded, "t");
                }
                put(&b, row->more, "t");
                EXPECT_EQ(b.mqueue.len, 4);
                EXPECT_EQ(b.mqueue.bytes, 4 * b.size);
                EXPECT_EQ(b.mqueue.dropped, strlen(row->lost));
                EXPECT(strcmp(b.lost, row->lost) == 0, "row %u lost '%s'", at, b.lost);
                take(&b, 9);
                EXPECT(strcmp(b.out, row->front) == 0, "row %u gave '%s'", at, b.out);
                ask(&b, LOAD_MAX, keys);
                EXPECT(strcmp(keys, row->rest) == 0, "row %u asks for '%s'", at, keys);
                bench_deinit(&b);
        }
}

/* What comes back is older than what has waited in memory behind it. */
TEST(what_was_brought_back_is_the_oldest_still)
{
        struct bench b;

        bench_init(&b, 2, 4, MQUEUE_DROP_OLDEST);
        put(&b, "ABCD", "t");
        EXPECT(!mqueue_spill(&b.mqueue));
        take(&b, 2);
        put(&b, "EF", "t");
        bring(&b, "CD", "t");
        put(&b, "G", "t");
        EXPECT_TEXT(b.lost, "C");
        put(&b, "HI", "t");
        EXPECT_TEXT(b.lost, "CDE");
        take(&b, 9);
        EXPECT_TEXT(b.out, "FGHI");
        bench_deinit(&b);
}

/* Dropped while it was on its way back: the delivery stays the caller's. */
TEST(what_was_dropped_meanwhile_is_not_taken_back)
{
        struct delivery delivery;
        struct bench    b;
        char            keys[LOAD_MAX + 1];

        bench_init(&b, 1, 3, MQUEUE_DROP_OLDEST);
        put(&b, "ABC", "t");
        mqueue_spill(&b.mqueue);
        take(&b, 1);
        EXPECT_EQ(ask(&b, 1, keys), 1);
        put(&b, "DE", "t");
        EXPECT_TEXT(b.lost, "B");
        EXPECT(!mqueue_wants(&b.mqueue, 'B'));
        delivery = kept(&b, 'B', "t");
        EXPECT(!mqueue_loaded(&b.mqueue, 'B', &delivery));
        EXPECT(delivery.message != NULL, "it is the caller's");
        delivery_release(&delivery);
        bench_deinit(&b);
}

/* QoS 0 has no record: it cannot wait behind what is spilled. */
TEST(qos0_behind_what_is_spilled_is_lost)
{
        struct delivery delivery;
        struct bench    b;

        bench_init(&b, 2, 0, MQUEUE_DROP_OLDEST);
        put(&b, "A1B2", "t");
        EXPECT_TEXT(b.lost, "2");               /* B is behind already, on its way out */
        EXPECT(!mqueue_spill(&b.mqueue));
        EXPECT_EQ(b.mqueue.spilled, 1);
        put(&b, "3", "t");
        EXPECT_TEXT(b.lost, "23");
        EXPECT_EQ(b.mqueue.dropped, 2);
        put(&b, "4", "other");
        EXPECT_TEXT(b.lost, "234");             /* the same class */
        EXPECT(mqueue_pop_qos0(&b.mqueue, &delivery), "the one in front goes by itself");
        EXPECT_EQ(message_payload(delivery.message).ptr[0], '1');
        delivery_release(&delivery);
        EXPECT(!mqueue_pop_qos0(&b.mqueue, &delivery));
        bring(&b, "B", "t");
        put(&b, "5", "t");
        take(&b, 9);
        EXPECT_TEXT(b.out, "AB5");
        bench_deinit(&b);
}

TEST(a_spilled_class_goes_before_a_lower_one_in_memory)
{
        struct bench b;
        char         keys[LOAD_MAX + 1];

        bench_init(&b, 2, 6, MQUEUE_DROP_OLDEST);
        snprintf(b.settings.mqueue_priorities, sizeof b.settings.mqueue_priorities, "h=7");
        put(&b, "A", "t");
        put(&b, "B", "h");
        put(&b, "CD", "h");
        put(&b, "E", "t");
        EXPECT(!mqueue_spill(&b.mqueue));
        EXPECT_EQ(b.mqueue.spilled, 3);
        take(&b, 9);
        EXPECT_TEXT(b.out, "B");                /* A waits for C and D, which are spilled */
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 2);
        EXPECT_TEXT(keys, "CD");
        bring(&b, "C", "h");

        /* The oldest of all goes, then the oldest that is left, in memory or not. */
        put(&b, "FGHI", "t");
        EXPECT_TEXT(b.lost, "AC");
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 1);
        EXPECT_TEXT(keys, "D");
        bring(&b, "D", "h");
        take(&b, 9);
        EXPECT_TEXT(b.out, "D");
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 1);
        EXPECT_TEXT(keys, "E");
        bring(&b, "E", "t");
        take(&b, 9);
        EXPECT_TEXT(b.out, "EFGHI");
        bench_deinit(&b);
}

TEST(a_restart_leaves_all_spilled)
{
        struct mqueue_spilled spilled = { .key = 'A', .qos = 1 };
        struct mqueue_spilled other   = { .key = 'B', .size = 100, .qos = 1 };
        struct bench          b;
        char                  keys[LOAD_MAX + 1];

        bench_init(&b, 1, 0, MQUEUE_DROP_OLDEST);
        spilled.size = (uint32_t)b.size;
        EXPECT(mqueue_restore(&b.mqueue, &other, 3));
        EXPECT(mqueue_restore(&b.mqueue, &spilled, 9));
        EXPECT_EQ(b.mqueue.len, 2);
        EXPECT_EQ(b.mqueue.bytes, b.size + 100);
        EXPECT_EQ(b.mqueue.memory, 0);
        EXPECT_EQ(ask(&b, LOAD_MAX, keys), 1);
        EXPECT_TEXT(keys, "A");
        mem_fail_after(0);
        EXPECT(!mqueue_restore(&b.mqueue, &other, 5), "no memory for its class");
        mem_fail_after(-1);
        EXPECT_EQ(b.mqueue.len, 2);
        bring(&b, "A", "t");
        take(&b, 9);
        EXPECT_TEXT(b.out, "A");
        EXPECT(mqueue_pop_spilled(&b.mqueue, &other));
        EXPECT_EQ(other.key, 'B');
        EXPECT(!mqueue_pop_spilled(&b.mqueue, &other));
        bench_deinit(&b);
}

TEST(of_spilled_classes_the_one_with_the_oldest_gives_way)
{
        struct mqueue_spilled old = { .key = 'A', .qos = 1 }, young = { .key = 'B', .qos = 1 };
        struct bench          b;

        bench_init(&b, 1, 2, MQUEUE_DROP_OLDEST);
        EXPECT(mqueue_restore(&b.mqueue, &young, 3) && mqueue_restore(&b.mqueue, &old, 0));
        put(&b, "C", "t");
        EXPECT_TEXT(b.lost, "A");
        put(&b, "D", "t");
        EXPECT_TEXT(b.lost, "AB");
        bench_deinit(&b);
}

SUITE(mqueue, CASE(a_full_queue_drops_by_policy), CASE(bytes_bound_it_too),
      CASE(higher_priorities_leave_first), CASE(watermarks_are_told_once),
      CASE(what_is_too_much_for_memory_leaves_it_and_comes_back_in_order),
      CASE(nothing_leaves_memory_before_it_and_its_elders_are_safe),
      CASE(more_is_loaded_when_little_is_left_in_front),
      CASE(a_full_queue_drops_what_is_spilled_by_policy),
      CASE(what_was_brought_back_is_the_oldest_still),
      CASE(what_was_dropped_meanwhile_is_not_taken_back),
      CASE(qos0_behind_what_is_spilled_is_lost),
      CASE(a_spilled_class_goes_before_a_lower_one_in_memory),
      CASE(a_restart_leaves_all_spilled),
      CASE(of_spilled_classes_the_one_with_the_oldest_gives_way))
