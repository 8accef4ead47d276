#include "services/store/store.h"

#include <assert.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/store/store_internal.h"

enum { RETRY_MS = 500, GROWS_MAX = 40 };
enum { FULL_MS = 2000 };        /* without a batch that did not fit: nobody has one any more */

#define STORE_ALARM "store_failing"

struct batch_mail {
        struct mail    mail;
        struct parcel *parcel;          /* owned */
        uint64_t       number;
        uint32_t       shard;
        bool           relief;
};

struct load_mail {
        struct mail       mail;
        struct store_load load;
};

static struct store *store_of(struct loop *loop)
{
        return list_entry(loop, struct store, loop);
}

/* ---- what the shards say --------------------------------------------------------------------- */

static void batch_deliver(struct loop *loop, struct mail *mail)
{
        struct batch_mail *batch = (struct batch_mail *)(void *)mail;
        struct store      *store = store_of(loop);
        struct taken      *taken = &store->taken[batch->shard];

        on_shard(loop);
        assert(taken->parcel == NULL && !taken->written && !taken->refused);
        *taken = (struct taken){ .parcel = TAKE(batch->parcel),
                                 .number = batch->number,
                                 .relief = batch->relief };
        taken->bytes = taken->parcel->len;
        atomic_fetch_add_explicit(&store->port.stats.unsynced_bytes, taken->bytes,
                                  memory_order_relaxed);
        if (!store->stuck)
                loop_at_turn_end(loop, &store->commit);
}

static void batch_drop(struct mail *mail)
{
        parcel_drop(((struct batch_mail *)(void *)mail)->parcel);
}

static const struct mail_ops batch_ops = { "store batch", batch_deliver, batch_drop };

/* Without memory for this small mail nothing would ever be safe again: it is tried until there is
 * some, which the shard notices as a long turn. */
static void store_post(struct store_port *port, unsigned shard, uint64_t number,
                       struct parcel *batch, bool relief)
{
        struct store      *store  = list_entry(port, struct store, port);
        struct parcel     *parcel = NULL;
        struct batch_mail *mail;

        do
                mail = (struct batch_mail *)(void *)parcel_append(&parcel, &batch_ops, sizeof *mail,
                                                                  shard);
        while (mail == NULL);
        mail->parcel = batch;
        mail->number = number;
        mail->shard  = shard;
        mail->relief = relief;
        loop_post(&store->loop, parcel);
}

static void load_deliver(struct loop *loop, struct mail *mail)
{
        on_shard(loop);
        store_load_now(store_of(loop), &((struct load_mail *)(void *)mail)->load);
}

static const struct mail_ops load_ops = { "store load", load_deliver, NULL };

static bool store_load(struct store_port *port, const struct store_load *load)
{
        struct store     *store  = list_entry(port, struct store, port);
        struct parcel    *parcel = NULL;
        struct load_mail *mail   = (struct load_mail *)(void *)parcel_append(
                &parcel, &load_ops, sizeof *mail, load->shard);

        if (mail == NULL)
                return false;
        mail->load = *load;
        loop_post(&store->loop, parcel);
        return true;
}

static const struct store_port_ops port_ops = { .post = store_post, .load = store_load };

/* ---- the commit ------------------------------------------------------------------------------ */

static enum engine_result apply_batch(struct store *store, struct taken *taken, uint64_t *count)
{
        uint32_t     at = 0;
        struct mail *mail;

        while ((mail = parcel_next(taken->parcel, &at)) != NULL) {
                const struct store_change *change = (const struct store_change *)(void *)mail;
                enum engine_result         result = store_apply(store, change);

                if (result != ENGINE_OK)
                        return result;
                if (change->key > store->newest_key)
                        store->newest_key = change->key;
                ++*count;
        }
        return ENGINE_OK;
}

static enum engine_result put_marks(struct store *store)
{
        char          key[ENGINE_RECORD_KEY];
        struct record record = { .kind = RECORD_MARKS };

