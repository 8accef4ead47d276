#include "core/awaiting_rel.h"

#include <string.h>

#include "base/memory.h"

struct awaiting_id {
        uint64_t since_ms;
        uint64_t key;
        uint16_t packet_id;
};

/* Where the id is, or where it belongs. */
static uint32_t place_of(const struct awaiting_rel *awaiting, uint16_t packet_id)
{
        uint32_t low = 0, high = awaiting->count;

        while (low < high) {
                uint32_t middle = (low + high) / 2;

                if (awaiting->ids[middle].packet_id < packet_id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void awaiting_rel_deinit(struct awaiting_rel *awaiting)
{
        mem_free(awaiting->ids);
        *awaiting = (struct awaiting_rel){ .ids = NULL };
}

bool awaiting_rel_has(const struct awaiting_rel *awaiting, uint16_t packet_id)
{
        uint32_t place = place_of(awaiting, packet_id);

        return place < awaiting->count && awaiting->ids[place].packet_id == packet_id;
}

bool awaiting_rel_add(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t now_ms)
{
        uint32_t place = place_of(awaiting, packet_id);

        if (awaiting->count == awaiting->size) {
                uint32_t            size = awaiting->size != 0 ? awaiting->size * 2 : 4;
                struct awaiting_id *ids  = mem_realloc_array(awaiting->ids, size, sizeof *ids);

                if (ids == NULL)
                        return false;
                awaiting->ids  = ids;
                awaiting->size = size;
        }
        memmove(&awaiting->ids[place + 1], &awaiting->ids[place],
                (awaiting->count - place) * sizeof awaiting->ids[0]);
        awaiting->ids[place] = (struct awaiting_id){ .since_ms = now_ms, .packet_id = packet_id };
        awaiting->count++;
        return true;
}

uint64_t awaiting_rel_key(const struct awaiting_rel *awaiting, uint16_t packet_id)
{
        uint32_t place = place_of(awaiting, packet_id);

        return place < awaiting->count && awaiting->ids[place].packet_id == packet_id
                       ? awaiting->ids[place].key
                       : 0;
}

void awaiting_rel_set_key(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t key)
{
        uint32_t place = place_of(awaiting, packet_id);

        if (place < awaiting->count && awaiting->ids[place].packet_id == packet_id)
                awaiting->ids[place].key = key;
}

static uint64_t take_at(struct awaiting_rel *awaiting, uint32_t place)
{
        uint64_t key = awaiting->ids[place].key;

        awaiting->count--;
        memmove(&awaiting->ids[place], &awaiting->ids[place + 1],
                (awaiting->count - place) * sizeof awaiting->ids[0]);
        if (awaiting->count == 0)
                awaiting_rel_deinit(awaiting);
        return key;
}

bool awaiting_rel_remove(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t *key)
{
        uint32_t place = place_of(awaiting, packet_id);
        uint64_t taken;

        if (place == awaiting->count || awaiting->ids[place].packet_id != packet_id)
                return false;
        taken = take_at(awaiting, place);
        if (key != NULL)
                *key = taken;
        return true;
}

bool awaiting_rel_pop(struct awaiting_rel *awaiting, uint64_t *key)
{
        if (awaiting->count == 0)
                return false;
        *key = take_at(awaiting, awaiting->count - 1);
        return true;
}

bool awaiting_rel_expire(struct awaiting_rel *awaiting, uint64_t before_ms, uint64_t *key)
{
        for (uint32_t i = 0; i < awaiting->count; i++) {
                if (awaiting->ids[i].since_ms >= before_ms)
                        continue;
                *key = take_at(awaiting, i);
                return true;
        }
        return false;
}
