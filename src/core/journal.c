#include "core/journal.h"

#include <assert.h>

#include "base/memory.h"
#include "core/journal_internal.h"
#include "core/journal_record.h"
#include "core/session.h"

enum {
        CHANGES_MAX  = 32768,           /* of one batch: bounds what a commit takes */
        REMOVALS_MAX = 32768,
        RETRY_MS     = 100,             /* without memory for a batch */
        RELIEF_MS    = 50,              /* on a full disk: looks for what makes room */
};

static void on_linger(struct loop *loop, struct timer *timer);

void journal_init(struct journal *journal, struct shard *shard)
{
        *journal = (struct journal){ .shard = shard };
        list_init(&journal->dirty);
        list_init(&journal->flying);
        list_init(&journal->held);
        list_init(&journal->exact);
        list_init(&journal->exact_flying);
        list_init(&journal->barriers);
        list_init(&journal->waiting);
        list_init(&journal->spilling);
        list_init(&journal->loading);
        list_init(&journal->unread);
        slab_init(&journal->entries, "entry", sizeof(struct entry), 0);
        journal->next_key    = RECORD_KEY_FIRST;
        journal->relief_max  = JOURNAL_RELIEF_MAX;
        journal->linger.fire = on_linger;
        journal->reload.fire = journal_reload;
        journal->closed      = shard->broker->store == NULL;
}

void journal_close(struct shard *shard)
{
        struct journal *journal = &shard->journal;

        journal->closed = true;
        loop_timer_cancel(&shard->loop, &journal->linger);
        loop_timer_cancel(&shard->loop, &journal->reload);
        journal->removed_count = journal->removed_flying = 0;
}

/* Receipts are finished without a word: who waited for them is gone. */
ON_SHARD static void drop_receipts(struct list *receipts)
{
        struct list *link;

        while ((link = list_pop(receipts)) != NULL)
                receipt_finish(list_entry(link, struct receipt, in_journal));
}

void journal_drop_receipts(struct journal *journal)
{
        drop_receipts(&journal->exact);
        drop_receipts(&journal->exact_flying);
        drop_receipts(&journal->barriers);
        drop_receipts(&journal->waiting);
}

void journal_deinit(struct journal *journal)
{
        assert(journal->closed);
        slab_deinit(&journal->entries);
        buffer_deinit(&journal->scratch);
        mem_free(journal->removed);
}

bool journal_has_changes(const struct journal *journal)
{
        return !list_empty(&journal->dirty) || journal->removed_count > journal->removed_flying;
}

bool journal_idle(const struct journal *journal)
{
        return journal->closed ||
               (journal->posted == journal->safe && !journal_has_changes(journal) &&
                list_empty(&journal->exact));
}

/* ---- the batch ------------------------------------------------------------------------------- */

void journal_urge(struct shard *shard)
{
        struct journal        *journal  = &shard->journal;
        const struct settings *settings = shard->settings;

        if (journal->closed || journal->posted != journal->safe || timer_is_set(&journal->linger))
                return;
        loop_timer(&shard->loop, &journal->linger,
                   shard->broker->store->level == DURABILITY_STRICT ? settings->store_linger_ms
                                                                    : settings->store_interval_ms);
}

void journal_hurry(struct shard *shard)
{
        struct journal *journal = &shard->journal;

        if (journal->closed || journal->hurried)
                return;
        journal->hurried = true;
        if (shard->broker->store->level == DURABILITY_STRICT)
                journal_urge(shard);
        else if (journal->posted == journal->safe)
                loop_timer(&shard->loop, &journal->linger, shard->settings->store_linger_ms);
}

void journal_dirty(struct shard *shard, struct kept *kept)
{
        struct journal *journal = &shard->journal;

        if (kept->place == KEPT_DIRTY)
                return;
        if (kept->place != KEPT_NOWHERE)
                list_remove(&kept->in_journal);
        kept->place    = KEPT_DIRTY;
        kept->since_ms = (uint32_t)shard->loop.now.mono_ms;
        list_push_back(&journal->dirty, &kept->in_journal);
        journal_urge(shard);
}