        if (!store->new_marks &&
            memcmp(&store->marks, &store->next_marks, sizeof store->marks) == 0)
                return ENGINE_OK;
        record.marks = store->next_marks;
        buffer_consume(&store->scratch, buffer_len(&store->scratch));
        if (!record_encode(&store->scratch, &record))
                return ENGINE_FAILED;
        engine_record_key(RECORD_KEY_MARKS, key);
        return store->engine->ops->put(store->engine, ENGINE_RECORDS, str_from(key, sizeof key),
                                       buffer_str(&store->scratch));
}

/* All that was taken of one sort, in one transaction. */
static enum engine_result write_taken(struct store *store, bool relief, uint64_t *count)
{
        struct engine     *engine = store->engine;
        enum engine_result result = engine->ops->begin(engine);

        if (result != ENGINE_OK)
                return result;
        *count            = 0;
        store->next_marks = store->marks;
        store->last_body  = (struct guid){ 0 };
        for (unsigned i = 0; i < store->broker->shard_count && result == ENGINE_OK; i++)
                if (store->taken[i].parcel != NULL && store->taken[i].relief == relief)
                        result = apply_batch(store, &store->taken[i], count);
        if (result == ENGINE_OK && !relief)
                result = put_marks(store);
        if (result != ENGINE_OK) {
                engine->ops->abort(engine);
                return result;
        }
        result = engine->ops->commit(engine);
        if (result == ENGINE_OK) {
                store->marks     = store->next_marks;
                store->new_marks = false;
        }
        return result;
}

static enum engine_result write_growing(struct store *store, bool relief, uint64_t *count)
{
        enum engine_result result = write_taken(store, relief, count);

        for (unsigned i = 0; result == ENGINE_GROW && i < GROWS_MAX; i++) {
                result = store->engine->ops->grow(store->engine);
                if (result == ENGINE_OK)
                        result = write_taken(store, relief, count);
        }
        return result;
}

/* Shards that cannot be told for want of memory are told at the next retry. */
ON_SHARD static void tell_all(struct store *store)
{
        bool all = true;

        for (unsigned i = 0; i < store->broker->shard_count; i++) {
                struct taken *taken = &store->taken[i];
                struct shard *shard = store->broker->shards[i];

                if (!taken->written && !taken->refused)
                        continue;
                if (taken->written ? journal_tell_safe(shard, taken->number, store->newest_key)
                                   : journal_tell_full(shard, taken->number))
                        *taken = (struct taken){ .parcel = NULL };
                else
                        all = false;
        }
        if (!all)
                loop_timer(&store->loop, &store->retry, RETRY_MS);
}

ON_SHARD static void change_state(struct store *store, bool failing)
{
        if (store->failing == failing)
                return;
        store->failing = failing;
        atomic_store_explicit(&store->port.stats.failing, failing, memory_order_relaxed);
        if (failing)
                LOG(ERROR, "store.failing", F_TEXT("reason", store->engine->why),
                    F_TEXT("hint", "what must be kept is refused until it can be written"));
        else
                LOG(INFO, "store.recovered");
        for (unsigned i = 0; i < store->broker->shard_count; i++)
                if (!journal_tell_failing(store->broker->shards[i], failing)) {
                        store->failing = !failing;      /* said again at the next retry */
                        loop_timer(&store->loop, &store->retry, RETRY_MS);
                }
}

static uint64_t now_us(const struct store *store)
{
        const struct loop_config *config = &store->loop.config;

        return config->clock != NULL ? config->clock(config->clock_context).wall_us
                                     : clock_read().wall_us;
}

