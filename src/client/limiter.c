#include "client/limiter.h"

#include "base/memory.h"
#include "client/client_internal.h"

enum {
        PAUSE_MIN_MS = 20,              /* so that pauses are few when the rate is high */
        PAUSE_MAX_MS = 60000,           /* so that a rate that was raised is seen in time */
};

static void read_again(struct loop *loop, struct timer *timer);
static void write_again(struct loop *loop, struct timer *timer);
static void pause_reading(struct client *c, uint64_t debt_ms) ON_SHARD;

/* A listener's own rate goes before that of all. */
ON_SHARD static struct rate rate_in(const struct client *c)
{
        return c->listener->bytes_in.per_second > 0 ? c->listener->bytes_in
                                                    : c->shard->settings->bytes_in;
}

bool limiter_begin(struct client *c)
{
        const struct settings *settings = c->shard->settings;

        if (rate_in(c).per_second == 0 && settings->messages_in.per_second == 0 &&
            settings->messages_out.per_second == 0 && settings->bytes_out.per_second == 0)
                return true;
        c->limiter = mem_zalloc(sizeof *c->limiter);
        if (c->limiter == NULL)
                return false;
        c->limiter->client   = c;
        c->limiter->in.fire  = read_again;
        c->limiter->out.fire = write_again;
        return true;
}

void limiter_end(struct client *c)
{
        if (c->limiter == NULL)
                return;
        loop_timer_cancel(&c->shard->loop, &c->limiter->in);
        loop_timer_cancel(&c->shard->loop, &c->limiter->out);
        mem_free(TAKE(c->limiter));
}

size_t limiter_read_size(const struct client *c, size_t wanted)
{
        struct rate rate = rate_in(c);

        return rate.per_second > 0 && rate.burst < wanted ? rate.burst : wanted;
}

void limiter_read(struct client *c, size_t bytes)
{
        pause_reading(c, bucket_charge(&c->limiter->bytes_in, rate_in(c), (uint32_t)bytes,
                                       client_now_ms(c)));
}

void limiter_received(struct client *c)
{
        pause_reading(c, bucket_charge(&c->limiter->messages_in, c->shard->settings->messages_in,
                                       1, client_now_ms(c)));
}

static uint64_t pause_ms(uint64_t debt_ms)
{
        if (debt_ms > PAUSE_MAX_MS)
                return PAUSE_MAX_MS;
        return debt_ms > PAUSE_MIN_MS ? debt_ms : PAUSE_MIN_MS;
}

static void pause_reading(struct client *c, uint64_t debt_ms)
{
        if (debt_ms == 0 || c->state != CLIENT_CONNECTED)
                return;
        if (!(c->paused & PAUSED_BY_RATE))
                metric_add(&c->shard->metrics.clients_throttled, 1);
        client_pause(c, PAUSED_BY_RATE);
        loop_timer(&c->shard->loop, &c->limiter->in, pause_ms(debt_ms));
}

/* What is still in debt, because the pause was cut short, is paused again by what comes next. */
static void read_again(struct loop *loop, struct timer *timer)
{
        struct client *c = list_entry(timer, struct limiter, in)->client;

        on_shard(loop);
        client_go_on(c, PAUSED_BY_RATE);
}

void limiter_sent(struct client *c, uint64_t bytes)
{
        const struct settings *settings = c->shard->settings;
        struct limiter        *limiter  = c->limiter;
        uint64_t               now_ms   = client_now_ms(c);
        uint64_t by_count = bucket_charge(&limiter->messages_out, settings->messages_out, 1,
                                          now_ms);
        uint64_t by_bytes = bucket_charge(&limiter->bytes_out, settings->bytes_out,
                                          (uint32_t)bytes, now_ms);
        uint64_t debt_ms  = by_count > by_bytes ? by_count : by_bytes;

        if (debt_ms > 0)
                loop_timer(&c->shard->loop, &limiter->out, pause_ms(debt_ms));
}

static void write_again(struct loop *loop, struct timer *timer)
{
        on_shard(loop);
        client_pump(list_entry(timer, struct limiter, out)->client);
}
