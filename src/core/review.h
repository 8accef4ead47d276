/* Rights that change while clients are connected and sessions wait. After a change of the rules
 * each shard looks at its subscriptions again, REVIEW_SLICE of them a turn:
 *
 *      sessions not looked at yet  |  those that were, and new ones        (shard.order)
 *
 * A subscription that is no longer allowed ends: its session has it no more, what waits for it is
 * dropped, and a client that is connected is told by DISCONNECT with 0x87, unless acl.revoke says
 * otherwise. Nothing is taken away because a provider could not answer at once. */
#ifndef LINNET_CORE_REVIEW_H
#define LINNET_CORE_REVIEW_H

#include "core/session.h"

enum { REVIEW_SLICE = 512 };

/* The rules on topics are others from now on: what was remembered is forgotten, and the review
 * begins (anew). For whoever has the rules. */
void review_start(struct shard *shard) ON_SHARD;

/* The user is gone, or may do something else: its clients are told 0x87 and disconnected, wherever
 * they are; their wills and what they have delayed is dropped. False without memory, and some may
 * stay. */
bool review_user(struct broker *broker, struct str username) ANY_THREAD;

/* A client has come back to its session, maybe as another user: what it may no longer have is taken
 * out before anything is sent. */
void review_session(struct session *session) ON_SHARD;

/* A message of that topic may go to the session's client, by a subscription that is allowed in
 * part, or unchecked. */
bool review_allows(struct session *session, struct str topic, bool unchecked) ON_SHARD;

/* What waited in the queue may still be sent; else it is counted and told as dropped. */
bool review_lets_out(struct session *session, const struct delivery *delivery) ON_SHARD;

/* A session comes, goes; its subscriptions have moved in their map. */
void review_enter(struct session *session) ON_SHARD;
void review_leave(struct session *session) ON_SHARD;
void review_moved(struct session *session) ON_SHARD;

void review_init(struct shard *shard);
void review_deinit(struct shard *shard) ON_SHARD;

#endif
