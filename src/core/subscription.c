#include "core/subscription.h"

#include <assert.h>

#include "base/memory.h"
#include "core/pubsub.h"
#include "core/review.h"
#include "core/session.h"

static struct str exclusive_group = { "$exclusive", 10 };

ON_SHARD static void tell(struct session *session, enum hook_point point, struct str name,
                          const char *why)
{
        struct hook_args args = { .shard     = session->shard,
                                  .client_id = session->client_id,
                                  .username  = session->username,
                                  .topic     = name,
                                  .why       = why };

        hooks_run(session->shard->broker->hooks, point, &args);
}

static void member_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct member, retired));
}

/* The name of the group that a subscription is a member of; ptr NULL for a plain one. An
 * exclusive one is the only member of a group of its own. */
static struct str group_of(const struct subscription_name *name)
{
        return name->exclusive ? exclusive_group : name->group;
}

/* Enters it in the route index, as a member or as a plain subscriber. False without memory. */
ON_SHARD static bool route_in(struct subscription *subscription,
                              const struct subscription_name *name)
{
        struct session *session = subscription->session;
        struct shard   *shard   = session->shard;
        struct router  *router  = shard->broker->router;
        struct str      group   = group_of(name);

        if (group.ptr == NULL) {
                subscription->route = router_add(router, &shard->loop, name->filter);
                if (subscription->route == NULL)
                        return false;
                if (pubsub_add(shard, subscription))
                        return true;
                if (subscription->route->local[shard->loop.config.id] == NULL)
                        router_remove(router, &shard->loop, subscription->route);
                return false;
        }

        struct member *member = mem_zalloc(sizeof *member);

        if (member == NULL)
                return false;
        member->subscription = subscription;
        member->client_hash  = session->from;
        member->shard        = shard->loop.config.id;
        atomic_store_explicit(&member->online, session->peer != NULL, memory_order_relaxed);
        subscription->route = router_join(router, &shard->loop, name->filter, group, member);
        if (subscription->route == NULL) {
                mem_free(member);
                return false;
        }
        subscription->member = member;
        subscription->share  = (uint32_t)hash_str(&shard->broker->key,
                                                  subscription_name_of(subscription)) | 1;
        stat_change(&shard->stats.shared_subscriptions, 1);
        return true;
}

ON_SHARD static void route_out(struct subscription *subscription)
{
        struct shard            *shard  = subscription->session->shard;
        struct router           *router = shard->broker->router;
        struct subscription_name name;

        if (subscription->member == NULL) {
                if (pubsub_remove(shard, subscription))
                        router_remove(router, &shard->loop, subscription->route);
                return;
        }

        bool valid = subscription_name_parse(subscription_name_of(subscription), &name);

        assert(valid);          /* it was when it was made */
        subscription->member->subscription = NULL;
        router_leave(router, &shard->loop, subscription->route, group_of(&name),
                     subscription->member);
        reclaim_retire(&shard->loop, &subscription->member->retired, member_release);
        subscription->member = NULL;
        stat_change(&shard->stats.shared_subscriptions, -1);
}

/* The first of the group's members wins: two shards that join at once see the same order. */
static bool is_exclusive(const struct subscription *subscription)
{
        const struct group_list *list =
                atomic_load_explicit(&subscription->route->groups, memory_order_acquire);

        for (uint32_t i = 0; list != NULL && i < list->count; i++)
                if (str_eq(list->groups[i]->name, exclusive_group))
                        return list->groups[i]->members[0] == subscription->member;
        return false;
}

ON_SHARD static void forget(struct subscription *subscription)
{
        struct session *session = subscription->session;

        map_remove(&session->subscriptions, subscription_name_of(subscription));
        review_moved(session);
        route_out(subscription);
        journal_forget(session->shard, &subscription->kept, true);
        stat_change(&session->shard->stats.subscriptions, -1);
        mem_free(subscription);
}

