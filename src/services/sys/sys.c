#include "services/sys/sys.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/pressure.h"
#include "core/publish.h"
#include "mqtt/topic.h"
#include "services/sys/version.h"

enum { UPTIME_EVERY_MS = 1000, TEXT_MAX = 512 };

enum { STATS = 6 };

struct sys {
        struct broker *broker;
        uint64_t       highest[STATS];  /* of the rows of say_stats(), since the start */
        struct shard  *shard;           /* the publishing one */
        struct timer   uptime;
        struct timer   interval;
};

/* What there is just now, and the most there has been when it was looked at. */
static const struct stat_row {
        const char *name, *mosquitto;
        size_t      offset;             /* in struct stats */
} stat_rows[STATS] = {
        { "clients", "$SYS/broker/clients/connected", offsetof(struct stats, clients) },
        { "sessions", "$SYS/broker/clients/total", offsetof(struct stats, sessions) },
        { "subscriptions", "$SYS/broker/subscriptions/count",
          offsetof(struct stats, subscriptions) },
        { "subscriptions/shared", "$SYS/broker/shared_subscriptions/count",
          offsetof(struct stats, shared_subscriptions) },
        { "retained", "$SYS/broker/retained messages/count", offsetof(struct stats, retained) },
        { "queued", NULL, offsetof(struct stats, queued) },
};

static uint64_t stat_sum(const struct broker *broker, const struct stat_row *row)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < broker->shard_count; i++) {
                const void *at = (const char *)&broker->shards[i]->stats + row->offset;

                sum += stat_read(at);
        }
        return sum;
}

static void look_at_stats(struct sys *sys)
{
        for (unsigned i = 0; i < STATS; i++) {
                uint64_t now = stat_sum(sys->broker, &stat_rows[i]);

                if (now > sys->highest[i])
                        sys->highest[i] = now;
        }
}

ON_SHARD static void say(struct shard *shard, bool retain, const char *topic, struct str payload)
{
        struct message_fields fields = {
                .topic = str_of(topic), .payload = payload, .retain = retain
        };

        publish_fields(shard, &fields);
}

ON_SHARD static void say_number(struct shard *shard, const char *topic, uint64_t number)
{
        char text[24];
        int  len = snprintf(text, sizeof text, "%" PRIu64, number);

        say(shard, false, topic, str_from(text, (size_t)len));
}

ON_SHARD static void on_uptime(struct loop *loop, struct timer *timer)
{
        struct sys     *sys = list_entry(timer, struct sys, uptime);
        const char     *node = sys->broker->node_name;
        uint64_t        seconds = (loop->now.wall_us - sys->broker->started_us) / 1000000;
        char            topic[TEXT_MAX], text[TEXT_MAX], time[25];
        int             len;

        on_shard(loop);
        look_at_stats(sys);
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/uptime", node);
        len = snprintf(text, sizeof text,
                       "%" PRIu64 " days, %" PRIu64 " hours, %" PRIu64 " minutes, %" PRIu64
                       " seconds",
                       seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        say(sys->shard, false, topic, str_from(text, (size_t)len));
        len = snprintf(text, sizeof text, "%" PRIu64 " seconds", seconds);
        say(sys->shard, false, "$SYS/broker/uptime", str_from(text, (size_t)len));
        clock_format(loop->now.wall_us, time);
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/datetime", node);
        say(sys->shard, false, topic, str_of(time));
        loop_timer(loop, timer, UPTIME_EVERY_MS);
}

/* The sum of one counter over all shards: each is read as its shard last wrote it. */
static uint64_t metric_sum(const struct broker *broker, const struct metric_info *info)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < broker->shard_count; i++)
                sum += metric_read(&broker->shards[i]->metrics, info);
        return sum;
}

ON_SHARD static void say_metrics(struct sys *sys)
{
        size_t                    count;
        const struct metric_info *table = metrics_table(&count);
        char                      topic[TEXT_MAX];

        for (size_t i = 0; i < count; i++) {
                snprintf(topic, sizeof topic, "$SYS/brokers/%s/metrics/%s", sys->broker->node_name,
                         table[i].name);
                say_number(sys->shard, topic, metric_sum(sys->broker, &table[i]));
        }
}

/* Mosquitto's names for some of the same counters. */
ON_SHARD static void say_mosquitto(struct sys *sys)
{
        static const struct {
                const char *topic, *metric;
        } rows[] = {
                { "$SYS/broker/bytes/received", "bytes/received" },
                { "$SYS/broker/bytes/sent", "bytes/sent" },
                { "$SYS/broker/messages/received", "packets/received" },
                { "$SYS/broker/messages/sent", "packets/sent" },
                { "$SYS/broker/publish/messages/received", "messages/received" },
                { "$SYS/broker/publish/messages/sent", "messages/sent" },
                { "$SYS/broker/publish/messages/dropped", "messages/dropped" },
        };
        size_t                    count;
        const struct metric_info *table = metrics_table(&count);

        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
                for (size_t i = 0; i < count; i++)
                        if (strcmp(table[i].name, rows[r].metric) == 0)
                                say_number(sys->shard, rows[r].topic,
                                           metric_sum(sys->broker, &table[i]));
}