/* Keys of all shards ascend together: each shard raises its own to the newest it hears of. */
ON_SHARD static uint64_t new_key(struct shard *shard)
{
        return shard->journal.next_key++ * SHARDS_MAX + shard->loop.config.id;
}

void journal_keep(struct shard *shard, struct kept *kept, enum kept_kind kind)
{
        if (kept->key == 0) {
                kept->key  = new_key(shard);
                kept->kind = (uint8_t)kind;
        }
        journal_dirty(shard, kept);
}

static void change_drop(struct mail *mail)
{
        message_put(((struct store_change *)(void *)mail)->message);
}

/* Its parcel is dropped, never delivered. */
static void change_deliver(struct loop *loop, struct mail *mail)
{
        (void)loop;
        (void)mail;
        assert(false);
}

static const struct mail_ops change_ops = { "store change", change_deliver, change_drop };

/* A record that the store has already says so, since then it looks what it replaces. */
static struct store_change *change(struct parcel **batch, enum store_verb verb, uint64_t key,
                                   struct str value)
{
        struct store_change *c = (struct store_change *)(void *)parcel_append(
                batch, &change_ops, sizeof *c + value.len, MAIL_FROM_OUTSIDE);

        if (c == NULL)
                return NULL;
        c->verb      = verb;
        c->key       = key;
        c->value_len = (uint32_t)value.len;
        if (value.len > 0)
                memcpy(c->value, value.ptr, value.len);
        return c;
}

static bool put_kept(struct journal *journal, struct parcel **batch, const struct kept *kept)
{
        struct message      *message = NULL;
        struct store_change *c;

        buffer_consume(&journal->scratch, buffer_len(&journal->scratch));
        if (!journal_encode(&journal->scratch, kept, &message))
                return false;
        c = change(batch, STORE_PUT, kept->key, buffer_str(&journal->scratch));
        if (c == NULL)
                return false;
        c->again = kept->posted;
        if (message != NULL)
                c->message = message_get(message);
        return true;
}

static void fly(struct journal *journal, struct kept *kept)
{
        list_remove(&kept->in_journal);
        list_push_back(&journal->flying, &kept->in_journal);
        kept->place = KEPT_FLYING;
        if (!kept->posted)
                kept->first_in = (uint32_t)(journal->posted + 1);
        kept->posted = true;
}

/* The dirty ones, oldest first. False: some are left. */
static bool put_dirty(struct journal *journal, struct parcel **batch)
{
        for (unsigned i = 0; i < CHANGES_MAX; i++) {
                struct list *link = journal->dirty.next;
                struct kept *kept = list_entry(link, struct kept, in_journal);

                if (link == &journal->dirty)
                        return true;
                if (!put_kept(journal, batch, kept))
                        return false;
                fly(journal, kept);
        }
        return list_empty(&journal->dirty);
}

/* Up to `max`, with `replaced` those that something replaces, too. False: some of them are left. */
static bool put_removed(struct journal *journal, struct parcel **batch, size_t max, bool replaced)
{
        struct removal *removed = journal->removed;
        size_t          done    = 0;

        for (size_t i = 0; i < journal->removed_count; i++) {
                struct removal removal = removed[i];

                if (removal.replaced && !replaced)
                        continue;
                if (done == max ||
                    change(batch, STORE_REMOVE, removal.key, (struct str){ 0 }) == NULL)
                        break;
                removed[i]      = removed[done];
                removed[done++] = removal;
        }
        journal->removed_flying = done;
        return done == journal->removed_count;
}

/* What makes room: a record of a message in the queue that is there already is written anew in its
 * place. Removals first, as in any batch, and all of them. */
