/* What the broker says of itself. */
#include "sim.h"

uint64_t check_dropped(const struct sim *sim)
{
        const struct broker *broker = &sim->world->broker;
        uint64_t             sum    = sim->dropped;

        for (unsigned i = 0; i < broker->shard_count; i++)
                sum += stat_read(&broker->shards[i]->metrics.messages_dropped_queue);
        return sum;
}

static bool check_zero(struct sim *sim, const char *name, size_t offset)
{
        const struct broker *broker = &sim->world->broker;
        uint64_t             sum    = 0;

        for (unsigned i = 0; i < broker->shard_count; i++) {
                const char *stats = (const char *)&broker->shards[i]->stats;

                sum += stat_read((const _Atomic uint64_t *)(const void *)(stats + offset));
        }
        return sum == 0 ||
               sim_fail(sim, "everybody has gone, but there are %lld %s", (long long)sum, name);
}

/* Nothing is left of those who have gone but what they had retained. */
bool check_gauges(struct sim *sim)
{
        uint32_t routes = router_count(sim->world->broker.router);

        return check_zero(sim, "clients", offsetof(struct stats, clients)) &&
               check_zero(sim, "sessions", offsetof(struct stats, sessions)) &&
               check_zero(sim, "subscriptions", offsetof(struct stats, subscriptions)) &&
               check_zero(sim, "shared subscriptions",
                          offsetof(struct stats, shared_subscriptions)) &&
               check_zero(sim, "queued messages", offsetof(struct stats, queued)) &&
               (routes == 0 ||
                sim_fail(sim, "everybody has gone, but there are %u routes", routes));
}
