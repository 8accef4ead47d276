#include "core/publish.h"

#include <assert.h>

#include "base/memory.h"
#include "core/pubsub.h"
#include "core/shared.h"

/* A message for another shard's plain subscribers, with the routes that lead to them. */
struct dispatch_mail {
        struct mail     mail;
        struct message *message;
        uint32_t        count;
        struct route   *routes[];
};

/* A message for one member of a shared group on another shard. */
struct member_mail {
        struct mail         mail;
        struct message     *message;
        const struct route *route;
        struct member      *member;
        uint32_t            hops;               /* members that had left before */
        uint32_t            group_len;
        char                group[];
};

enum { MEMBER_HOPS_MAX = 8 };

static void dispatch_deliver(struct loop *loop, struct mail *mail)
{
        struct dispatch_mail *dispatch = (struct dispatch_mail *)(void *)mail;

        on_shard(loop);
        pubsub_dispatch(shard_of(loop), dispatch->message, dispatch->routes, dispatch->count);
        receipt_mailed(dispatch->message, shard_of(loop));
        message_put(dispatch->message);
}

static void dispatch_drop(struct mail *mail)
{
        message_put(((struct dispatch_mail *)(void *)mail)->message);
}

static const struct mail_ops dispatch_ops = { "dispatch", dispatch_deliver, dispatch_drop };

static void no_memory(struct shard *shard, const struct message *message)
{
        receipt_lose(message);
        metric_add(&shard->metrics.messages_dropped_memory, 1);
}

/* One mail to shard `to`, with those of the matched routes that lead there. */
ON_SHARD static void dispatch_to(struct shard *shard, unsigned to, struct message *message)
{
        const struct matches *matches = &shard->matches;
        uint32_t              count   = 0;

        for (uint32_t i = 0; i < matches->count; i++)
                count += route_has_shard(matches->routes[i], to);

        struct dispatch_mail *mail = loop_mail(&shard->loop, to, &dispatch_ops,
                                               sizeof *mail + count * sizeof mail->routes[0]);

        if (mail == NULL) {
                no_memory(shard, message);
                return;
        }
        mail->message = message_get(message);
        receipt_mail(message, shard);
        for (uint32_t i = 0; i < matches->count && mail->count < count; i++)
                if (route_has_shard(matches->routes[i], to))
                        mail->routes[mail->count++] = matches->routes[i];
}

static bool member_send(struct shard *shard, const struct route *route, const struct group *group,
                        struct message *message, const struct member *except, uint32_t hops);

/* The member has left meanwhile. A mail's pointers are not passed on: look the group up again. */
ON_SHARD static bool send_on(struct shard *shard, const struct member_mail *to)
{
        struct str    name = str_from(to->group, to->group_len);
        struct route *route = to->hops < MEMBER_HOPS_MAX
                                      ? router_find(shard->broker->router, route_filter(to->route))
                                      : NULL;
        const struct group_list *list =
                route != NULL ? atomic_load_explicit(&route->groups, memory_order_acquire) : NULL;

        for (uint32_t i = 0; list != NULL && i < list->count; i++) {
                if (!str_eq(list->groups[i]->name, name))
                        continue;
                return member_send(shard, route, list->groups[i], to->message, to->member,
                                   to->hops + 1);
        }
        return false;
}

static void member_deliver(struct loop *loop, struct mail *mail)
{
        struct member_mail *to    = (struct member_mail *)(void *)mail;
        struct shard       *shard = shard_of(loop);

        on_shard(loop);
        if (to->member->subscription != NULL)
                pubsub_deliver(to->member->subscription, to->message, false);
        else if (send_on(shard, to))
                metric_add(&shard->metrics.messages_redispatched, 1);
        else
                metric_add(&shard->metrics.messages_dropped, 1);
        receipt_mailed(to->message, shard);
        message_put(to->message);
}

static void member_drop(struct mail *mail)
{
        message_put(((struct member_mail *)(void *)mail)->message);
}

static const struct mail_ops member_ops = { "member", member_deliver, member_drop };

/* To one member of the group; the caller keeps its reference. False: there is nobody. */
ON_SHARD static bool member_send(struct shard *shard, const struct route *route,
                                 const struct group *group, struct message *message,
                                 const struct member *except, uint32_t hops)
{
        struct member *member = shared_pick(shard, group, message, except);

        if (member == NULL)
                return false;
        if (member->shard == shard->loop.config.id && member->subscription != NULL) {
                pubsub_deliver(member->subscription, message, false);
                return true;
        }

        struct member_mail *mail = loop_mail(&shard->loop, member->shard, &member_ops,
                                             sizeof *mail + group->name.len);

        if (mail == NULL) {
                no_memory(shard, message);
                return true;
        }
        mail->message   = message_get(message);
        receipt_mail(message, shard);
        mail->route     = route;
        mail->member    = member;
        mail->hops      = hops;
        mail->group_len = (uint32_t)group->name.len;
        memcpy(mail->group, group->name.ptr, group->name.len);
        return true;
}

