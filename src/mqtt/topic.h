/* Topic names and filters (MQTT 5.0 section 4.7), and the prefixes of special subscriptions. */
#ifndef LINNET_MQTT_TOPIC_H
#define LINNET_MQTT_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* A name: not empty, no wildcard, no U+0000, at most TOPIC_LEVELS_MAX levels. UTF-8 is the
 * decoder's to check. */
bool topic_name_valid(struct str topic);

/* A filter: not empty, `#` alone in the last level, `+` alone in its level [MQTT5-4.7.1-1]
 * [MQTT5-4.7.1-2] [MQTT3-4.7.1-2] [MQTT-4.7.1-3], no U+0000, at most TOPIC_LEVELS_MAX levels.
 * Prefixes ($share/...) are not looked at. */
bool topic_filter_valid(struct str filter);

bool     topic_is_wild(struct str filter);      /* contains + or # */
unsigned topic_levels(struct str topic);        /* "a//b" has three */

/* Cuts the first level off *rest; false once nothing is left. */
static inline bool topic_next_level(struct str *rest, struct str *level)
{
        return str_cut(rest, '/', level);
}

/* Level by level; a name that begins with `$` is not matched by a filter that begins with a
 * wildcard [MQTT-4.7.2-1]. Both must be valid. */
bool topic_matches(struct str filter, struct str topic);

/* Any name that `inner` matches is matched by `outer` too: for access rules and subscriptions. */
bool topic_filter_covers(struct str outer, struct str inner);

enum { TOPIC_DELAY_MAX_S = 4294967 };   /* 49 days, as emqttd's successors have it */

/* "$delayed/<seconds>/<topic>" taken apart: the message is to be published under *rest, later.
 * False when it is not that, and *rest is the topic itself; so it is where *rest would be put off
 * once more, since who asks about *rest means what is published in the end. */
bool topic_delayed(struct str topic, uint32_t *seconds, struct str *rest);

/* A name below $SYS, behind a delay too: the broker alone publishes to it. */
bool topic_is_system(struct str topic);

/* A name that is neither of those two, and most are not. */
static inline bool topic_is_plain(struct str topic)
{
        return topic.len == 0 || topic.ptr[0] != '$';
}

/* What a client asks for in SUBSCRIBE or UNSUBSCRIBE, taken apart:
 *
 *      $share/<group>/<filter>   one member of the group gets each message (section 4.8.2)
 *      $queue/<filter>           the same, in a group named $queue
 *      $local/<filter>           only what is published on this node; may stand before those two
 *      $exclusive/<filter>       at most one subscriber in the whole broker
 */
struct subscription_name {
        struct str filter;              /* what the router sees */
        struct str group;               /* ptr NULL: not shared */
        bool       local;
        bool       exclusive;
};

/* False when the name is none of these forms or a part of it is not valid [MQTT-4.8.2-1]
 * [MQTT-4.8.2-2]. The views lie in `name`. */
bool subscription_name_parse(struct str name, struct subscription_name *out);

#endif
