#include "core/mqueue.h"

#include <stdio.h>
#include <string.h>

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
                strncat(lost_names, message_payload(lost.message).ptr, 1);
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

SUITE(mqueue, CASE(a_full_queue_drops_by_policy), CASE(bytes_bound_it_too),
      CASE(higher_priorities_leave_first), CASE(watermarks_are_told_once))
