#include "core/shard.h"

#include <assert.h>

#include "base/memory.h"
#include "core/due.h"
#include "core/pending.h"
#include "core/pubsub.h"
#include "core/replay.h"
#include "core/review.h"
#include "core/session.h"

enum { SWEEP_EVERY_MS = 1000, SWEEP_TOPICS = 256 };

/* Removes expired retained messages, a few at a time, so that counts and memory follow. */
static void on_sweep(struct loop *loop, struct timer *timer)
{
        struct shard *shard = shard_of(loop);

        on_shard(loop);
        if (retainer_sweep(shard->retainer, loop->now.wall_us, SWEEP_TOPICS) > 0) {
                stat_set(&shard->stats.retained, retainer_count(shard->retainer));
                stat_set(&shard->stats.retained_bytes, retainer_bytes(shard->retainer));
        }
        loop_timer(loop, timer, SWEEP_EVERY_MS);
}

static struct str session_key(const void *value)
{
        return ((const struct session *)value)->client_id;
}

bool shard_init(struct shard *shard, struct broker *broker, const struct loop_config *config,
                const struct settings *settings, uint64_t seed)
{
        *shard          = (struct shard){ .broker = broker };
        shard->settings = settings;
        shard->retainer = retainer_new(broker->key);
        shard->memo     = route_memo_new();
        if (shard->retainer == NULL || shard->memo == NULL) {
                retainer_free(shard->retainer);
                route_memo_free(shard->memo);
                return false;
        }
        loop_init(&shard->loop, config);
        random_init(&shard->random, seed);
        guid_source_init(&shard->guids, str_of(broker->node_name), config->id);
        map_init(&shard->sessions, session_key, broker->key);
        slab_init(&shard->session_slab, "session", sizeof(struct session), 0);
        role_claim(&shard->loop);
        replay_init(shard);
        role_leave();
        list_init(&shard->pendings);
        list_init(&shard->dues);
        review_init(shard);
        shard->access_epoch = 1;        /* 0: of what a restart has brought back */
        journal_init(&shard->journal, shard);
        shard->sweep.fire          = on_sweep;
        broker->shards[config->id] = shard;
        broker->loops[config->id]  = &shard->loop;
        return true;
}

void shard_start(struct shard *shard)
{
        loop_timer(&shard->loop, &shard->sweep, SWEEP_EVERY_MS);
}

void shard_deinit(struct shard *shard)
{
        struct session *session;
        size_t          at = 0;

        role_claim(&shard->loop);
        journal_close(shard);
        pending_clear(shard);
        due_clear(shard);
        while ((session = map_next(&shard->sessions, &at)) != NULL) {
                session_free(session);
                at--;           /* another may have moved to its place */
        }
        map_deinit(&shard->sessions);
        slab_deinit(&shard->session_slab);
        loop_timer_cancel(&shard->loop, &shard->sweep);
        replay_teardown(shard);
        review_deinit(shard);
        retainer_free(shard->retainer);
        journal_drop_receipts(&shard->journal);
        role_leave();
        loop_deinit(&shard->loop);
        journal_deinit(&shard->journal);
        route_memo_free(shard->memo);
        mem_free(shard->matches.routes);
        mem_free(shard->gathered);
}

bool broker_init(struct broker *broker, unsigned shard_count, const char *node_name, uint64_t seed)
{
        struct random random;
        struct str    name = str_of(node_name);

        assert(shard_count >= 1 && shard_count <= SHARDS_MAX);
        *broker             = (struct broker){ .shard_count = shard_count };
        random_init(&random, seed);
        broker->key.k0 = random_u64(&random);
        broker->key.k1 = random_u64(&random);
        if (name.len >= sizeof broker->node_name)
                name.len = sizeof broker->node_name - 1;
        memcpy(broker->node_name, name.ptr, name.len);
        broker->router = router_new(shard_count, broker->key);
        broker->hooks  = hooks_new();
        broker->access = access_new();
        if (broker->router != NULL && broker->hooks != NULL && broker->access != NULL &&
            retain_hook(broker->hooks))
                return true;
        broker_deinit(broker);
        return false;
}

void broker_deinit(struct broker *broker)
{
        router_free(broker->router);
        hooks_free(broker->hooks);
        access_free(broker->access);
}
