#include "services/modules/delayed.h"

#include "base/memory.h"
#include "core/publish.h"
#include "mqtt/topic.h"

enum { DELAY_MAX_S = 4294967 };         /* 49 days, as emqttd's successors have it */

struct waiting {
        struct list     in_waiting;
        struct timer    due;
        struct message *message;        /* under its real topic */
        struct delayed *delayed;
};

struct delayed {
        struct broker *broker;
        struct list    waiting[SHARDS_MAX];
        uint32_t       count[SHARDS_MAX];
};

ON_SHARD static void forget(struct waiting *waiting, struct shard *shard)
{
        loop_timer_cancel(&shard->loop, &waiting->due);
        list_remove(&waiting->in_waiting);
        waiting->delayed->count[shard->loop.config.id]--;
        message_put(waiting->message);
        mem_free(waiting);
}

static void on_due(struct loop *loop, struct timer *timer)
{
        struct waiting *waiting = list_entry(timer, struct waiting, due);
        struct shard   *shard   = shard_of(loop);

        on_shard(loop);
        if (!message_expired(waiting->message, loop->now.wall_us))
                publish(shard, message_get(waiting->message));
        else
                metric_add(&shard->metrics.messages_dropped_expired, 1);
        forget(waiting, shard);
}

/* "$delayed/<seconds>/<topic>" taken apart; false when it is not that. */
static bool parse(struct str topic, uint32_t *seconds, struct str *rest)
{
        struct str level;

        *rest = topic;
        if (!str_starts(topic, STR("$delayed/")))
                return false;
        *rest    = str_skip(topic, sizeof "$delayed/" - 1);
        *seconds = 0;
        if (!str_cut(rest, '/', &level) || level.len == 0 || level.len > 7 || rest->ptr == NULL)
                return false;
        for (size_t i = 0; i < level.len; i++) {
                if (level.ptr[i] < '0' || level.ptr[i] > '9')
                        return false;
                *seconds = *seconds * 10 + (uint32_t)(level.ptr[i] - '0');
        }
        return *seconds <= DELAY_MAX_S && topic_name_valid(*rest);
}

ON_SHARD static bool put_off(struct delayed *delayed, struct shard *shard, struct message *message,
                    uint32_t seconds, struct str topic)
{
        unsigned        id  = shard->loop.config.id;
        uint32_t        max = shard->settings->delayed_max_messages;
        struct waiting *waiting;

        if (max != 0 && delayed->count[id] >= broker_share(shard->broker, max))
                return false;
        waiting = mem_zalloc(sizeof *waiting);
        if (waiting == NULL)
                return false;
        waiting->message = message_copy(message, topic, message->qos, message->retain);
        if (waiting->message == NULL) {
                mem_free(waiting);
                return false;
        }
        waiting->delayed  = delayed;
        waiting->due.fire = on_due;
        list_push_back(&delayed->waiting[id], &waiting->in_waiting);
        delayed->count[id]++;
        loop_timer(&shard->loop, &waiting->due, seconds * 1000ull);
        metric_add(&shard->metrics.messages_delayed, 1);
        return true;
}

UNCHECKED static enum hook_result on_publish(void *context, struct hook_args *args)
{
        struct message *message = *args->message;
        uint32_t        seconds;
        struct str      topic;

        if (!parse(message_topic(message), &seconds, &topic))
                return HOOK_OK;
        if (!put_off(context, args->shard, message, seconds, topic)) {
                metric_add(&args->shard->metrics.messages_dropped_queue, 1);
                args->why = "delayed_full";
                hooks_run(args->shard->broker->hooks, HOOK_MESSAGE_DROPPED, args);
        }
        return HOOK_STOP;
}

struct delayed *delayed_new(struct broker *broker)
{
        struct delayed *delayed = mem_zalloc(sizeof *delayed);

        if (delayed == NULL)
                return NULL;
        delayed->broker = broker;
        for (unsigned i = 0; i < SHARDS_MAX; i++)
                list_init(&delayed->waiting[i]);
        if (hooks_add(broker->hooks, HOOK_MESSAGE_PUBLISH, on_publish, delayed, -100))
                return delayed;
        mem_free(delayed);
        return NULL;
}

void delayed_clear(struct delayed *delayed, struct shard *shard)
{
        list_each(link, after, &delayed->waiting[shard->loop.config.id])
                forget(list_entry(link, struct waiting, in_waiting), shard);
}

void delayed_free(struct delayed *delayed)
{
        mem_free(delayed);
}
