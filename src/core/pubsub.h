/* This shard's subscribers (emqttd_pubsub): who of them gets a message that was routed here. */
#ifndef LINNET_CORE_PUBSUB_H
#define LINNET_CORE_PUBSUB_H

#include "core/message.h"
#include "core/shard.h"
#include "core/subscription.h"

/* Enters the subscription in its route's list of this shard; false without memory. */
bool pubsub_add(struct shard *shard, struct subscription *subscription) ON_SHARD;

/* Takes it out; true when it was the shard's last of that route. */
bool pubsub_remove(struct shard *shard, struct subscription *subscription) ON_SHARD;

/* Delivers to this shard's plain subscribers of the routes. A session that several routes lead
 * to gets the message once, with the highest QoS and all its identifiers [MQTT-3.3.4-2], unless
 * copies are configured. */
void pubsub_dispatch(struct shard *shard, struct message *message, struct route *const *routes,
                     unsigned count) ON_SHARD;

/* Delivers through one subscription, by its options. */
void pubsub_deliver(struct subscription *subscription, struct message *message,
                    bool retained) ON_SHARD;

#endif
