#include "client/admission.h"

#include "core/pressure.h"

#include "mqtt/packet.h"

static struct admission no(struct shard *shard, enum reason reason, const char *why) ON_SHARD;

/* One more, unless there are as many as may be: exact, whichever shards ask at once. */
static bool count_in(_Atomic uint32_t *count, uint32_t max)
{
        uint32_t before = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);

        if (max == 0 || before < max)
                return true;
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
        return false;
}

static void count_out(_Atomic uint32_t *count)
{
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

struct admission admission_enter(struct shard *shard, struct client_listener *listener,
                                 const struct address *peer)
{
        struct client_listener *counts  = client_listener_root(listener);
        struct broker         *broker   = shard->broker;
        const struct settings *settings = shard->settings;
        uint64_t               now_ms   = shard->loop.now.mono_ms;
        struct hook_args       args     = { .shard = shard, .peer = peer };

        if (pressure_of(shard) == PRESSURE_HARD) {
                metric_add(&shard->metrics.connections_refused_memory, 1);
                return (struct admission){ REASON_QUOTA_EXCEEDED, "beyond memory.limit", 0 };
        }
        if (!bucket_take(&counts->connects, listener->connect_rate, 1, now_ms))
                return no(shard, REASON_CONNECTION_RATE_EXCEEDED, "beyond max_conn_rate");
        if (!bucket_take(&broker->connects, settings->connect_rate, 1, now_ms))
                return no(shard, REASON_CONNECTION_RATE_EXCEEDED, "beyond limits.max_conn_rate");
        if (!count_in(&counts->connections, listener->max_connections))
                return no(shard, REASON_QUOTA_EXCEEDED, "beyond max_clients");
        if (!count_in(&broker->connections, settings->max_connections)) {
                count_out(&counts->connections);
                return no(shard, REASON_QUOTA_EXCEEDED, "beyond limits.max_connections");
        }
        if (hooks_run(broker->hooks, HOOK_CLIENT_ACCEPT, &args) == HOOK_STOP) {
                admission_leave(shard, listener, 0);
                return (struct admission){ args.reason, args.why, 0 };
        }
        return (struct admission){ REASON_SUCCESS, NULL, args.ticket };
}

void admission_leave(struct shard *shard, struct client_listener *listener, uint64_t ticket)
{
        struct hook_args args = { .shard = shard, .ticket = ticket };

        count_out(&client_listener_root(listener)->connections);
        count_out(&shard->broker->connections);
        if (ticket != 0)
                hooks_run(shard->broker->hooks, HOOK_CLIENT_RELEASE, &args);
}

static struct admission no(struct shard *shard, enum reason reason, const char *why)
{
        struct metrics *metrics = &shard->metrics;

        metric_add(reason == REASON_QUOTA_EXCEEDED ? &metrics->connections_refused_full
                                                   : &metrics->connections_refused_rate, 1);
        return (struct admission){ reason, why, 0 };
}
