#include "services/acl/rules.h"

#include "mqtt/topic.h"
#include "services/acl/rules_internal.h"

/* A question, made ready for the rules. */
struct question {
        const struct acl_rules *rules;
        struct access_request  *request;
        struct filter_fill      fill;
        struct address          address;
        bool                    has_address;
        bool                    check_delivery;
        bool                    part;           /* some of the filter is allowed (mosquitto) */
};

enum answer { NO, YES, UNSURE };

static enum answer holds(const struct question *q, uint32_t *at);

/* All of AND, one of OR; what is not known counts only where it matters. */
static enum answer group_holds(const struct question *q, uint32_t *at)
{
        const struct acl_who *group  = &q->rules->who[*at];
        enum answer           stop   = group->kind == WHO_AND ? NO : YES;
        enum answer           answer = stop == NO ? YES : NO;

        for (++*at; *at < group->end;) {
                enum answer member = holds(q, at);

                if (member == stop || (member == UNSURE && answer != stop))
                        answer = member;
                if (member == stop)
                        break;
        }
        *at = group->end;
        return answer;
}

/* The condition at *at, and *at moved behind it. As deep as ACL_DEPTH_MAX. */
static enum answer holds(const struct question *q, uint32_t *at)
{
        const struct acl_who        *who     = &q->rules->who[*at];
        const struct access_request *request = q->request;
        struct str name = str_from(q->rules->text.bytes + who->name.at, who->name.len);

        if (who->kind == WHO_AND || who->kind == WHO_OR)
                return group_holds(q, at);
        ++*at;
        switch (who->kind) {
        case WHO_ALL:
                return YES;
        case WHO_ANONYMOUS:
                return request->has_username ? NO : YES;
        case WHO_ANY_USER:
                return request->has_username ? YES : NO;
        case WHO_USER:
                return request->has_username && str_eq(request->username, name) ? YES : NO;
        case WHO_CLIENT:
                return str_eq(request->client_id, name) ? YES : NO;
        case WHO_NETWORK:
                if (q->fill.address_unknown)
                        return UNSURE;
                return q->has_address && network_has(&who->network, &q->address) ? YES : NO;
        case WHO_AND:
        case WHO_OR:
                break;
        }
        return NO;
}

static bool acts(const struct acl_rule *rule, const struct access_request *request)
{
        bool conditional = rule->qos != QOS_ANY || rule->retain != RETAIN_ANY;

        switch (request->kind) {
        case ACCESS_PUBLISH:
                return (rule->actions & ACT_PUBLISH) != 0 && (rule->qos >> request->qos & 1) != 0 &&
                       (rule->retain == RETAIN_ANY ||
                        (rule->retain == RETAIN_ON) == request->retain);
        case ACCESS_SUBSCRIBE:
                return (rule->actions & ACT_SUBSCRIBE) != 0 && (rule->qos >> request->qos & 1) != 0;
        case ACCESS_DELIVER:            /* what was refused was the subscription, not the topic */
                return (rule->actions & ACT_SUBSCRIBE) != 0 && (rule->allow || !conditional);
        case ACCESS_CONNECT:
                break;
        }
        return false;
}

/* {eq, "a/#"}: that subscription itself. It lets through what it matches; to deny it does not
 * deny that. */
static enum filter_relation relate_eq(const struct question *q, const struct acl_rule *rule,
                                      const struct filter_rule *filter, bool wild)
{
        enum filter_relation relation = filter_relate(filter, &q->fill, q->request->topic);

        if (q->request->kind == ACCESS_DELIVER && rule->allow)
                return relation;
        if (str_eq(filter->text, q->request->topic))
                return FILTER_WHOLE;
        return !wild && !rule->allow ? relation : FILTER_APART;
}

static enum filter_relation relate(const struct question *q, const struct acl_rule *rule,
                                   const struct acl_topic *topic)
{
        const struct filter_rule filter = {
                .text  = str_from(q->rules->text.bytes + topic->text.at, topic->text.len),
                .holes = topic->holes,
                .wide  = !rule->allow,
                .skip_missing = q->rules->mosquitto,
                .dollar       = !rule->allow && !q->rules->mosquitto,
        };

        if (topic->eq)
                return relate_eq(q, rule, &filter, topic->wild);
        return filter_relate(&filter, &q->fill, q->request->topic);
}

