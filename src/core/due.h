/* What a client has left, to be published later: its will, a delayed message. When the time has
 * come it is asked again whether its publisher may, since rights may have been taken from it
 * meanwhile:
 *
 *      its user was removed     gone at once (due_drop_user)
 *      it is banned             HOOK_MESSAGE_DUE says so
 *      rules on topics          the access chain does, by its names; later perhaps
 *
 * What came with its credentials, a token's permissions say, nobody can ask about once it is gone:
 * then what was allowed stays so. */
#ifndef LINNET_CORE_DUE_H
#define LINNET_CORE_DUE_H

#include "core/entry.h"

/* Its publisher's rights are its credentials', or all: known while it is connected only. */
bool due_is_granted(struct shard *shard, const struct message *message) ON_SHARD;

/* Publishes the message, now or when the access chain has answered, unless it is no longer allowed:
 * then it is counted and told as dropped. Takes the message, which no one else has had, and its
 * record (NULL: there is none). `granted`: as that was when it was left. `asked`: the rules that
 * allowed it are those of now. */
void due_publish(struct shard *shard, struct message *message, struct entry *entry, bool granted,
                 bool asked) ON_SHARD;

/* Not allowed: counted, told as dropped. */
void due_drop(struct shard *shard, struct message *message, const char *why) ON_SHARD;

void due_drop_user(struct shard *shard, struct str username) ON_SHARD;  /* what is being asked */
void due_clear(struct shard *shard) ON_SHARD;                           /* with the shard */

#endif
