#include "core/entry.h"

#include <assert.h>

#include "base/memory.h"
#include "core/journal_internal.h"
#include "core/session.h"

ON_SHARD static struct entry *entry_new(struct shard *shard, struct message *message,
                                        enum kept_kind kind)
{
        struct entry *entry = slab_alloc(&shard->journal.entries);

        if (entry == NULL) {
                if (message != NULL)
                        receipt_lose(message);
                metric_add(&shard->metrics.messages_dropped_memory, 1);
                return NULL;
        }
        entry->shard     = shard;
        entry->message   = message;
        entry->kept.kind = (uint8_t)kind;
        return entry;
}

/* Under relaxed nobody waits for it, unless it is exact: its packet id must not be safe before. */
ON_SHARD static void owe(struct entry *entry, enum durability durability)
{
        const struct receipt *receipt = entry->message->receipt;

        if (receipt == NULL || (durability != DURABILITY_STRICT && !receipt->exact))
                return;
        receipt_owe(entry->message, entry->shard);
        entry->owes = true;
        journal_hurry(entry->shard);
}

static void take_delivery(struct entry *entry, struct session *session,
                          const struct delivery *delivery)
{
        entry->session    = session;
        entry->qos        = delivery->qos;
        entry->retain     = delivery->retain;
        entry->share      = delivery->share;
        entry->id         = delivery->id;
        entry->more_ids   = delivery->more_ids;
        entry->more_count = delivery->more_count;
}

bool entry_of_delivery(struct session *session, struct delivery *delivery)
{
        struct shard *shard = session->shard;
        struct entry *entry;

        if (delivery->qos == 0 || session->durability == DURABILITY_MEMORY ||
            shard->journal.closed || delivery->entry != NULL)
                return true;
        entry = entry_new(shard, delivery->message, KEPT_DELIVERY);
        if (entry == NULL)
                return false;
        take_delivery(entry, session, delivery);
        owe(entry, session->durability);
        delivery->entry = entry;
        journal_keep(shard, &entry->kept, KEPT_DELIVERY);
        return true;
}

struct entry *entry_adopt_delivery(struct session *session, struct delivery *delivery, uint64_t key)
{
        struct entry *entry = entry_adopt(session->shard, delivery->message, KEPT_DELIVERY, key);

        if (entry == NULL)
                return NULL;
        take_delivery(entry, session, delivery);
        delivery->entry = entry;
        return entry;
}

struct entry *entry_adopt(struct shard *shard, struct message *message, enum kept_kind kind,
                          uint64_t key)
{
        struct entry *entry = entry_new(shard, message, kind);

        if (entry == NULL)
                return NULL;
        entry->kept.key    = key;
        entry->kept.posted = true;
        return entry;
}

struct entry *entry_of_retained(struct shard *shard, struct message *message)
{
        struct entry *entry;

        if (shard->journal.closed || message->from == 0)
                return NULL;
        entry = entry_new(shard, message, KEPT_RETAINED);
        if (entry == NULL)
                return NULL;
        owe(entry, shard->broker->store->level);
        journal_keep(shard, &entry->kept, KEPT_RETAINED);
        return entry;
}

struct entry *entry_of_pending(struct shard *shard, struct message *message, uint64_t due_us,
                               struct str name)
{
        struct entry *entry;

        if (shard->journal.closed)
                return NULL;
        entry = entry_new(shard, message, KEPT_PENDING);
        if (entry == NULL)
                return NULL;
        if (name.len > 0) {
                entry->name = str_from(mem_dup(name), name.len);
                if (entry->name.ptr == NULL) {
                        slab_free(&shard->journal.entries, entry);
                        return NULL;
                }
        }
        message_get(message);
        entry->due_us = due_us;
        owe(entry, shard->broker->store->level);
        journal_keep(shard, &entry->kept, KEPT_PENDING);
        return entry;
}

ON_SHARD static bool may_go_on(struct entry *entry, enum entry_wait wait)
{
        journal_dirty(entry->shard, &entry->kept);
        if (entry->qos < 2)
                return true;
        entry->wait = (uint8_t)wait;
        journal_hurry(entry->shard);
        return false;
}

bool entry_send(struct entry *entry, uint16_t packet_id)
{
        entry->packet_id = packet_id;
        return may_go_on(entry, ENTRY_TO_PUBLISH);
}

/* Its message is not needed any more, nor is what it owed: the client has it. */
bool entry_release(struct entry *entry)
{
        if (entry->owes)
                receipt_pay(entry->message, entry->shard);
        entry->owes     = false;
        entry->released = true;
        entry->message  = NULL;
        entry->more_ids = NULL;
        return may_go_on(entry, ENTRY_TO_RELEASE);
}

bool entry_is_safe(const struct entry *entry)
{
        return entry->kept.posted && entry->kept.place == KEPT_NOWHERE;
}

bool entry_is_confirmed(const struct entry *entry)
{
        const struct receipt *receipt = entry->message != NULL ? entry->message->receipt : NULL;

        return receipt == NULL || !receipt->exact ||
               atomic_load_explicit(&receipt->confirmed, memory_order_acquire);
}

void entry_free(struct entry *entry)
{
        if (entry == NULL)
                return;
        on_shard(&entry->shard->loop);
        if (entry->owes)
                receipt_pay(entry->message, entry->shard);
        if (entry->kept.kind == KEPT_PENDING) {
                message_put(entry->message);
                mem_free((char *)(uintptr_t)entry->name.ptr);
        }

        struct shard *shard = entry->shard;

        journal_forget(shard, &entry->kept, entry->replaced);
        slab_free(&shard->journal.entries, entry);
}

static void on_paid(struct receipt *barrier)
{
        struct message *message = barrier->context;

        on_shard(&barrier->origin->loop);
        receipt_pay(message, barrier->origin);
        message_put(message);
}

/* Without memory it stays owed: the publisher is not acknowledged, and sends again. */
ON_SHARD static void pay_later(struct shard *shard, struct message *message)
{
        bool failed;

        if (journal_barrier(shard, on_paid, message_get(message), &failed) != NULL)
                return;
        if (!failed)
                receipt_pay(message, shard);
        message_put(message);
}

void entry_pay_later(struct entry *entry)
{
        if (entry == NULL || !entry->owes)
                return;
        on_shard(&entry->shard->loop);
        entry->owes = false;
        pay_later(entry->shard, entry->message);
}

void entry_replace(struct entry *entry)
{
        entry_pay_later(entry);
        if (entry != NULL)
                entry->replaced = true;
}

void entry_removal(struct shard *shard, struct message *message)
{
        if (shard->journal.closed || message->receipt == NULL)
                return;
        receipt_owe(message, shard);
        pay_later(shard, message);
}

void entry_leave(struct entry *entry)
{
        on_shard(&entry->shard->loop);
        assert(entry_is_safe(entry) && !entry->owes);
        slab_free(&entry->shard->journal.entries, entry);
}
