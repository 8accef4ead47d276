/* The points where others may watch or change what happens (emqttd_hooks): eleven of emqttd's,
 * and some more. Callbacks run in order of priority, lower first, on the shard of what
 * they are told of. They are added before the shards start and never changed while they run. */
#ifndef LINNET_CORE_HOOKS_H
#define LINNET_CORE_HOOKS_H

#include "base/str.h"
#include "core/message.h"
#include "mqtt/reason.h"
#include "rt/role.h"

struct address;
struct shard;

enum hook_point {
        HOOK_CLIENT_ACCEPT,             /* peer; STOP turns it away with reason and why */
        HOOK_CLIENT_RELEASE,            /* ticket: the end of a connection that got one */
        HOOK_CLIENT_CONNECT,            /* before it is asked who it is: peer; STOP refuses it; its
                                         * ticket may be changed */
        HOOK_CLIENT_AUTHENTICATED,      /* the access chain has let it in, or once more: username is
                                         * who it has been found to be; peer; STOP refuses it */
        HOOK_CLIENT_CONNECTED,          /* reason: of the CONNACK that is sent; after it */
        HOOK_CLIENT_AUTH_FAILED,        /* reason, why: the access chain has denied a CONNECT or a
                                         * re-authentication; before the client is told, which
                                         * waits for delay_ms */
        HOOK_CLIENT_DISCONNECTED,       /* reason */
        HOOK_CLIENT_SUBSCRIBE,          /* topic: a filter as asked for; STOP refuses it */
        HOOK_CLIENT_UNSUBSCRIBE,        /* topic */
        HOOK_SESSION_CREATED,
        HOOK_SESSION_SUBSCRIBED,        /* topic */
        HOOK_SESSION_UNSUBSCRIBED,      /* topic */
        HOOK_SESSION_TERMINATED,        /* reason */
        HOOK_MESSAGE_DUE,               /* a will or a delayed message of that client is to be
                                         * published: STOP drops it */
        HOOK_MESSAGE_WITHHELD,          /* message, why: it is no longer allowed; the first only of
                                         * what waits in a session. Each is told as dropped, too */
        HOOK_MESSAGE_PUBLISH,           /* *message may be replaced; STOP: not routed */
        HOOK_MESSAGE_DELIVERED,         /* message */
        HOOK_MESSAGE_ACKED,             /* message */
        HOOK_MESSAGE_DROPPED,           /* message, why */
        HOOK_ALARM,                     /* topic: the alarm's id; why: raised, NULL: cleared */
        HOOK_POINTS
};

enum hook_result { HOOK_OK, HOOK_STOP };

struct hook_args {
        struct shard    *shard;
        struct str       client_id;
        struct str       username;
        struct str       address;
        struct str       topic;
        struct message **message;       /* a replacement takes over the reference it replaces */
        enum reason      reason;
        const char      *why;           /* of a drop: "queue_full"; of an alarm: a sentence */
        const struct address *peer;     /* for who may include net/ */
        uint64_t         ticket;        /* of an accepted connection; 0: nobody wants to know */
        uint32_t         delay_ms;      /* set by a callback: how long an answer is to wait */
        unsigned         version;       /* of the client's protocol */
        uint16_t         keep_alive_s;
        bool             clean_start;
};

typedef enum hook_result hook_fn(void *context, struct hook_args *args);

struct hook;

struct hooks {                          /* hooks.c's own, but for hooks_watched() */
        struct {
                struct hook *hooks;     /* owned; in order of priority */
                unsigned     count;
        } points[HOOK_POINTS];
};

struct hooks *hooks_new(void);          /* NULL without memory */
void          hooks_free(struct hooks *hooks);

/* False when the same function with the same context is there already, or without memory. */
bool hooks_add(struct hooks *hooks, enum hook_point point, hook_fn *fn, void *context,
               int priority);

/* Anybody is told of that point: to be asked first where messages pass, since the arguments are
 * many. */
static inline bool hooks_watched(const struct hooks *hooks, enum hook_point point)
{
        return hooks->points[point].count > 0;
}

/* HOOK_STOP as soon as one says so. */
enum hook_result hooks_run(const struct hooks *hooks, enum hook_point point,
                           struct hook_args *args) ON_SHARD;

#endif
