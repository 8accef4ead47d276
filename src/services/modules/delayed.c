#include "services/modules/delayed.h"

#include "base/memory.h"
#include "core/pending.h"
#include "mqtt/topic.h"

struct delayed {
        struct broker *broker;
};

/* What is put off takes the receipt along: it is acknowledged when it is safe. */
ON_SHARD static bool put_off(struct shard *shard, struct message *message, uint32_t seconds,
                             struct str topic)
{
        uint32_t        max = shard->settings->delayed_max_messages;
        struct message *waiting;

        if (max != 0 && pending_count(shard) >= broker_share(shard->broker, max))
                return false;
        waiting = message_copy(message, topic, message->qos, message->retain);
        if (waiting == NULL ||
            !pending_at(shard, waiting, shard->loop.now.wall_us + seconds * 1000000ull))
                return false;
        metric_add(&shard->metrics.messages_delayed, 1);
        return true;
}

UNCHECKED static enum hook_result on_publish(void *context, struct hook_args *args)
{
        struct message *message = *args->message;
        uint32_t        seconds;
        struct str      topic;

        if (topic_is_plain(message_topic(message)) ||
            !topic_delayed(message_topic(message), &seconds, &topic))
                return HOOK_OK;
        (void)context;
        if (!put_off(args->shard, message, seconds, topic)) {
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
        if (hooks_add(broker->hooks, HOOK_MESSAGE_PUBLISH, on_publish, delayed, -100))
                return delayed;
        mem_free(delayed);
        return NULL;
}

void delayed_free(struct delayed *delayed)
{
        mem_free(delayed);
}
