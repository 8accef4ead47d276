/* SUBSCRIBE: all filters are asked for first, then entered as if each had come alone
 * [MQTT3-3.8.4-4] [MQTT5-3.8.4-5], then answered in order, each with a code [MQTT-3.9.3-1]
 * [MQTT3-3.8.4-5] [MQTT5-3.8.4-6]. */
#include "client/protocol.h"

#include <assert.h>

#include "client/mount.h"
#include "core/pressure.h"
#include "core/replay.h"
#include "core/subscription.h"
#include "mqtt/topic.h"

static bool        next_item(struct client *c, struct str *filters,
                             struct subscribe_item *item) ON_SHARD;
static bool        has_denied(struct str verdicts);
static bool        verdicts_of(struct client *c, const struct subscribe_packet *s) ON_SHARD;
static enum reason name_check(struct client *c, const struct subscribe_item *item,
                              struct subscription_name *name) ON_SHARD;
static enum reason subscribe_one(struct client *c, const struct subscribe_item *item, uint32_t id,
                                 bool partly, bool *replays) ON_SHARD;

void on_subscribe(struct client *c, const struct packet *packet)
{
        const struct subscribe_packet *s = &packet->subscribe;
        char                           reasons[SUBSCRIBE_FILTERS_MAX];
        bool                           replays[SUBSCRIBE_FILTERS_MAX];
        uint32_t                       id = 0;
        struct subscribe_item          item;

        assert(s->count <= SUBSCRIBE_FILTERS_MAX);
        if (!verdicts_of(c, s))
                return;
        if (c->version == MQTT_5 && property_has(&s->properties, PROPERTY_SUBSCRIPTION_ID))
                id = s->properties.subscription_id;

        const struct str verdicts = buffer_str(&c->asking->verdicts);
        struct str       filters  = s->filters;

        if (c->shard->settings->acl_deny_disconnects && has_denied(verdicts)) {
                client_fail(c, REASON_NOT_AUTHORIZED, "its SUBSCRIBE was denied");
                return;
        }
        for (unsigned i = 0; next_item(c, &filters, &item); i++) {
                enum reason reason = (enum reason)(uint8_t)verdicts.ptr[i];

                replays[i] = false;
                if (!reason_is_error(reason))
                        reason = subscribe_one(c, &item, id, reason == ALLOWED_PARTLY, &replays[i]);
                if (!packet_reason_allowed(PACKET_SUBACK, reason, PACKET_FROM_SERVER))
                        reason = REASON_UNSPECIFIED_ERROR;
                reasons[i] = (char)reason;
                metric_add(&c->shard->metrics.subscriptions_refused, reason_is_error(reason));
        }

        /* [MQTT3-2.3.1-7] [MQTT5-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2] */
        const struct suback_packet suback = { .packet_id = s->packet_id,
                                              .reasons   = str_from(reasons, s->count) };

        struct receipt *barrier = protocol_barrier(c);

        protocol_wait(reply_suback(c, PACKET_SUBACK, &suback, barrier == NULL), barrier);
        filters = s->filters;
        for (unsigned i = 0; next_item(c, &filters, &item); i++)
                if (replays[i] && c->peer.session != NULL)
                        replay_start(c->peer.session, item.filter);
}

/* By the access chain; what is beyond a limit has another reason. */
static bool has_denied(struct str verdicts)
{
        for (size_t i = 0; i < verdicts.len; i++)
                if ((uint8_t)verdicts.ptr[i] == REASON_NOT_AUTHORIZED)
                        return true;
        return false;
}

/* Its filter is valid until the next one. */
static bool next_item(struct client *c, struct str *filters, struct subscribe_item *item)
{
        if (!subscribe_next(filters, item))
                return false;
        item->filter = mount_filter(c, item->filter);
        return true;
}

/* None while memory is at its limit: a subscription takes some. */
ON_SHARD static uint32_t filters_max(const struct client *c)
{
        return pressure_of(c->shard) == PRESSURE_HARD ? 0 : c->shard->settings->max_filters;
}

/* A verdict for each filter in c->asking->verdicts; false when one is still awaited, or the packet
 * was refused. */
static bool verdicts_of(struct client *c, const struct subscribe_packet *s)
{
        struct str            filters = s->filters;
        struct subscribe_item item;

        if (!asking_begin(c)) {
                client_lost(c, "no memory");
                return false;
        }
        if (c->asking->verdicts_epoch != c->shard->access_epoch)        /* while one was awaited */
                buffer_consume(&c->asking->verdicts, buffer_len(&c->asking->verdicts));
        c->asking->verdicts_epoch = c->shard->access_epoch;
        for (unsigned i = 0; next_item(c, &filters, &item); i++) {
                struct subscription_name name   = { .group = { NULL, 0 } };
                enum reason              reason = i < filters_max(c)
                                                          ? name_check(c, &item, &name)
                                                          : REASON_QUOTA_EXCEEDED;
                struct question          question = { .kind  = ACCESS_SUBSCRIBE,
                                                      .topic = name.filter,
                                                      .qos   = item.qos };

                if (c->state != CLIENT_CONNECTED)
                        return false;
                if (reason == REASON_SUCCESS && !protocol_ask(c, i, &question, &reason))
                        return false;
                if (i < buffer_len(&c->asking->verdicts))
                        continue;

                char byte = (char)reason;

                if (!buffer_append(&c->asking->verdicts, str_from(&byte, 1))) {
                        client_lost(c, "no memory");
                        return false;
                }
        }
        return true;
}

static enum reason name_check(struct client *c, const struct subscribe_item *item,
                              struct subscription_name *name)
{
        *name = (struct subscription_name){ 0 };
        if (!subscription_name_parse(item->filter, name)) {     /* [MQTT-4.8.2-1] [MQTT-4.8.2-2] */
                *name = (struct subscription_name){ 0 };
                return REASON_TOPIC_FILTER_INVALID;
        }
        if (item->no_local && name->group.ptr != NULL) {        /* [MQTT5-3.8.3-4] */
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "No Local on a shared subscription");
                return REASON_PROTOCOL_ERROR;
        }
        if (topic_levels(name->filter) > c->shard->settings->max_topic_levels ||
            item->filter.len > c->shard->settings->max_topic_bytes)
                return REASON_TOPIC_FILTER_INVALID;
        return REASON_SUCCESS;
}

static enum reason subscribe_one(struct client *c, const struct subscribe_item *item, uint32_t id,
                                 bool partly, bool *replays)
{
        struct subscription_options options = {
                .id                  = id,
                .qos                 = item->qos,
                .retain_handling     = item->retain_handling,
                .no_local            = item->no_local,
                .retain_as_published = item->retain_as_published,
                .partly              = partly,
        };
        struct subscription_name name;
        bool                     existed = false;

        if (c->peer.session == NULL)
                return REASON_UNSPECIFIED_ERROR;
        if (client_hook(c, HOOK_CLIENT_SUBSCRIBE, item->filter, REASON_SUCCESS) == HOOK_STOP)
                return REASON_NOT_AUTHORIZED;

        enum reason reason = subscription_add(c->peer.session, item->filter, &options, &existed);

        /* [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11] [MQTT5-3.8.4-4] */
        *replays = !reason_is_error(reason) && subscription_name_parse(item->filter, &name) &&
                   name.group.ptr == NULL &&
                   (item->retain_handling == 0 || (item->retain_handling == 1 && !existed));
        return reason;
}
