/* The one way in: every message that is published, by whomever, goes through here.
 *
 *      publish() -> hooks -> retain -> router_match -> this shard's subscribers, at once
 *                                                   -> one mail to each other shard concerned, with
 *                                                      the message and the matched routes
 *                                                   -> one member of each shared group
 */
#ifndef LINNET_CORE_PUBLISH_H
#define LINNET_CORE_PUBLISH_H

#include <stdint.h>

#include "core/message.h"
#include "core/shard.h"

/* Takes the message. Returns on how many routes and groups it went; 0: nobody wanted it. */
unsigned publish(struct shard *shard, struct message *message) ON_SHARD;

/* The message of the fields, with guid and time filled in. NULL without memory, which is
 * counted. */
struct message *message_stamp(struct shard *shard, struct message_fields *fields) ON_SHARD;

/* Somebody would get a message of that topic: for who had to make one up first. Not from within a
 * publish(). */
bool publish_is_heard(struct shard *shard, struct str topic) ON_SHARD;

/* message_stamp() and publish(). False without memory. */
bool publish_fields(struct shard *shard, struct message_fields *fields) ON_SHARD;

/* To one member of the shared subscription of that name, as "$share/group/filter", but not to
 * `except` (may be NULL): what a member that leaves has not had (section 4.8.2). Takes the message.
 * False: there is nobody; it was dropped. */
bool publish_to_group(struct shard *shard, struct str name, const struct member *except,
                      struct message *message) ON_SHARD;

#endif
