/* How long a client may stay: what the access chain has allowed may end at a certain time. */
#include "base/memory.h"
#include "client/client_internal.h"

static void expired(struct loop *loop, struct timer *timer);

/* Not for longer than EXPIRY_LOOK_MS: the wall clock may step. 0: the time has come. */
ON_SHARD static uint64_t wait_ms(const struct term *term)
{
        uint64_t now_us  = term->client->shard->loop.now.wall_us;
        uint64_t left_ms = now_us < term->until_us ? (term->until_us - now_us + 999) / 1000 : 0;

        return left_ms < EXPIRY_LOOK_MS ? left_ms : EXPIRY_LOOK_MS;
}

ON_SHARD static bool set_term(struct client *c, uint64_t until_us)
{
        if (c->term == NULL)
                c->term = mem_zalloc(sizeof *c->term);
        if (c->term == NULL) {          /* or its rights would have no end */
                client_lost(c, "no memory");
                return false;
        }
        c->term->timer.fire = expired;
        c->term->client     = c;
        c->term->until_us   = until_us;
        loop_timer(&c->shard->loop, &c->term->timer, wait_ms(c->term));
        return true;
}

bool client_allowed(struct client *c)
{
        c->superuser = c->asking->request.superuser;
        if (c->peer.session != NULL) {
                c->peer.session->superuser = c->superuser;
                c->peer.session->granted   = access_granted(&c->asking->request);
        }
        if (c->asking->request.until_us != 0)
                return set_term(c, c->asking->request.until_us);
        client_end_term(c);
        return true;
}

void client_end_term(struct client *c)
{
        if (c->term != NULL)
                loop_timer_cancel(&c->shard->loop, &c->term->timer);
        mem_free(TAKE(c->term));
}

/* What it had been allowed until now, its credentials allow no longer. */
static void expired(struct loop *loop, struct timer *timer)
{
        struct term *term = list_entry(timer, struct term, timer);

        on_shard(loop);
        if (wait_ms(term) > 0)
                loop_timer(loop, timer, wait_ms(term));
        else
                client_fail(term->client, REASON_NOT_AUTHORIZED, "its credentials have expired");
}
