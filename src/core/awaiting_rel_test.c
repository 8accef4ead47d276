#include "core/awaiting_rel.h"

#include "unit.h"

TEST(ids_are_found_until_released)
{
        struct awaiting_rel awaiting = { .count = 0 };

        for (unsigned id = 1; id <= 1000; id++)
                EXPECT(awaiting_rel_add(&awaiting, (uint16_t)(id * 7919 % 65535 + 1), id), "%u",
                       id);
        EXPECT_EQ(awaiting.count, 1000);
        for (unsigned id = 1; id <= 1000; id++) {
                uint16_t packet_id = (uint16_t)(id * 7919 % 65535 + 1);

                EXPECT(awaiting_rel_has(&awaiting, packet_id), "%u is there", packet_id);
                EXPECT(awaiting_rel_remove(&awaiting, packet_id, NULL), "%u goes", packet_id);
                EXPECT(!awaiting_rel_remove(&awaiting, packet_id, NULL), "%u goes once", packet_id);
        }
        EXPECT(awaiting.ids == NULL, "an empty set holds no memory");
}

TEST(old_ones_are_forgotten)
{
        struct awaiting_rel awaiting = { .count = 0 };
        uint64_t            key      = 0;

        awaiting_rel_add(&awaiting, 3, 100);
        awaiting_rel_add(&awaiting, 1, 200);
        awaiting_rel_add(&awaiting, 2, 300);
        awaiting_rel_set_key(&awaiting, 3, 77);
        EXPECT(awaiting_rel_expire(&awaiting, 200, &key), "one is too old");
        EXPECT_EQ(key, 77);
        EXPECT(!awaiting_rel_expire(&awaiting, 200, &key), "only one is");
        EXPECT(!awaiting_rel_has(&awaiting, 3), "older than the limit");
        EXPECT(awaiting_rel_has(&awaiting, 1) && awaiting_rel_has(&awaiting, 2), "the others stay");
        awaiting_rel_deinit(&awaiting);
}

SUITE(awaiting_rel, CASE(ids_are_found_until_released), CASE(old_ones_are_forgotten))
