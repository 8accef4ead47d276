/* How sessions end, and what becomes of their wills. */
#ifndef LINNET_CORE_SESSION_END_H
#define LINNET_CORE_SESSION_END_H

#include "core/session.h"

/* The alarm of a queue above its high watermark; its id goes on with the client id. */
#define SESSION_QUEUE_ALARM "queue_high_watermark"

void session_publish_will(struct session *session) ON_SHARD;    /* nothing when there is none */
void session_drop_will(struct session *session) ON_SHARD;

#endif
