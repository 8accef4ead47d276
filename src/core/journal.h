/* What of a shard outlives the process, and what waits until it does.
 *
 *      made or changed -> dirty -> (linger) -> batch on its way -> safe
 *                           |
 *                           gone before the batch is cut: the store never hears of it
 *
 * A shard has one batch on its way at a time; meanwhile the next one gathers. Each thing that is
 * kept embeds a `struct kept`; what has a message has a `struct entry` (core/entry).
 * Without a store nothing here does anything. Under relaxed only QoS 1 is acknowledged before it is
 * safe: see ARCHITECTURE.
 *
 * A batch that does not fit on the disk comes back, its changes are dirty again, and what makes
 * room goes in front: removals of what receivers have acknowledged, and records that are there
 * already and written anew (packet ids of a queue that drains).
 *
 * At QoS 2 the order is strict: a PUBLISH to a durable session goes out when its record, with its
 * packet id, is safe and its publisher's packet id is, too; a PUBREL when the record knows of the
 * PUBREC. Otherwise a crash in between would make one side take a new message for an old one, or an
 * old one for new [MQTT-4.3.3-2].
 */
#ifndef LINNET_CORE_JOURNAL_H
#define LINNET_CORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/slab.h"
#include "core/entry.h"
#include "core/receipt.h"
#include "core/store_port.h"
#include "rt/loop.h"

struct session;
struct shard;
struct subscription;

/* A record that is to go. What another one replaces must not go before that one is safe. */
struct removal {
        uint64_t key;
        bool     replaced;
};

struct journal {
        struct shard  *shard;
        struct list    dirty, flying, held;
        uint64_t       looks;           /* at the held ones */
        struct removal *removed;        /* owned; the first ones are on their way */
        size_t         removed_count, removed_size, removed_flying;
        uint64_t       next_key;
        uint64_t       posted, safe;    /* numbers of batches */
        struct list    exact, exact_flying;     /* receipts whose packet id is to be kept */
        struct list    barriers;        /* receipts that wait for a batch */
        struct list    waiting;         /* other receipts that something is owed to */
        struct list    spilling;        /* sessions whose queue waits to leave memory */
        struct list    loading;         /* sessions that wait for what they have spilled */
        struct list    unread;          /* those that could not be given it: asked again later */
        struct slab    entries;
        struct buffer  scratch;         /* a record is encoded here */
        struct timer   linger;
        struct timer   reload;          /* for the unread */
        bool           cut;             /* the last batch did not take all there was */
        bool           hurried;         /* somebody waits for the next one */
        bool           failing;         /* the store cannot write just now */
        bool           relief;          /* the last batch was one that makes room */
        uint32_t       relief_max;      /* changes in the next one */
        uint64_t       full_until_ms;   /* a full disk: only those go until then; 0: it is not */
        bool           closed;          /* teardown: nothing is recorded any more */
};

void journal_init(struct journal *journal, struct shard *shard);
void journal_close(struct shard *shard) ON_SHARD;       /* before teardown: nothing more is kept */
void journal_drop_receipts(struct journal *journal) ON_SHARD;
void journal_deinit(struct journal *journal);
bool journal_idle(const struct journal *journal);       /* all is safe */

/* Sessions and subscriptions: to be written (again), or gone, perhaps since another record takes
 * its place. Nothing unless the session is kept. */
void journal_session(struct session *session) ON_SHARD;
void journal_subscription(struct subscription *subscription) ON_SHARD;
void journal_forget(struct shard *shard, struct kept *kept, bool replaced) ON_SHARD;

/* A record without an object, known by its key: a packet id that awaits its PUBREL, a delivery that
 * is not in memory. 0 is nothing. */
void journal_remove_key(struct shard *shard, uint64_t key, bool replaced) ON_SHARD;

/* `done` is called when all that was changed so far is safe. NULL: it is, or no memory
 * (*failed). */
struct receipt *journal_barrier(struct shard *shard, void (*done)(struct receipt *), void *context,
                                bool *failed) ON_SHARD;

/* Makes sure that a batch goes: in its time, or, under relaxed, before it, since somebody waits. */
void journal_urge(struct shard *shard) ON_SHARD;
void journal_hurry(struct shard *shard) ON_SHARD;

/* The session's queue has entries that are to leave memory when they are safe. */
void journal_spill(struct session *session) ON_SHARD;

/* The store's words to a shard, from any thread; false without memory: to be said again. */
bool journal_tell_safe(struct shard *shard, uint64_t number, uint64_t newest_key);
bool journal_tell_failing(struct shard *shard, bool failing);

/* The batch did not fit, and nothing of it was written: it is with the shard again. */
bool journal_tell_full(struct shard *shard, uint64_t number);

/* The records' values and their messages in the order of the request; NULL: not to be had. Takes
 * the references if it returns true. */
bool journal_tell_loaded(struct shard *shard, const struct store_load *load,
                         const struct str values[], struct message *const messages[]);

#endif
