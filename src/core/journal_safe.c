/* The store has said that a batch is safe: what waited for it goes on. */
#include "core/journal.h"

#include <assert.h>

#include "core/alarm.h"
#include "core/journal_internal.h"
#include "core/session.h"

enum { FULL_MS = 500, RELIEF_RETRY_MS = 50 };

static void hold(struct entry *entry)
{
        entry->kept.place = KEPT_HELD;
        list_push_back(&entry->shard->journal.held, &entry->kept.in_journal);
}

ON_SHARD static void kept_is_safe(struct kept *kept)
{
        struct entry *entry = list_entry(kept, struct entry, kept);

        kept->place = KEPT_NOWHERE;
        if (kept->kind == KEPT_SESSION || kept->kind == KEPT_SUBSCRIPTION)
                return;
        if (entry->owes) {
                entry->owes = false;
                receipt_pay(entry->message, entry->shard);
        }
        if (entry->wait != ENTRY_READY)
                hold(entry);
}

/* What is still held when all have been looked at holds back what is behind it in its session: the
 * other shard may confirm in the midst of this, and what it published first is to go out first
 * [MQTT-4.6.0-6]. */
ON_SHARD static void look_at_held(struct journal *journal)
{
        struct list held;

        journal->looks++;
        list_init(&held);
        list_splice(&held, &journal->held);
        for (struct list *link; (link = list_pop(&held)) != NULL;) {
                struct entry   *entry   = list_entry(link, struct entry, kept.in_journal);
                struct session *session = entry->session;
                bool            publish = entry->wait == ENTRY_TO_PUBLISH;

                entry->kept.place = KEPT_NOWHERE;
                if (publish && (session->held_in == journal->looks || !entry_is_confirmed(entry))) {
                        session->held_in = journal->looks;
                        hold(entry);
                        continue;
                }
                entry->wait = ENTRY_READY;
                session_go_on(session, entry->packet_id);
        }
}

ON_SHARD static void spill(struct journal *journal)
{
        list_each(link, after, &journal->spilling) {
                struct session *session = list_entry(link, struct session, in_spilling);

                if (!mqueue_spill(&session->mqueue))
                        list_remove(link);
        }
}

static void look_deliver(struct loop *loop, struct mail *mail)
{
        (void)mail;
        on_shard(loop);
        look_at_held(&shard_of(loop)->journal);
        spill(&shard_of(loop)->journal);
}

static const struct mail_ops look_ops = { "journal look", look_deliver, NULL };

/* The packet ids that were on their way are safe: deliveries on any shard that waited for it go
 * out. */
ON_SHARD static void confirm_exact(struct journal *journal)
{
        struct shard *shard  = journal->shard;
        bool          remote = false;
        struct list  *link;

        while ((link = list_pop(&journal->exact_flying)) != NULL) {
                struct receipt *receipt = list_entry(link, struct receipt, in_journal);

                /* Released: who sees it may send what it confirms. */
                atomic_store_explicit(&receipt->confirmed, true, memory_order_release);
                remote |= receipt->remote;
                receipt_finish(receipt);
        }
        for (unsigned i = 0; remote && i < shard->broker->shard_count; i++)
                if (i != shard->loop.config.id)
                        loop_mail(&shard->loop, i, &look_ops, sizeof(struct mail));
}

static void forget_removed(struct journal *journal)
{
        size_t done = journal->removed_flying;

        if (done == 0)
                return;
        journal->removed_flying = 0;
        journal->removed_count -= done;
        memmove(journal->removed, journal->removed + done,
                journal->removed_count * sizeof journal->removed[0]);
}

/* ---- the batch is safe ----------------------------------------------------------------------- */

ON_SHARD static void batch_is_safe(struct journal *journal, uint64_t newest_key)
{
        struct shard *shard = journal->shard;
        struct list  *link;

        journal->safe = journal->posted;
        if (journal->next_key <= newest_key / SHARDS_MAX)
                journal->next_key = newest_key / SHARDS_MAX + 1;
        forget_removed(journal);
        if (!journal->relief)
                journal->full_until_ms = 0;
        else if (journal->relief_max < JOURNAL_RELIEF_MAX)
                journal->relief_max *= 2;
        while ((link = list_pop(&journal->flying)) != NULL)
                kept_is_safe(list_entry(link, struct kept, in_journal));
        confirm_exact(journal);
        journal_pass_barriers(journal, journal->safe);
        look_at_held(journal);
        spill(journal);
        if (shard->broker->store->level == DURABILITY_STRICT)
                journal_post_lingered(journal); /* what gathered meanwhile */
        else if (journal->cut || journal->hurried)
                journal_post(journal);
        else if (journal_has_changes(journal) || !list_empty(&journal->exact))
                journal_urge(shard);
}

