/* Messages that are to be published whatever happens meanwhile: a will that is due, a delayed
 * message, what a shared group's member leaves to the others. Such a message is kept until it is
 * safe with all who get it; a restart publishes it (again). What a client has left is asked about
 * first (core/due).
 */
#ifndef LINNET_CORE_PENDING_H
#define LINNET_CORE_PENDING_H

#include "core/journal.h"
#include "core/record.h"
#include "core/shard.h"

/* Who it is for. */
struct pending_to {
        struct str           name;      /* of a shared subscription; ptr NULL: everyone */
        const struct member *except;    /* of that group; may be NULL */
};

/* Publishes now. Takes the message, which no one else has had. */
void pending_publish(struct shard *shard, struct message *message,
                     const struct pending_to *to) ON_SHARD;

/* Publishes at a time of the wall clock, unless it expires before or its publisher may not any more
 * (core/due). Takes the message. False without memory. */
bool pending_at(struct shard *shard, struct message *message, uint64_t due_us) ON_SHARD;

/* Publishes to all; the record (NULL: there is none) stays until that is safe. Takes both. */
void pending_go(struct shard *shard, struct entry *entry, struct message *message) ON_SHARD;

/* A restart has found it under that key. Takes the message. False without memory. */
bool pending_restore(struct shard *shard, struct message *message, uint64_t key,
                     const struct record_pending *record) ON_SHARD;

/* The user may publish nothing any more: what waits is counted and told as dropped. */
void pending_drop_user(struct shard *shard, struct str username) ON_SHARD;

uint32_t pending_count(const struct shard *shard) ON_SHARD;     /* that wait for their time */
void     pending_clear(struct shard *shard) ON_SHARD;           /* with the shard */

#endif
