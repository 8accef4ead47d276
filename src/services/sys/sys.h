/* $SYS: what the broker says of itself (emqttd_broker, emqttd_stats, emqttd_metrics, the presence
 * module).
 *
 *      $SYS/brokers                              node names, retained
 *      $SYS/brokers/<node>/version, sysdescr     retained
 *      $SYS/brokers/<node>/uptime, datetime
 *      $SYS/brokers/<node>/stats/..., metrics/...
 *      $SYS/brokers/<node>/clients/<id>/connected, disconnected     JSON, as clients come and go
 *      $SYS/broker/...                           the layout that Mosquitto's users read
 */
#ifndef LINNET_SERVICES_SYS_SYS_H
#define LINNET_SERVICES_SYS_SYS_H

#include "core/shard.h"

struct sys;

/* Hangs on the hooks; before the shards start. NULL without memory. */
struct sys *sys_new(struct broker *broker);
void        sys_free(struct sys *sys);

/* On the shard that publishes for the whole broker (the first). */
void sys_start(struct sys *sys, struct shard *shard) ON_SHARD;

#endif
