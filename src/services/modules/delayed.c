#include "services/modules/delayed.h"

#include "base/memory.h"
#include "core/pending.h"
#include "mqtt/topic.h"

enum { DELAY_MAX_S = 4294967 };         /* 49 days, as emqttd's successors have it */

struct delayed {
        struct broker *broker;
};

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

        if (!parse(message_topic(message), &seconds, &topic))
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
