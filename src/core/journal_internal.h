/* The journal as its files see it: journal, journal_safe, journal_load, entry. */
#ifndef LINNET_CORE_JOURNAL_INTERNAL_H
#define LINNET_CORE_JOURNAL_INTERNAL_H

#include "core/journal.h"

enum { JOURNAL_RELIEF_MAX = 64 };       /* on a full disk: what a commit touches costs pages */

/* The thing's record is to be written (again); journal_keep() gives it its key first. */
void journal_dirty(struct shard *shard, struct kept *kept) ON_SHARD;
void journal_keep(struct shard *shard, struct kept *kept, enum kept_kind kind) ON_SHARD;

bool journal_has_changes(const struct journal *journal);
void journal_post(struct journal *journal) ON_SHARD;    /* a batch, unless one is on its way */
void journal_post_lingered(struct journal *journal) ON_SHARD;   /* when its oldest has, strict */

void journal_reload(struct loop *loop, struct timer *timer);     /* asks for the unread again */

/* Who waits for the batch of that number, or an earlier one, need not any more. */
void journal_pass_barriers(struct journal *journal, uint64_t number) ON_SHARD;

#endif
