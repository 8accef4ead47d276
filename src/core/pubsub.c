#include "core/pubsub.h"

#include <assert.h>

#include "base/memory.h"
#include "core/replay.h"
#include "core/review.h"
#include "core/session.h"

/* A shard's subscribers of one route, in a slot of it. One is the common case and costs no list:
 * the slot then points to the subscription itself, its lowest bit set. */
struct subscribers {
        uint32_t             count, size;
        struct subscription *at[];
};

/* One session's part of a dispatch that several routes lead to it. */
struct gather {
        struct session *session;
        struct delivery delivery;
};

static bool is_single(const void *slot)
{
        return ((uintptr_t)slot & 1) != 0;
}

static struct subscription *single(void *slot)
{
        return (struct subscription *)((uintptr_t)slot & ~(uintptr_t)1);
}

bool pubsub_add(struct shard *shard, struct subscription *subscription)
{
        void              **slot = &subscription->route->local[shard->loop.config.id];
        struct subscribers *list;

        if (*slot == NULL) {
                *slot = (void *)((uintptr_t)subscription | 1);
                return true;
        }
        if (is_single(*slot)) {
                list = mem_alloc(sizeof *list + 4 * sizeof list->at[0]);
                if (list == NULL)
                        return false;
                list->count         = 1;
                list->size          = 4;
                list->at[0]         = single(*slot);
                list->at[0]->index  = 0;
        } else {
                list = *slot;
                if (list->count == list->size) {
                        list = mem_realloc(list, sizeof *list +
                                                         2ull * list->size * sizeof list->at[0]);
                        if (list == NULL)
                                return false;
                        list->size *= 2;
                }
        }
        subscription->index     = list->count;
        list->at[list->count++] = subscription;
        *slot                   = list;
        return true;
}

bool pubsub_remove(struct shard *shard, struct subscription *subscription)
{
        void              **slot = &subscription->route->local[shard->loop.config.id];
        struct subscribers *list = *slot;

        if (is_single(*slot)) {
                assert(single(*slot) == subscription);
                *slot = NULL;
                return true;
        }
        assert(list->at[subscription->index] == subscription);
        list->at[subscription->index]        = list->at[--list->count];
        list->at[subscription->index]->index = subscription->index;
        if (list->count > 0)
                return false;
        mem_free(list);
        *slot = NULL;
        return true;
}

/* Rules let a part of what it matches through, and this is none of it. */
ON_SHARD static bool is_denied(const struct subscription *subscription,
                               const struct message *message)
{
        if (!subscription->options.partly ||
            review_allows(subscription->session, message_topic(message),
                          subscription->options.unchecked))
                return false;
        metric_add(&subscription->session->shard->metrics.messages_dropped_denied, 1);
        return true;
}

/* What this subscription makes of the message; false: it does not want it, or may not have it. */
ON_SHARD static bool prepare(const struct subscription *subscription, struct message *message,
                             bool retained, struct delivery *out)
{
        const struct session  *session  = subscription->session;
        const struct settings *settings = session->shard->settings;
        uint8_t                wanted   = subscription->options.qos;

        if (message->from != 0 && message->from == session->from &&
            (subscription->options.no_local || settings->ignore_loop_deliver) && !retained)
                return false;                                           /* [MQTT5-3.8.3-3] */
        if (is_denied(subscription, message))
                return false;
        *out = (struct delivery){ .message = message, .id = subscription->options.id };
        if (settings->upgrade_qos)      /* else [MQTT3-3.8.4-6] [MQTT5-3.8.4-8] [MQTT5-4.8.2-3] */
                out->qos = message->qos > wanted ? message->qos : wanted;
        else
                out->qos = message->qos < wanted ? message->qos : wanted;
        /* [MQTT3-3.3.1-8] [MQTT3-3.3.1-9] [MQTT5-3.3.1-12] [MQTT5-3.3.1-13] */
        out->retain = retained || (message->retain && subscription->options.retain_as_published);
        out->share  = retained ? 0 : subscription->share;
        return true;
}

void pubsub_deliver(struct subscription *subscription, struct message *message, bool retained)
{
        struct delivery delivery;

        if (!prepare(subscription, message, retained, &delivery))
                return;
        message_get(message);
        if (message->retain && !retained)
                replay_seen(subscription->session, message);
        session_deliver(subscription->session, &delivery);
}

/* Merges the delivery with what the session has got of this dispatch already. Without memory it
 * goes out by itself: twice is better than never. */
ON_SHARD static void gather(struct shard *shard, struct subscription *subscription,
                            struct message *message)
{
        struct session *session = subscription->session;
        struct delivery delivery;

        if (!prepare(subscription, message, false, &delivery))
                return;
        if (session->mark == shard->dispatch_serial) {
                struct delivery *there = &shard->gathered[session->marked].delivery;

                if (delivery.qos > there->qos)          /* [MQTT3-3.3.5-1] */
                        there->qos = delivery.qos;
                there->retain |= delivery.retain;
                delivery_add_id(there, delivery.id);    /* [MQTT5-3.3.4-4] */
                return;
        }
        message_get(message);
        if (shard->gathered_count == shard->gathered_size) {
                uint32_t       size = shard->gathered_size != 0 ? shard->gathered_size * 2 : 64;
                struct gather *more =
                        mem_realloc_array(shard->gathered, size, sizeof *more);

                if (more == NULL) {
                        session_deliver(session, &delivery);
                        return;
                }
                shard->gathered      = more;
                shard->gathered_size = size;
        }
        session->mark   = shard->dispatch_serial;
        session->marked = shard->gathered_count;
        shard->gathered[shard->gathered_count++] =
                (struct gather){ .session = session, .delivery = delivery };
}

static void each_of(struct shard *shard, struct message *message, struct route *route,
                    void (*visit)(struct shard *, struct subscription *, struct message *))
{
        void *slot = route->local[shard->loop.config.id];

        if (slot == NULL)
                return;
        if (is_single(slot)) {
                visit(shard, single(slot), message);
                return;
        }

        const struct subscribers *list = slot;

        for (uint32_t i = 0; i < list->count; i++)
                visit(shard, list->at[i], message);
}

ON_SHARD static void deliver(struct shard *shard, struct subscription *subscription,
                             struct message *message)
{
        (void)shard;
        pubsub_deliver(subscription, message, false);
}

void pubsub_dispatch(struct shard *shard, struct message *message, struct route *const *routes,
                     unsigned count)
{
        /* Copies keep the identifier of the subscription that they come by [MQTT5-3.3.4-5]. */
        bool merge = count > 1 && !shard->settings->overlapping_copies;

        shard->dispatch_serial++;
        shard->gathered_count = 0;
        for (unsigned i = 0; i < count; i++)
                each_of(shard, message, routes[i], merge ? gather : deliver);
        for (uint32_t i = 0; i < shard->gathered_count; i++) {
                if (message->retain)
                        replay_seen(shard->gathered[i].session, message);
                session_deliver(shard->gathered[i].session, &shard->gathered[i].delivery);
        }
        shard->gathered_count = 0;
}