/* The most that one of the rule's topics says. */
static enum filter_relation relate_all(const struct question *q, const struct acl_rule *rule)
{
        enum filter_relation most = rule->topics == 0 ? FILTER_WHOLE : FILTER_APART;

        for (uint32_t i = 0; i < rule->topics && most != FILTER_WHOLE; i++) {
                enum filter_relation one = relate(q, rule, &q->rules->topics[rule->topic + i]);

                if (one > most || one == FILTER_WHOLE)
                        most = one;
        }
        return most;
}

static enum access_verdict decided(struct question *q, const struct acl_rule *rule)
{
        q->request->line = rule->line;
        return rule->allow ? ACCESS_ALLOW : ACCESS_DENY;
}

/* What one rule says; IGNORE: the next one is asked. */
static enum access_verdict ask(struct question *q, const struct acl_rule *rule)
{
        uint32_t             at = rule->who;
        enum filter_relation relation;
        enum answer          who;

        if (!acts(rule, q->request) || (who = holds(q, &at)) == NO)
                return ACCESS_IGNORE;
        relation = relate_all(q, rule);
        if (relation == FILTER_APART)
                return ACCESS_IGNORE;
        if (who == UNSURE || relation == FILTER_UNSURE) {
                q->request->unsure = true;
                return ACCESS_ALLOW;
        }
        if (relation == FILTER_WHOLE)
                return decided(q, rule);

        /* A part of a filter: the others are not asked for it in vain. */
        if (!q->check_delivery)
                return ACCESS_IGNORE;
        if (!rule->allow)
                q->request->partly = true;
        else if (q->rules->mosquitto)
                q->part = q->request->partly = true;
        return ACCESS_IGNORE;
}

/* Three lists in ascending order, merged: for the user, for the client, for others. */
struct list_of {
        const uint32_t *at, *end;
};

static struct list_of listed(const struct acl_rules *rules, const struct map *map, struct str name)
{
        const struct acl_bucket *bucket = name.len > 0 ? map_find(map, name) : NULL;

        if (bucket == NULL)
                return (struct list_of){ NULL, NULL };
        return (struct list_of){ rules->listed + bucket->first,
                                 rules->listed + bucket->first + bucket->count };
}

static const struct acl_rule *next_rule(const struct acl_rules *rules, struct list_of lists[3])
{
        struct list_of *least = NULL;

        for (unsigned i = 0; i < 3; i++)
                if (lists[i].at != lists[i].end && (least == NULL || *lists[i].at < *least->at))
                        least = &lists[i];
        return least != NULL ? &rules->rules[*least->at++] : NULL;
}

/* A client whose name is a wildcard has no patterns at all, as in Mosquitto. */
static bool no_pattern(const struct question *q)
{
        return topic_is_wild(q->request->client_id) || topic_is_wild(q->request->username);
}

/* Nothing that could be allowed was found. */
static enum access_verdict at_end(struct question *q)
{
        if (q->part)
                return ACCESS_ALLOW;
        if (q->rules->mosquitto || q->request->kind != ACCESS_DELIVER)
                return ACCESS_IGNORE;
        return ACCESS_ALLOW;    /* the subscription was allowed, and nothing denies this of it */
}

enum access_verdict acl_rules_check(const struct acl_rules *rules, struct access_request *request,
                                    bool check_delivery)
{
        struct question q = { .rules          = rules,
                              .request        = request,
                              .fill           = { .client  = request->client_id,
                                                  .address = request->address },
                              .check_delivery = check_delivery };
        struct list_of  lists[3] = {
                listed(rules, &rules->users, request->has_username ? request->username
                                                                   : (struct str){ 0 }),
                listed(rules, &rules->clients, request->client_id),
                { rules->listed + rules->general,
                  rules->listed + rules->general + rules->general_count },
        };
        const struct acl_rule *rule;

        if (request->has_username)
                q.fill.user = request->username;
        q.fill.address_unknown = request->away;
        q.has_address = rules->networks && address_parse_ip(request->address, &q.address);
        while ((rule = next_rule(rules, lists)) != NULL) {
                if (rules->mosquitto && rule->pattern && no_pattern(&q))
                        continue;

                enum access_verdict verdict = ask(&q, rule);

                if (verdict != ACCESS_IGNORE)
                        return verdict;
        }
        return at_end(&q);
}
