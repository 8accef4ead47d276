#include "streams.h"

#include "base/memory.h"

static struct stream *slot_of(const struct streams *streams, uint64_t key)
{
        uint64_t hash = key * 0x9e3779b97f4a7c15ull;
        uint32_t mask = streams->size - 1;
        uint32_t at   = (uint32_t)(hash >> 32) & mask;

        while (streams->slots[at].used && streams->slots[at].key != key)
                at = (at + 1) & mask;
        return &streams->slots[at];
}

static bool grow(struct streams *streams)
{
        struct streams more = { .size = streams->size > 0 ? 2 * streams->size : 8 };

        if (more.size > STREAMS_MAX ||
            (more.slots = mem_zalloc(more.size * sizeof(*more.slots))) == NULL)
                return false;
        for (uint32_t i = 0; i < streams->size; i++) {
                if (streams->slots[i].used)
                        *slot_of(&more, streams->slots[i].key) = streams->slots[i];
        }
        more.count = streams->count;
        mem_free(streams->slots);
        *streams = more;
        return true;
}

struct sequence *streams_find(struct streams *streams, uint64_t key, uint32_t number)
{
        struct stream *slot;

        if (2 * streams->count >= streams->size && !grow(streams))
                return NULL;
        slot = slot_of(streams, key);
        if (!slot->used) {
                streams->count++;
                slot->used = true;
                slot->key  = key;
                sequence_begin(&slot->sequence, number);
        }
        return &slot->sequence;
}

void streams_deinit(struct streams *streams)
{
        mem_free(streams->slots);
        *streams = (struct streams){ 0 };
}
