#include "core/shared.h"

static bool is_online(const struct member *member)
{
        return atomic_load_explicit(&member->online, memory_order_relaxed);
}

/* Told by its client's hash: its place changes when others leave. */
static uint32_t place_of_sticky(const struct group *group)
{
        uint32_t chosen = atomic_load_explicit(group->turn, memory_order_relaxed);

        for (uint32_t i = 0; i < group->count; i++)
                if ((uint32_t)group->members[i]->client_hash == chosen)
                        return i;
        return 0;
}

/* Where the strategy begins to look. */
static uint32_t start_of(struct shard *shard, const struct group *group,
                         const struct message *message)
{
        switch (shard->settings->shared_strategy) {
        case SHARED_ROUND_ROBIN:
                return atomic_fetch_add_explicit(group->turn, 1, memory_order_relaxed);
        case SHARED_STICKY:
                return place_of_sticky(group);
        case SHARED_HASH_CLIENTID:
                return (uint32_t)hash_u64(message->from);
        case SHARED_HASH_TOPIC:
                return (uint32_t)hash_str(&shard->broker->key, message_topic(message));
        case SHARED_LOCAL:
        case SHARED_RANDOM:
                break;
        }
        return random_below(&shard->random, group->count);
}

struct member *shared_pick(struct shard *shard, const struct group *group,
                           const struct message *message, const struct member *except)
{
        bool           local  = shard->settings->shared_strategy == SHARED_LOCAL;
        uint32_t       start  = start_of(shard, group, message);
        struct member *second = NULL;   /* connected; not of this shard where that is better */
        struct member *third  = NULL;   /* away */

        for (uint32_t i = 0; i < group->count; i++) {
                struct member *member = group->members[(start + i) % group->count];

                if (member == except)
                        continue;
                if (is_online(member) && (!local || member->shard == shard->loop.config.id)) {
                        if (shard->settings->shared_strategy == SHARED_STICKY)
                                atomic_store_explicit(group->turn, (uint32_t)member->client_hash,
                                                      memory_order_relaxed);
                        return member;
                }
                if (is_online(member)) {
                        if (second == NULL)
                                second = member;
                } else if (third == NULL) {
                        third = member;
                }
        }
        return second != NULL ? second : third;
}
