/* Alarms: something an operator should look at, raised and cleared by name (emqttd_alarm). */
#ifndef LINNET_CORE_ALARM_H
#define LINNET_CORE_ALARM_H

#include "core/shard.h"

/* Tells the hook HOOK_ALARM in the next turn, when nothing is being delivered: who hears of
 * it may publish. `why` in words, copied; NULL: the alarm is over. */
void alarm_tell(struct shard *shard, const char *kind, struct str who, const char *why) ON_SHARD;

/* The same for who is no shard: the first one is told. */
void alarm_post(struct broker *broker, const char *kind, struct str who, const char *why)
        ANY_THREAD;

#endif
