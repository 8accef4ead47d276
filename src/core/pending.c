#include "core/pending.h"

#include "base/memory.h"
#include "core/due.h"
#include "core/publish.h"

/* One that waits for its time. */
struct pending {
        struct list     in_shard;
        struct timer    timer;
        struct message *message;        /* a reference */
        struct entry   *entry;          /* its record; NULL: nothing is kept */
        bool            granted;        /* its publisher's rights came with its credentials */
};

static void on_safe(struct receipt *receipt)
{
        on_shard(&receipt->origin->loop);
        entry_free(receipt->context);
}

/* Goes out; the record stays until that is safe. Takes both. */
ON_SHARD static void go(struct shard *shard, struct entry *entry, struct message *message,
                        const struct pending_to *to)
{
        struct receipt *receipt = NULL;

        if (entry != NULL && shard->broker->store->level == DURABILITY_STRICT)
                receipt = receipt_open(shard, message, NULL, 0);
        if (to->name.ptr != NULL)
                publish_to_group(shard, to->name, to->except, message);
        else
                publish(shard, message);
        if (receipt == NULL || receipt_close(receipt, on_safe, entry) != RECEIPT_WAITS)
                entry_free(entry);
}

void pending_go(struct shard *shard, struct entry *entry, struct message *message)
{
        go(shard, entry, message, &(struct pending_to){ .except = NULL });
}

void pending_publish(struct shard *shard, struct message *message, const struct pending_to *to)
{
        go(shard, entry_of_pending(shard, message, shard->loop.now.wall_us, to->name), message, to);
}

static void pending_free(struct shard *shard, struct pending *pending) ON_SHARD;
static void pending_free(struct shard *shard, struct pending *pending)
{
        loop_timer_cancel(&shard->loop, &pending->timer);
        list_remove(&pending->in_shard);
        shard->pending_count--;
        entry_free(pending->entry);
        message_put(pending->message);
        mem_free(pending);
}

/* Under a new identity: the old one may still be owed to its publisher. */
static void on_due(struct loop *loop, struct timer *timer)
{
        struct pending   *pending = list_entry(timer, struct pending, timer);
        struct shard     *shard   = shard_of(loop);
        struct message   *due     = NULL;

        on_shard(loop);
        if (message_expired(pending->message, loop->now.wall_us)) {
                metric_add(&shard->metrics.messages_dropped_expired, 1);
        } else {
                due = message_renew(pending->message, message_topic(pending->message),
                                    guid_next(&shard->guids, loop->now.wall_us));
                if (due == NULL)
                        metric_add(&shard->metrics.messages_dropped_memory, 1);
        }
        if (due != NULL) {
                struct entry *entry = TAKE(pending->entry);

                if (entry != NULL && entry->name.ptr != NULL)
                        go(shard, entry, due, &(struct pending_to){ .name = entry->name });
                else
                        due_publish(shard, due, entry, pending->granted, false);
        }
        pending_free(shard, pending);
}

/* Takes the message; false without memory, and it is gone. */
static bool wait_for(struct shard *shard, struct message *message, uint64_t due_us, bool granted,
                     struct entry *entry) ON_SHARD;
static bool wait_for(struct shard *shard, struct message *message, uint64_t due_us, bool granted,
                     struct entry *entry)
{
        struct pending *pending = mem_zalloc(sizeof *pending);
        uint64_t        now_us  = shard->loop.now.wall_us;

        if (pending == NULL) {
                receipt_lose(message);
                entry_free(entry);
                message_put(message);
                return false;
        }
        pending->message    = message;
        pending->entry      = entry;
        pending->granted    = granted;
        pending->timer.fire = on_due;
        list_push_back(&shard->pendings, &pending->in_shard);
        shard->pending_count++;
        loop_timer(&shard->loop, &pending->timer,
                   due_us > now_us ? (due_us - now_us + 999) / 1000 : 0);
        return true;
}

bool pending_at(struct shard *shard, struct message *message, uint64_t due_us)
{
        struct entry *entry   = entry_of_pending(shard, message, due_us, (struct str){ 0 });
        bool          granted = due_is_granted(shard, message);

        if (entry != NULL)
                entry->granted = granted;
        return wait_for(shard, message, due_us, granted, entry);
}

bool pending_restore(struct shard *shard, struct message *message, uint64_t key,
                     const struct record_pending *record)
{
        struct str    name  = record->name;
        char         *copy  = name.len > 0 ? mem_dup(name) : NULL;
        struct entry *entry = name.len == 0 || copy != NULL
                                      ? entry_adopt(shard, message, KEPT_PENDING, key)
                                      : NULL;

        if (entry == NULL) {
                mem_free(copy);
                message_put(message);
                return false;
        }
        message_get(message);
        entry->due_us  = record->due_us;
        entry->granted = record->granted;
        entry->name    = str_from(copy, name.len);
        return wait_for(shard, message, record->due_us, record->granted, entry);
}

void pending_drop_user(struct shard *shard, struct str username)
{
        list_each(link, after, &shard->pendings)
        {
                struct pending *pending = list_entry(link, struct pending, in_shard);

                if ((pending->entry != NULL && pending->entry->name.ptr != NULL) ||
                    !str_eq(message_username(pending->message), username))
                        continue;       /* a group's message is its publisher's no more */
                due_drop(shard, pending->message, "its user was removed or changed");
                pending_free(shard, pending);
        }
        due_drop_user(shard, username);
}

uint32_t pending_count(const struct shard *shard)
{
        return shard->pending_count;
}

void pending_clear(struct shard *shard)
{
        list_each(link, after, &shard->pendings)
                pending_free(shard, list_entry(link, struct pending, in_shard));
}