/* ---- the batch did not fit ------------------------------------------------------------------- */

/* Released meanwhile: its packet id must not be kept any more. */
ON_SHARD static void unput_awaiting(struct receipt *receipt)
{
        struct session *session = receipt->session;

        if (session == NULL || receipt->key == 0)
                return;
        if (awaiting_rel_key(&session->awaiting_rel, receipt->packet_id) == receipt->key)
                awaiting_rel_set_key(&session->awaiting_rel, receipt->packet_id, 0);
        else
                receipt_detach(receipt);
        receipt->key = 0;
}

/* In front of what has gathered since. */
static void put_back(struct list *front, struct list *to)
{
        list_splice(front, to);
        list_splice(to, front);
}

ON_SHARD static void take_back(struct journal *journal)
{
        put_back(&journal->flying, &journal->dirty);
        put_back(&journal->exact_flying, &journal->exact);
        list_each(link, after, &journal->dirty) {
                struct kept *kept = list_entry(link, struct kept, in_journal);

                kept->place = KEPT_DIRTY;
                kept->posted &= kept->first_in != (uint32_t)journal->posted;
        }
        list_each(link, after, &journal->exact)
                unput_awaiting(list_entry(link, struct receipt, in_journal));
        journal->removed_flying = 0;
        journal->posted--;
        list_each(link, after, &journal->barriers) {
                struct receipt *receipt = list_entry(link, struct receipt, in_journal);

                if (receipt->batch > journal->posted + 1)
                        receipt->batch = journal->posted + 1;
        }
}

ON_SHARD static void batch_is_full(struct journal *journal)
{
        struct loop *loop = &journal->shard->loop;

        take_back(journal);
        if (!journal->relief) {
                journal->full_until_ms = loop->now.mono_ms + FULL_MS;
                journal_post(journal);
                return;
        }
        if (journal->relief_max > 1)    /* even that was too much */
                journal->relief_max /= 2;
        loop_timer(loop, &journal->linger, RELIEF_RETRY_MS);
}

/* ---- the store's words ----------------------------------------------------------------------- */

struct batch_mail {
        struct mail mail;
        bool        full;
        uint64_t    number;
        uint64_t    newest_key;
};

static void batch_deliver(struct loop *loop, struct mail *mail)
{
        const struct batch_mail *batch   = (const struct batch_mail *)(const void *)mail;
        struct journal          *journal = &shard_of(loop)->journal;

        on_shard(loop);
        assert(batch->number == journal->posted && journal->safe + 1 == journal->posted);
        if (batch->full)
                batch_is_full(journal);
        else
                batch_is_safe(journal, batch->newest_key);
}

static const struct mail_ops batch_ops = { "journal batch", batch_deliver, NULL };

static bool tell_of_batch(struct shard *shard, const struct batch_mail *what)
{
        struct parcel     *parcel = NULL;
        struct batch_mail *mail   = (struct batch_mail *)(void *)parcel_append(
                &parcel, &batch_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->full       = what->full;
        mail->number     = what->number;
        mail->newest_key = what->newest_key;
        loop_post(&shard->loop, parcel);
        return true;
}

bool journal_tell_safe(struct shard *shard, uint64_t number, uint64_t newest_key)
{
        return tell_of_batch(shard, &(struct batch_mail){ .number     = number,
                                                          .newest_key = newest_key });
}

bool journal_tell_full(struct shard *shard, uint64_t number)
{
        return tell_of_batch(shard, &(struct batch_mail){ .number = number, .full = true });
}

struct failing_mail {
        struct mail mail;
        bool        failing;
};

static void failing_deliver(struct loop *loop, struct mail *mail)
{
        struct shard *shard   = shard_of(loop);
        bool          failing = ((struct failing_mail *)(void *)mail)->failing;

        on_shard(loop);
        shard->journal.failing = failing;
        if (loop->config.id == 0)       /* one of them tells */
                alarm_tell(shard, "store_failing", str_of(shard->broker->node_name),
                           failing ? "what must be kept cannot be written, and is refused" : NULL);
}

static const struct mail_ops failing_ops = { "journal failing", failing_deliver, NULL };

bool journal_tell_failing(struct shard *shard, bool failing)
{
        struct parcel       *parcel = NULL;
        struct failing_mail *mail   = (struct failing_mail *)(void *)parcel_append(
                &parcel, &failing_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->failing = failing;
        loop_post(&shard->loop, parcel);
        return true;
}