static void put_relief(struct journal *journal, struct parcel **batch)
{
        uint32_t left = journal->relief_max;

        put_removed(journal, batch, left, false);
        left -= (uint32_t)journal->removed_flying;
        list_each(link, after, &journal->dirty) {
                struct kept *kept = list_entry(link, struct kept, in_journal);

                if (left == 0)
                        break;
                if (kept->kind != KEPT_DELIVERY || !kept->posted)
                        continue;
                if (!put_kept(journal, batch, kept))
                        break;
                fly(journal, kept);
                left--;
        }
}

/* The packet id and the mark are one change: after a crash a message whose id came back without the
 * mark would be lost, and one with the mark alone would come twice. */
ON_SHARD static bool put_awaiting(struct journal *journal, struct parcel **batch,
                                  struct receipt *receipt)
{
        struct session      *session = receipt->session;
        struct record        record  = { .kind = RECORD_AWAITING };
        struct store_change *c       = NULL;

        if (session == NULL || session->kept.key == 0) {
                c = change(batch, STORE_MARK, 0, (struct str){ 0 });    /* the id is free again */
        } else {
                record.awaiting.session   = session->kept.key;
                record.awaiting.packet_id = receipt->packet_id;
                buffer_consume(&journal->scratch, buffer_len(&journal->scratch));
                if (record_encode(&journal->scratch, &record))
                        c = change(batch, STORE_PUT, new_key(journal->shard),
                                   buffer_str(&journal->scratch));
        }
        if (c == NULL)
                return false;
        c->guid = receipt->guid;
        if (c->verb == STORE_PUT) {
                awaiting_rel_set_key(&session->awaiting_rel, receipt->packet_id, c->key);
                receipt->key = c->key;
        }
        return true;
}

/* Packet ids of QoS 2 messages, in order, as far as nothing of them is owed but what is in this
 * batch or an earlier one. */
ON_SHARD static void put_exact(struct journal *journal, struct parcel **batch)
{
        list_each(link, after, &journal->exact) {
                struct receipt *receipt = list_entry(link, struct receipt, in_journal);

                /* Acquires what other shards did before they paid. */
                if (receipt->open ||
                    atomic_load_explicit(&receipt->owed, memory_order_acquire) !=
                            receipt->owed_here ||
                    !put_awaiting(journal, batch, receipt))
                        break;
                list_remove(link);
                list_push_back(&journal->exact_flying, link);
        }
}

void journal_pass_barriers(struct journal *journal, uint64_t number)
{
        list_each(link, after, &journal->barriers) {
                struct receipt *receipt = list_entry(link, struct receipt, in_journal);

                if (receipt->batch > number)
                        break;
                receipt_finish(receipt);
        }
}

/* There is nothing to post: all has gone again, there is no memory, or nothing makes room. */
ON_SHARD static void post_nothing(struct journal *journal)
{
        struct loop *loop = &journal->shard->loop;

        if (!journal_has_changes(journal))
                journal_pass_barriers(journal, journal->posted + 1);
        if (journal->relief && (journal_has_changes(journal) || !list_empty(&journal->exact)))
                loop_timer(loop, &journal->linger, RELIEF_MS);
        else if (journal_has_changes(journal))
                loop_timer(loop, &journal->linger, RETRY_MS);
}

void journal_post(struct journal *journal)
{
        struct store_port *store = journal->shard->broker->store;
        struct parcel     *batch = NULL;
        bool               whole = false;

        if (journal->closed || journal->posted != journal->safe)
                return;
        journal->hurried = false;
        journal->relief  = journal->full_until_ms > journal->shard->loop.now.mono_ms;

        /* What has gone goes first: a packet id that is free again may be in what follows. */
        if (journal->relief)
                put_relief(journal, &batch);
        else
                whole = put_removed(journal, &batch, REMOVALS_MAX, true) &&
                        put_dirty(journal, &batch);
        if (whole)
                put_exact(journal, &batch);
        if (batch == NULL) {
                post_nothing(journal);
                return;
        }
        journal->posted++;
        journal->cut = !whole;
        list_each(link, after, &journal->barriers) {
                struct receipt *receipt = list_entry(link, struct receipt, in_journal);

                receipt->batch += !whole && receipt->batch == journal->posted;
        }
        store->ops->post(store, journal->shard->loop.config.id, journal->posted, batch,
                         journal->relief);
}

