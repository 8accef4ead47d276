#include "core/shared.h"

static bool is_online(const struct member *member)
{
        return atomic_load_explicit(&member->online, memory_order_relaxed);
}

/* Where the strategy begins to look. */
static uint32_t start_of(struct shard *shard, const struct group *group,
                         const struct message *message)
{
        switch (shard->settings->shared_strategy) {
        case SHARED_ROUND_ROBIN:
                return atomic_fetch_add_explicit(group->turn, 1, memory_order_relaxed);
        case SHARED_STICKY:
                return atomic_load_explicit(group->turn, memory_order_relaxed);
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
                uint32_t       at     = (start + i) % group->count;
                struct member *member = group->members[at];

                if (member == except)
                        continue;
                if (is_online(member) && (!local || member->shard == shard->loop.config.id)) {
                        if (shard->settings->shared_strategy == SHARED_STICKY)
                                atomic_store_explicit(group->turn, at, memory_order_relaxed);
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
