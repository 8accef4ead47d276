/* The store has said that a batch is safe: what waited for it goes on. */
#include "core/journal.h"

#include <assert.h>

#include "core/alarm.h"
#include "core/journal_internal.h"
#include "core/session.h"

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

struct safe_mail {
        struct mail mail;
        uint64_t    number;
        uint64_t    newest_key;
};

static void safe_deliver(struct loop *loop, struct mail *mail)
{
        const struct safe_mail *safe    = (const struct safe_mail *)(const void *)mail;
        struct journal         *journal = &shard_of(loop)->journal;
        struct list            *link;

        on_shard(loop);
        assert(safe->number == journal->posted && journal->safe + 1 == journal->posted);
        journal->safe = safe->number;
        if (journal->next_key <= safe->newest_key / SHARDS_MAX)
                journal->next_key = safe->newest_key / SHARDS_MAX + 1;
        while ((link = list_pop(&journal->flying)) != NULL)
                kept_is_safe(list_entry(link, struct kept, in_journal));
        confirm_exact(journal);
        journal_pass_barriers(journal, journal->safe);
        look_at_held(journal);
        spill(journal);
        if (shard_of(loop)->broker->store->level == DURABILITY_STRICT)
                journal_post_lingered(journal); /* what gathered meanwhile */
        else if (journal->cut || journal->hurried)
                journal_post(journal);
        else if (journal_has_changes(journal) || !list_empty(&journal->exact))
                journal_urge(journal->shard);
}

static const struct mail_ops safe_ops = { "journal safe", safe_deliver, NULL };

bool journal_tell_safe(struct shard *shard, uint64_t number, uint64_t newest_key)
{
        struct parcel    *parcel = NULL;
        struct safe_mail *mail   = (struct safe_mail *)(void *)parcel_append(
                &parcel, &safe_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->number     = number;
        mail->newest_key = newest_key;
        loop_post(&shard->loop, parcel);
        return true;
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