/* How long the oldest change has still to linger. */
ON_SHARD static uint32_t left_to_linger(const struct journal *journal)
{
        const struct shard *shard  = journal->shard;
        uint32_t            linger = shard->settings->store_linger_ms;
        const struct kept  *oldest = list_entry(journal->dirty.next, struct kept, in_journal);
        uint32_t            age;

        if (list_empty(&journal->dirty) || !list_empty(&journal->exact))
                return 0;
        age = (uint32_t)shard->loop.now.mono_ms - oldest->since_ms;
        return age < linger ? linger - age : 0;
}

/* Older ones may have gone since the timer was set, or since the last batch: had they not, those
 * that are left would not be written yet. */
void journal_post_lingered(struct journal *journal)
{
        uint32_t left = left_to_linger(journal);

        if (left > 0 && !journal->closed)
                loop_timer(&journal->shard->loop, &journal->linger, left);
        else
                journal_post(journal);
}

static void on_linger(struct loop *loop, struct timer *timer)
{
        struct journal *journal = list_entry(timer, struct journal, linger);

        on_shard(loop);
        if (journal->shard->broker->store->level == DURABILITY_STRICT)
                journal_post_lingered(journal);
        else
                journal_post(journal);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

void journal_session(struct session *session)
{
        if (!session->shard->journal.closed && session->durability != DURABILITY_MEMORY)
                journal_keep(session->shard, &session->kept, KEPT_SESSION);
}

void journal_subscription(struct subscription *subscription)
{
        struct session *session = subscription->session;

        if (!session->shard->journal.closed && session->durability != DURABILITY_MEMORY)
                journal_keep(session->shard, &subscription->kept, KEPT_SUBSCRIPTION);
}

ON_SHARD static void remove_key(struct shard *shard, uint64_t key, bool replaced)
{
        struct journal *journal = &shard->journal;

        if (key == 0 || journal->closed)
                return;
        if (journal->removed_count == journal->removed_size) {
                size_t          size = journal->removed_size != 0 ? journal->removed_size * 2 : 64;
                struct removal *keys = mem_realloc_array(journal->removed, size, sizeof *keys);

                if (keys == NULL) {     /* it stays: after a restart it is there once more */
                        metric_add(&shard->metrics.messages_dropped_memory, 1);
                        return;
                }
                journal->removed      = keys;
                journal->removed_size = size;
        }
        journal->removed[journal->removed_count++] = (struct removal){ key, replaced };
        journal_urge(shard);
}

void journal_remove_key(struct shard *shard, uint64_t key, bool replaced)
{
        remove_key(shard, key, replaced);
}

void journal_forget(struct shard *shard, struct kept *kept, bool replaced)
{
        if (kept->place != KEPT_NOWHERE)
                list_remove(&kept->in_journal);
        if (kept->posted)
                remove_key(shard, kept->key, replaced);
        *kept = (struct kept){ .key = 0 };
}

struct receipt *journal_barrier(struct shard *shard, void (*done)(struct receipt *), void *context,
                                bool *failed)
{
        struct journal *journal = &shard->journal;
        struct receipt *receipt = NULL;

        *failed = false;
        if (journal->closed || (!journal_has_changes(journal) && journal->posted == journal->safe))
                return NULL;
        receipt = mem_zalloc(sizeof *receipt);
        if (receipt == NULL) {
                *failed = true;
                return NULL;
        }
        atomic_init(&receipt->refs, 1);
        receipt->origin  = shard;
        receipt->batch   = journal_has_changes(journal) ? journal->posted + 1 : journal->posted;
        receipt->done    = done;
        receipt->context = context;
        list_push_back(&journal->barriers, &receipt->in_journal);
        journal_hurry(shard);
        return receipt;
}

void journal_spill(struct session *session)
{
        if (!list_linked(&session->in_spilling))
                list_push_back(&session->shard->journal.spilling, &session->in_spilling);
}