ON_SHARD static unsigned dispatch_groups(struct shard *shard, struct message *message)
{
        unsigned sent = 0;

        for (uint32_t i = 0; i < shard->matches.count; i++) {
                const struct route      *route = shard->matches.routes[i];
                const struct group_list *list =
                        atomic_load_explicit(&route->groups, memory_order_acquire);

                for (uint32_t g = 0; list != NULL && g < list->count; g++)
                        sent += member_send(shard, route, list->groups[g], message, NULL, 0);
        }
        return sent;
}

ON_SHARD static unsigned dispatch_plain(struct shard *shard, struct message *message)
{
        struct matches *matches                 = &shard->matches;
        uint64_t        bits[SHARDS_MAX / 64]   = { 0 };
        unsigned        routes                  = 0;
        unsigned        self                    = shard->loop.config.id;
        unsigned        words                   = route_words(shard->broker->shard_count);

        for (uint32_t i = 0; i < matches->count; i++) {
                const _Atomic uint64_t *shards = route_shards(matches->routes[i]);
                uint64_t                any    = 0;

                for (unsigned w = 0; w < words; w++) {
                        uint64_t word = atomic_load_explicit(&shards[w], memory_order_relaxed);

                        bits[w] |= word;
                        any |= word;
                }
                routes += any != 0;
        }
        for (unsigned to = 0; to < shard->broker->shard_count; to++)
                if (to != self && (bits[to / 64] >> (to % 64) & 1) != 0)
                        dispatch_to(shard, to, message);
        if ((bits[self / 64] >> (self % 64) & 1) != 0)
                pubsub_dispatch(shard, message, matches->routes, matches->count);
        return routes;
}

unsigned publish(struct shard *shard, struct message *message)
{
        struct hook_args args = { .shard     = shard,
                                  .message   = &message,
                                  .client_id = message_client_id(message),
                                  .username  = message_username(message),
                                  .topic     = message_topic(message) };
        unsigned         sent;

        if (hooks_run(shard->broker->hooks, HOOK_MESSAGE_PUBLISH, &args) == HOOK_STOP) {
                message_put(message);
                return 1;       /* somebody took it: a hook is not "nobody wanted it" */
        }
        /* From here to the sessions of all who match, and to none else [MQTT-4.5.0-1]
         * [MQTT-3.3.2-3]. */
        if (!route_memo_match(shard->memo, shard->broker->router, message_topic(message),
                              &shard->matches))
                no_memory(shard, message);
        sent = dispatch_plain(shard, message);
        sent += dispatch_groups(shard, message);
        if (sent == 0 && !str_starts(message_topic(message), STR("$SYS/"))) {
                metric_add(&shard->metrics.messages_dropped, 1);
                args.why   = "no_subscribers";
                args.topic = message_topic(message);
                hooks_run(shard->broker->hooks, HOOK_MESSAGE_DROPPED, &args);
        }
        message_put(message);
        return sent;
}

bool publish_is_heard(struct shard *shard, struct str topic)
{
        return !router_match(shard->broker->router, topic, &shard->matches) ||
               shard->matches.count > 0;
}

struct message *message_stamp(struct shard *shard, struct message_fields *fields)
{
        struct message *message;

        fields->wall_us = shard->loop.now.wall_us;
        fields->guid    = guid_next(&shard->guids, fields->wall_us);
        message         = message_new(fields);
        if (message == NULL)
                metric_add(&shard->metrics.messages_dropped_memory, 1);
        return message;
}

bool publish_fields(struct shard *shard, struct message_fields *fields)
{
        struct message *message = message_stamp(shard, fields);

        if (message == NULL)
                return false;
        publish(shard, message);
        return true;
}

bool publish_to_group(struct shard *shard, struct str name, const struct member *except,
                      struct message *message)
{
        struct subscription_name parsed;
        bool                     valid = subscription_name_parse(name, &parsed);
        const struct route      *route = valid ? router_find(shard->broker->router, parsed.filter)
                                               : NULL;
        const struct group_list *list =
                route != NULL ? atomic_load_explicit(&route->groups, memory_order_acquire) : NULL;
        bool sent = false;

        for (uint32_t i = 0; list != NULL && i < list->count && !sent; i++)
                if (str_eq(list->groups[i]->name, parsed.group))
                        sent = member_send(shard, route, list->groups[i], message, except, 1);
        metric_add(sent ? &shard->metrics.messages_redispatched : &shard->metrics.messages_dropped,
                   1);
        message_put(message);
        return sent;
}