/* What the store has done, and what it has not yet. */
ON_SHARD static void say_store(struct sys *sys)
{
        static const struct {
                const char *name;
                size_t      offset;     /* in struct store_stats */
        } rows[] = {
                { "commits", offsetof(struct store_stats, commits) },
                { "records", offsetof(struct store_stats, records) },
                { "commit_us", offsetof(struct store_stats, commit_us) },
                { "commit_us/last", offsetof(struct store_stats, commit_us_last) },
                { "unsynced_bytes", offsetof(struct store_stats, unsynced_bytes) },
                { "disk_bytes", offsetof(struct store_stats, disk_bytes) },
                { "damaged", offsetof(struct store_stats, damaged) },
                { "failing", offsetof(struct store_stats, failing) },
        };
        static const char *const levels[] = { "memory", "relaxed", "strict" };
        const struct store_port *store    = sys->broker->store;
        const char              *node     = sys->broker->node_name;
        enum durability          level    = store != NULL ? store->level : DURABILITY_MEMORY;
        char                     topic[TEXT_MAX];

        snprintf(topic, sizeof topic, "$SYS/brokers/%s/durability", node);
        say(sys->shard, true, topic, str_of(levels[level]));
        for (size_t i = 0; store != NULL && i < sizeof rows / sizeof rows[0]; i++) {
                const void *at = (const char *)&store->stats + rows[i].offset;

                snprintf(topic, sizeof topic, "$SYS/brokers/%s/store/%s", node, rows[i].name);
                say_number(sys->shard, topic, stat_read(at));
        }
}

ON_SHARD static void say_stats(struct sys *sys)
{
        const char *node   = sys->broker->node_name;
        uint32_t    routes = router_count(sys->broker->router);
        char        topic[TEXT_MAX];

        look_at_stats(sys);
        for (unsigned i = 0; i < STATS; i++) {
                const struct stat_row *row = &stat_rows[i];
                uint64_t               now = stat_sum(sys->broker, row);

                snprintf(topic, sizeof topic, "$SYS/brokers/%s/stats/%s/count", node, row->name);
                say_number(sys->shard, topic, now);
                snprintf(topic, sizeof topic, "$SYS/brokers/%s/stats/%s/max", node, row->name);
                say_number(sys->shard, topic, sys->highest[i]);
                if (row->mosquitto != NULL)
                        say_number(sys->shard, row->mosquitto, now);
        }
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/stats/routes/count", node);
        say_number(sys->shard, topic, routes);
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/stats/topics/count", node);
        say_number(sys->shard, topic, routes);
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/memory/held", node);
        say_number(sys->shard, topic, mem_held());
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/memory/limit", node);
        say_number(sys->shard, topic, pressure_limit(sys->shard));
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/stats/connections/count", node);
        say_number(sys->shard, topic,
                   atomic_load_explicit(&sys->broker->connections, memory_order_relaxed));
}

ON_SHARD static void say_identity(struct sys *sys)
{
        const char *node = sys->broker->node_name;
        char        topic[TEXT_MAX];

        say(sys->shard, true, "$SYS/brokers", str_of(node));
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/version", node);
        say(sys->shard, true, topic, STR(LINNET_VERSION));
        snprintf(topic, sizeof topic, "$SYS/brokers/%s/sysdescr", node);
        say(sys->shard, true, topic, STR("Linnet MQTT Broker"));
        say(sys->shard, true, "$SYS/broker/version", STR("linnet version " LINNET_VERSION));
}

static void on_interval(struct loop *loop, struct timer *timer)
{
        struct sys *sys = list_entry(timer, struct sys, interval);

        on_shard(loop);
        if (sys->shard->settings->sys_interval_ms == 0)
                return;
        say_identity(sys);
        say_stats(sys);
        say_store(sys);
        say_metrics(sys);
        say_mosquitto(sys);
        loop_timer(loop, timer, sys->shard->settings->sys_interval_ms);
}

static bool is_plain_in_json(unsigned char c)
{
        return c != '"' && c != '\\' && c >= 0x20 && c != 0x7f;
}

/* Appends a JSON string: what a client chose must not break out of its quotes. */
static void put_json(struct buffer *to, struct str text)
{
        buffer_append(to, STR("\""));
        while (text.len > 0) {
                unsigned char c     = (unsigned char)text.ptr[0];
                size_t        plain = 0;

                while (plain < text.len && is_plain_in_json((unsigned char)text.ptr[plain]))
                        plain++;
                buffer_append(to, str_from(text.ptr, plain));
                if (plain == 0)
                        buffer_printf(to, c < 0x20 || c == 0x7f ? "\\u%04x" : "\\%c", c);
                text = str_skip(text, plain > 0 ? plain : 1);
        }
        buffer_append(to, STR("\""));
}

typedef void payload_of(struct buffer *to, const struct hook_args *args);

