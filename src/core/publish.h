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

/* The message of the fields, with guid and time filled in, published. False without memory. */
bool publish_fields(struct shard *shard, struct message_fields *fields) ON_SHARD;

/* Hands a message that a leaving member of shared group `group` has not had to another member
 * (section 4.8.2). Takes the message. False: there is no other; it was dropped. */
bool publish_redispatch(struct shard *shard, const struct subscription *leaving, struct str group,
                        struct message *message) ON_SHARD;

#endif
