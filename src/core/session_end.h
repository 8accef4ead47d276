/* How sessions end, and what becomes of their wills. */
#ifndef LINNET_CORE_SESSION_END_H
#define LINNET_CORE_SESSION_END_H

#include "core/session.h"

/* The alarm of a queue above its high watermark; its id goes on with the client id. */
#define SESSION_QUEUE_ALARM "queue_high_watermark"

void session_publish_will(struct session *session) ON_SHARD;    /* nothing when there is none */
void session_drop_will(struct session *session) ON_SHARD;

/* What waits for a member of a shared group, as far as it is in memory, goes to another member
 * (section 4.8.2): the subscription is about to end. Nothing for a plain one. */
void session_hand_over(struct session *session, const struct subscription *subscription) ON_SHARD;

#endif
