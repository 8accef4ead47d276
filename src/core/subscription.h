/* One subscription of one session. */
#ifndef LINNET_CORE_SUBSCRIPTION_H
#define LINNET_CORE_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/delivery.h"
#include "core/kept.h"
#include "core/router.h"
#include "mqtt/topic.h"

struct session;

struct subscription_options {
        uint32_t id;                    /* subscription identifier; 0: none */
        uint8_t  qos;
        uint8_t  retain_handling;
        bool     no_local;
        bool     retain_as_published;
        bool     partly;                /* access rules let a part through: ask for each message */
        bool     unchecked;             /* partly, but nobody has asked since the broker started */
};

struct subscription {
        struct session             *session;
        struct route               *route;
        struct member              *member;     /* of a shared group; NULL for a plain one */
        struct kept                 kept;       /* its record (core/journal) */
        struct subscription_options options;
        uint32_t                    index;      /* its place among the shard's of this route */
        uint32_t                    share;      /* tells shared ones apart; 0: a plain one */
        uint16_t                    name_len;   /* 0: its name is the route's filter */
        uint8_t                     reviewed;   /* the rules it was looked at with: low byte */
        char                        name[];     /* as the client gave it, prefix included */
};

/* As the client gave it. */
static inline struct str subscription_name_of(const struct subscription *s)
{
        return s->name_len > 0 ? str_from(s->name, s->name_len) : route_filter(s->route);
}

/* Subscribes, or changes the options of a subscription that is there [MQTT-3.8.4-3]; *existed
 * says which. Returns the reason for SUBACK: the granted QoS or an error [MQTT5-3.8.4-7]. Retained
 * messages are sent after replay_start(), so that SUBACK comes first. */
enum reason subscription_add(struct session *session, struct str name,
                             const struct subscription_options *options, bool *existed) ON_SHARD;

/* A restart has found it under that key: whatever is configured now, it stands. False without
 * memory. */
bool subscription_restore(struct session *session, struct str name,
                          const struct subscription_options *options, uint64_t key) ON_SHARD;

/* SUCCESS or NO_SUBSCRIPTION_EXISTED. Under just that name [MQTT-3.10.4-1]; nothing new comes by it
 * from now on [MQTT-3.10.4-2], and what is under way stays in the session [MQTT-3.10.4-3]. */
enum reason subscription_remove(struct session *session, struct str name) ON_SHARD;
void        subscription_revoke(struct subscription *subscription) ON_SHARD;    /* by new rules */
void        subscription_remove_all(struct session *session) ON_SHARD;

/* The session's members of shared groups are (not) connected: others prefer those who are. */
void subscription_set_online(struct session *session, bool online) ON_SHARD;

#endif
