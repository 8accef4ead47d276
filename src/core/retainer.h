/* Retained messages of the topics whose hash falls on this shard (emq_retainer).
 *
 * Names lie in a tree of levels, so that a filter finds its matches without looking at the others.
 * A query is a cursor that can stop after any node and go on in a later turn while the tree
 * changes.
 */
#ifndef LINNET_CORE_RETAINER_H
#define LINNET_CORE_RETAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"
#include "core/message.h"

struct retainer;
struct entry;
struct retained_cursor;

struct retainer *retainer_new(struct hash_key key);     /* NULL without memory */
void             retainer_free(struct retainer *retainer);

/* Stores the message under its topic, instead of one that is there, and takes its record (NULL:
 * none, it is not kept), which is freed with it. The caller keeps its reference to the message;
 * false without memory, and the record is the caller's. */
bool retainer_put(struct retainer *retainer, struct message *message, struct entry *entry);
bool retainer_remove(struct retainer *retainer, struct str topic);      /* true: there was one */

/* The message of a topic, a view; NULL when there is none or it has expired (it is removed
 * then). */
struct message *retainer_find(struct retainer *retainer, struct str topic, uint64_t wall_us);

uint32_t retainer_count(const struct retainer *retainer);
uint64_t retainer_bytes(const struct retainer *retainer);

/* Removes expired messages, looking at up to `budget` topics from where the last call ended.
 * Returns how many were removed. */
unsigned retainer_sweep(struct retainer *retainer, uint64_t wall_us, unsigned budget);

/* Walks all messages that match the filter. retained_next() fills up to `max` references (the
 * caller's) and returns their number, looking at up to RETAINED_SLICE_MAX nodes; *done says that
 * there are no more. A message stored behind the walk is not seen: whoever subscribed gets it
 * live. */
struct retained_cursor *retained_cursor_new(struct retainer *retainer, struct str filter);
unsigned retained_next(struct retained_cursor *cursor, uint64_t wall_us, struct message **out,
                       unsigned max, bool *done);
void     retained_cursor_free(struct retained_cursor *cursor);

#endif