static void count_commit(struct store *store, uint64_t count, uint64_t began_us)
{
        struct store_stats *stats = &store->port.stats;
        uint64_t            now   = now_us(store);
        uint64_t            us    = now > began_us ? now - began_us : 0;

        atomic_fetch_add_explicit(&stats->commits, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&stats->records, count, memory_order_relaxed);
        atomic_fetch_add_explicit(&stats->commit_us, us, memory_order_relaxed);
        atomic_store_explicit(&stats->commit_us_last, us, memory_order_relaxed);
        atomic_store_explicit(&stats->disk_bytes, store->engine->ops->bytes(store->engine),
                              memory_order_relaxed);
}

static bool has_taken(const struct store *store, bool relief)
{
        for (unsigned i = 0; i < store->broker->shard_count; i++)
                if (store->taken[i].parcel != NULL && store->taken[i].relief == relief)
                        return true;
        return false;
}

/* They are written, or did not fit. */
static void let_go(struct store *store, bool relief, bool written)
{
        for (unsigned i = 0; i < store->broker->shard_count; i++) {
                struct taken *taken = &store->taken[i];

                if (taken->parcel == NULL || taken->relief != relief)
                        continue;
                atomic_fetch_sub_explicit(&store->port.stats.unsynced_bytes, taken->bytes,
                                          memory_order_relaxed);
                parcel_drop(TAKE(taken->parcel));
                taken->written = written;
                taken->refused = !written;
        }
}

/* What does not fit goes back to its shards, which send what makes room. What cannot be written
 * for another reason stays here and is tried again. */
ON_SHARD static void commit(struct store *store, bool relief)
{
        uint64_t           began_us = now_us(store), count = 0;
        enum engine_result result;

        if (store->stuck || !has_taken(store, relief))
                return;
        result = write_growing(store, relief, &count);
        if (result == ENGINE_OK)
                count_commit(store, count, began_us);
        if (result == ENGINE_OK || result == ENGINE_FULL)
                let_go(store, relief, result == ENGINE_OK);
        store->stuck = result != ENGINE_OK && result != ENGINE_FULL;
        if (result != ENGINE_OK)
                loop_timer(&store->loop, &store->retry, store->stuck ? RETRY_MS : FULL_MS);
        if (result != ENGINE_OK || !relief)
                change_state(store, result != ENGINE_OK);
        tell_all(store);
}

static void on_commit(struct loop *loop, struct chore *chore)
{
        struct store *store = list_entry(chore, struct store, commit);

        on_shard(loop);
        commit(store, true);
        commit(store, false);
}

static void on_retry(struct loop *loop, struct timer *timer)
{
        struct store *store = list_entry(timer, struct store, retry);

        on_shard(loop);
        store->stuck = false;
        tell_all(store);
        if (has_taken(store, false) || has_taken(store, true))
                loop_at_turn_end(loop, &store->commit);
        else
                change_state(store, false);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct store *store_new(struct broker *broker, struct engine *engine, enum durability level,
                        const struct loop_config *clock_and_poll)
{
        struct store      *store  = mem_zalloc(sizeof *store);
        struct loop_config config = *clock_and_poll;

        if (store == NULL)
                return NULL;
        config.id         = 0;
        config.count      = 1;
        config.peers      = store->self;
        store->self[0]    = &store->loop;
        store->port.ops   = &port_ops;
        store->port.level = level;
        store->broker     = broker;
        store->engine     = engine;
        store->commit.run = on_commit;
        store->retry.fire = on_retry;
        loop_init(&store->loop, &config);
        broker->store = &store->port;
        return store;
}

struct loop *store_loop(struct store *store)
{
        return &store->loop;
}

void store_free(struct store *store)
{
        if (store == NULL)
                return;
        role_claim(&store->loop);
        loop_timer_cancel(&store->loop, &store->retry);
        chore_cancel(&store->commit);
        role_leave();
        loop_deinit(&store->loop);
        for (unsigned i = 0; i < SHARDS_MAX; i++)
                parcel_drop(store->taken[i].parcel);
        buffer_deinit(&store->scratch);
        store->engine->ops->close(store->engine);
        store->broker->store = NULL;
        mem_free(store);
}