/* Clients come and go by the thousand, and mostly nobody listens: then nothing is written. */
ON_SHARD static void presence(struct hook_args *args, struct str event, payload_of *write)
{
        struct buffer         topic  = { 0 }, payload = { 0 };
        struct message_fields fields = { .qos = 1 };

        buffer_append(&topic, STR("$SYS/brokers/"));
        buffer_append(&topic, str_of(args->shard->broker->node_name));
        buffer_append(&topic, STR("/clients/"));
        buffer_append(&topic, args->client_id);
        buffer_append(&topic, event);
        fields.topic = buffer_str(&topic);
        /* A client id with wildcards would make a topic that no message may have. */
        if (topic_name_valid(fields.topic) && publish_is_heard(args->shard, fields.topic)) {
                write(&payload, args);
                fields.payload = buffer_str(&payload);
                publish_fields(args->shard, &fields);
        }
        buffer_deinit(&topic);
        buffer_deinit(&payload);
}

static void put_names(struct buffer *to, const struct hook_args *args)
{
        buffer_append(to, STR("{\"clientid\":"));
        put_json(to, args->client_id);
        buffer_append(to, STR(",\"username\":"));
        put_json(to, args->username.len > 0 ? args->username : STR("undefined"));
}

ON_SHARD static void payload_of_connected(struct buffer *to, const struct hook_args *args)
{
        put_names(to, args);
        buffer_append(to, STR(",\"ipaddress\":"));
        put_json(to, args->address);
        buffer_printf(to, ",\"clean_sess\":%s,\"protocol\":%u,\"connack\":0,\"ts\":%" PRIu64 "}",
                      args->clean_start ? "true" : "false", args->version,
                      args->shard->loop.now.wall_us / 1000000);
}

UNCHECKED static enum hook_result on_connected(void *context, struct hook_args *args)
{
        (void)context;
        if (args->reason == REASON_SUCCESS)
                presence(args, STR("/connected"), payload_of_connected);
        return HOOK_OK;
}

ON_SHARD static void payload_of_disconnected(struct buffer *to, const struct hook_args *args)
{
        put_names(to, args);
        buffer_append(to, STR(",\"reason\":"));
        put_json(to, str_of(args->why != NULL ? args->why : reason_name(args->reason)));
        buffer_printf(to, ",\"ts\":%" PRIu64 "}", args->shard->loop.now.wall_us / 1000000);
}

UNCHECKED static enum hook_result on_disconnected(void *context, struct hook_args *args)
{
        (void)context;
        presence(args, STR("/disconnected"), payload_of_disconnected);
        return HOOK_OK;
}

/* As a log line and as a message: $SYS/brokers/<node>/alarms/<id>/alert or /clear. */
UNCHECKED static enum hook_result on_alarm(void *context, struct hook_args *args)
{
        struct buffer         topic = { 0 }, payload = { 0 };
        struct message_fields fields = { .qos = 0 };
        bool                  raised = args->why != NULL;

        (void)context;
        if (raised)
                LOG(WARNING, "alarm.raised", F_STR("id", args->topic), F_TEXT("why", args->why));
        else
                LOG(INFO, "alarm.cleared", F_STR("id", args->topic));
        buffer_printf(&topic, "$SYS/brokers/%s/alarms/%.*s/%s", args->shard->broker->node_name,
                      STR_ARGS(args->topic), raised ? "alert" : "clear");
        buffer_append(&payload, STR("{\"id\":"));
        put_json(&payload, args->topic);
        if (raised) {
                buffer_append(&payload, STR(",\"severity\":\"warning\",\"summary\":"));
                put_json(&payload, str_of(args->why));
        }
        buffer_printf(&payload, ",\"ts\":%" PRIu64 "}", args->shard->loop.now.wall_us / 1000000);
        fields.topic   = buffer_str(&topic);
        fields.payload = buffer_str(&payload);
        if (topic_name_valid(fields.topic))
                publish_fields(args->shard, &fields);
        buffer_deinit(&topic);
        buffer_deinit(&payload);
        return HOOK_OK;
}

struct sys *sys_new(struct broker *broker)
{
        struct sys *sys = mem_zalloc(sizeof *sys);

        if (sys == NULL)
                return NULL;
        sys->broker        = broker;
        sys->uptime.fire   = on_uptime;
        sys->interval.fire = on_interval;
        if (hooks_add(broker->hooks, HOOK_ALARM, on_alarm, sys, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_CONNECTED, on_connected, sys, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_DISCONNECTED, on_disconnected, sys, 0))
                return sys;
        sys_free(sys);
        return NULL;
}

void sys_free(struct sys *sys)
{
        mem_free(sys);
}

void sys_start(struct sys *sys, struct shard *shard)
{
        sys->shard = shard;
        if (shard->settings->sys_interval_ms == 0)
                return;
        loop_timer(&shard->loop, &sys->uptime, UPTIME_EVERY_MS);
        loop_timer(&shard->loop, &sys->interval, 0);
}
