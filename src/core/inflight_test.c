#include "core/inflight.h"

#include "base/memory.h"
#include "unit.h"

static struct delivery some(uint8_t qos)
{
        struct message_fields fields = { .topic = STR("t"), .payload = STR("p"), .qos = qos };

        return (struct delivery){ .message = message_new(&fields), .qos = qos };
}

static uint16_t add(struct inflight *inflight)
{
        struct delivery        delivery = some(1);
        struct inflight_entry *entry    = inflight_add(inflight, &delivery);

        EXPECT(delivery.message == NULL, "the delivery was taken");
        return entry->packet_id;
}

TEST(ids_ascend_and_order_is_kept)
{
        struct inflight inflight = { .count = 0 };
        uint16_t        next     = 1;

        for (unsigned i = 0; i < 100; i++)
                EXPECT_EQ(add(&inflight), i + 1);
        inflight_remove(&inflight, inflight_find(&inflight, 50));
        for (struct inflight_entry *e = inflight_first(&inflight); e != NULL;
             e = inflight_next(&inflight, e)) {
                if (next == 50)
                        next++;
                EXPECT_EQ(e->packet_id, next);
                next++;
        }
        EXPECT_EQ(next, 101);
        EXPECT(inflight_find(&inflight, 50) == NULL, "what was removed is not found");
        EXPECT(inflight_find(&inflight, 0) == NULL, "0 is no packet id [MQTT-2.2.1-4]");
        inflight_deinit(&inflight);
        EXPECT(inflight.slots == NULL, "an empty window holds no memory");
}

/* The 65,536th packet id: 0 is skipped, and an id that is still in flight is never given again. */
TEST(ids_wrap_around_one_that_stays)
{
        struct inflight inflight = { .count = 0 };
        uint16_t        stays    = add(&inflight);

        for (unsigned i = 0; i < 70000; i++) {
                uint16_t id = add(&inflight);

                EXPECT(id != 0 && id != stays, "id %u is in use", id);
                inflight_remove(&inflight, inflight_find(&inflight, id));
        }
        EXPECT_EQ(inflight.count, 1);
        inflight_deinit(&inflight);
}

TEST(all_ids_can_be_in_flight)
{
        struct inflight inflight = { .count = 0 };
        struct delivery delivery;

        for (unsigned i = 0; i < UINT16_MAX; i++)
                EXPECT(add(&inflight) != 0, "id %u", i);
        delivery = some(1);
        EXPECT(inflight_add(&inflight, &delivery) == NULL, "there is no 65,536th");
        EXPECT(delivery.message != NULL, "what was refused stays the caller's");
        delivery_release(&delivery);
        inflight_deinit(&inflight);
}

static bool restore(struct inflight *inflight, uint16_t id)
{
        struct delivery        delivery = some(1);
        struct inflight_entry *entry    = inflight_restore(inflight, &delivery, id);

        EXPECT((entry == NULL) == (delivery.message != NULL), "taken, or the caller's still");
        delivery_release(&delivery);
        return entry != NULL && entry->packet_id == id;
}

/* Ids from before a restart: in any order, and such as share a slot in a small ring. */
TEST(restored_ids_are_kept_and_not_given_again)
{
        static const uint16_t ids[] = { 9, 1, 65535, 17, 8, 4096, 2 };
        struct inflight       inflight = { .count = 0 };
        struct inflight_entry *entry;
        const uint16_t        *id;

        EACH(ids, id)
                EXPECT(restore(&inflight, *id), "%u", *id);
        entry = inflight_first(&inflight);
        EACH(ids, id) {
                EXPECT(inflight_find(&inflight, *id) == entry, "%u in its order", *id);
                entry = inflight_next(&inflight, entry);
        }
        EXPECT(entry == NULL);
        for (unsigned i = 0; i < 70000; i++) {
                uint16_t given = add(&inflight);

                EACH(ids, id)
                        EXPECT(given != *id, "%u is in use", *id);
                inflight_remove(&inflight, inflight_find(&inflight, given));
        }
        EXPECT_EQ(inflight.count, sizeof ids / sizeof ids[0]);
        inflight_deinit(&inflight);
}

TEST(without_memory_a_restored_one_stays_the_callers)
{
        struct inflight inflight = { .count = 0 };

        mem_fail_after(2);              /* the message and the first slots */
        EXPECT(restore(&inflight, 1));
        mem_fail_after(1);
        EXPECT(!restore(&inflight, 9), "1 has its slot, and there is no memory for more");
        mem_fail_after(-1);
        EXPECT(restore(&inflight, 9));
        EXPECT_EQ(inflight.count, 2);
        inflight_deinit(&inflight);
}

SUITE(inflight, CASE(ids_ascend_and_order_is_kept), CASE(ids_wrap_around_one_that_stays),
      CASE(all_ids_can_be_in_flight), CASE(restored_ids_are_kept_and_not_given_again),
      CASE(without_memory_a_restored_one_stays_the_callers))