ON_SHARD static enum reason subscription_new(struct session *session, struct str name,
                                    const struct subscription_name    *parsed,
                                    const struct subscription_options *options)
{
        bool                 own = !str_eq(name, parsed->filter);
        struct subscription *subscription =
                mem_zalloc(sizeof *subscription + (own ? name.len : 0));

        if (subscription == NULL)
                return REASON_QUOTA_EXCEEDED;
        subscription->session  = session;
        subscription->options  = *options;
        subscription->reviewed = (uint8_t)session->shard->access_epoch;
        if (own) {
                subscription->name_len = (uint16_t)name.len;
                memcpy(subscription->name, name.ptr, name.len);
        }
        if (!route_in(subscription, parsed)) {
                mem_free(subscription);
                return REASON_QUOTA_EXCEEDED;
        }
        if (!map_add(&session->subscriptions, subscription)) {
                route_out(subscription);
                mem_free(subscription);
                return REASON_QUOTA_EXCEEDED;
        }
        review_moved(session);
        session->partly |= options->partly;
        stat_change(&session->shard->stats.subscriptions, 1);
        if (parsed->exclusive && !is_exclusive(subscription)) {
                forget(subscription);
                return REASON_QUOTA_EXCEEDED;
        }
        return (enum reason)options->qos;       /* whatever mqtt.max_qos is [MQTT5-3.2.2-10] */
}

enum reason subscription_add(struct session *session, struct str name,
                             const struct subscription_options *options, bool *existed)
{
        struct subscription     *there    = map_find(&session->subscriptions, name);
        const struct settings   *settings = session->shard->settings;
        struct subscription_name parsed;
        enum reason              reason = (enum reason)options->qos;

        *existed = there != NULL;
        if (!subscription_name_parse(name, &parsed))
                return REASON_TOPIC_FILTER_INVALID;
        if (topic_is_wild(parsed.filter) && !settings->wildcard_available) /* [MQTT3-3.8.3-2] */
                return REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
        if (parsed.group.ptr != NULL && !settings->shared_available)
                return REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        if (parsed.exclusive && !settings->exclusive_available)
                return REASON_TOPIC_FILTER_INVALID;
        if (topic_levels(parsed.filter) > settings->max_topic_levels)
                return REASON_TOPIC_FILTER_INVALID;
        if (there != NULL) {
                there->options  = *options;
                there->reviewed = (uint8_t)session->shard->access_epoch;
                session->partly |= options->partly;
        } else {
                if (settings->max_subscriptions != 0 &&
                    session->subscriptions.count >= settings->max_subscriptions)
                        return REASON_QUOTA_EXCEEDED;
                reason = subscription_new(session, name, &parsed, options);
        }
        if (reason_is_error(reason))
                return reason;
        journal_subscription(map_find(&session->subscriptions, name));
        tell(session, HOOK_SESSION_SUBSCRIBED, name, NULL);
        return reason;
}

bool subscription_restore(struct session *session, struct str name,
                          const struct subscription_options *options, uint64_t key)
{
        struct subscription_options unchecked = *options;
        struct subscription_name    parsed;
        struct subscription        *subscription;

        unchecked.partly    = true;     /* until its client is back, under whatever rules */
        unchecked.unchecked = true;
        if (!subscription_name_parse(name, &parsed) ||
            map_find(&session->subscriptions, name) != NULL ||
            reason_is_error(subscription_new(session, name, &parsed, &unchecked)))
                return false;
        subscription       = map_find(&session->subscriptions, name);
        subscription->kept = (struct kept){ .key    = key,
                                            .kind   = KEPT_SUBSCRIPTION,
                                            .posted = true };
        return true;
}

enum reason subscription_remove(struct session *session, struct str name)
{
        struct subscription *there = map_find(&session->subscriptions, name);

        if (there == NULL)
                return REASON_NO_SUBSCRIPTION_EXISTED;
        forget(there);
        tell(session, HOOK_SESSION_UNSUBSCRIBED, name, NULL);
        return REASON_SUCCESS;
}

void subscription_revoke(struct subscription *subscription)
{
        struct session *session = subscription->session;
        size_t          len     = subscription_name_of(subscription).len;
        char           *name    = mem_dup(subscription_name_of(subscription));

        forget(subscription);
        tell(session, HOOK_SESSION_UNSUBSCRIBED, str_from(name, name != NULL ? len : 0), "revoked");
        mem_free(name);
}

void subscription_remove_all(struct session *session)
{
        struct subscription *subscription;
        size_t               at = 0;

        while ((subscription = map_next(&session->subscriptions, &at)) != NULL) {
                forget(subscription);
                at--;           /* another may have moved to its place */
        }
}

void subscription_set_online(struct session *session, bool online)
{
        struct subscription *subscription;
        size_t               at = 0;

        while ((subscription = map_next(&session->subscriptions, &at)) != NULL)
                if (subscription->member != NULL)
                        atomic_store_explicit(&subscription->member->online, online,
                                              memory_order_relaxed);
}
