/* The clients of one shard, and their way to another one. */
#include "client/admission.h"
#include "client/client_internal.h"

#include <assert.h>

#include "base/memory.h"
#include "client/protocol.h"
#include "core/pressure.h"
#include "net/network.h"

/* A connection on its way to the shard where its client identifier is at home. */
struct adopt_mail {
        struct mail             mail;
        struct transport       *transport;      /* owned */
        struct client_listener *listener;
        char                   *bytes;          /* owned: read and not yet handled */
        size_t                  len;
        uint64_t                accepted_ms;
        uint64_t                ticket;         /* of its admission */
};

static void relieve(struct loop *loop, struct timer *timer);
static void speed_up(struct loop *loop, struct timer *timer);
static void turn_away(struct client_manager *manager, struct transport *transport,
                      struct client_listener *listener,
                      const struct admission *admission) ON_SHARD;
static void adopt_deliver(struct loop *loop, struct mail *mail);
static void adopt_drop(struct mail *mail);

static const struct mail_ops adopt_ops = {
        .name    = "client_adopt",
        .deliver = adopt_deliver,
        .drop    = adopt_drop,
};

struct client_manager *client_manager_new(struct shard *shard)
{
        struct client_manager *m = mem_zalloc(sizeof *m);

        if (m == NULL)
                return NULL;
        m->shard       = shard;
        m->read_buffer = mem_alloc(READ_BUFFER_BYTES);
        m->scratch     = mem_alloc(SCRATCH_BYTES);
        if (m->read_buffer == NULL || m->scratch == NULL) {
                mem_free(m->read_buffer);
                mem_free(m->scratch);
                mem_free(m);
                return NULL;
        }
        list_init(&m->clients);
        list_init(&m->held_back);
        m->relief.fire = relieve;
        list_init(&m->slowed);
        m->slow.fire = speed_up;
        output_pool_init(&m->pool);
        slab_init(&m->slab, "client", sizeof(struct client), 0);
        slab_init(&m->askings, "asking", sizeof(struct asking), 0);
        shard->broker->clients[shard->loop.config.id] = m;
        return m;
}

/* No loop runs any more: this thread takes the role for the while. */
void client_manager_free(struct client_manager *manager)
{
        if (manager == NULL)
                return;
        role_claim(&manager->shard->loop);
        list_each(link, after, &manager->clients) {
                struct client *c = list_entry(link, struct client, in_manager);

                c->will_asked = false;
                client_leave_session(c);
                client_free(c);
        }
        loop_timer_cancel(&manager->shard->loop, &manager->relief);
        loop_timer_cancel(&manager->shard->loop, &manager->slow);
        role_leave();
        assert(manager->count == 0);
        manager->shard->broker->clients[manager->shard->loop.config.id] = NULL;
        output_pool_deinit(&manager->pool);
        slab_deinit(&manager->slab);
        slab_deinit(&manager->askings);
        buffer_deinit(&manager->mounted);
        mem_free(manager->read_buffer);
        mem_free(manager->scratch);
        mem_free(manager);
}

/* By the listener's rules; a denial is counted and logged. */
ON_SHARD static bool admits(struct client_manager *manager, struct client_listener *listener,
                            const struct address *peer)
{
        char     address[ADDRESS_TEXT_SIZE];
        uint32_t skipped = 0;

        if (listener->rules == NULL || network_rules_allow(str_of(listener->rules), peer))
                return true;
        atomic_fetch_add_explicit(&client_listener_root(listener)->denied, 1, memory_order_relaxed);
        if (!client_may_log(manager, REFUSED_ACCESS, &skipped))
                return false;
        address_text(peer, address);
        LOG(WARNING, "connection.denied", F_TEXT("address", address),
            F_TEXT("listener", listener->name), F_TEXT("why", "the listener's access rules"),
            F_U64("skipped", skipped));
        return false;
}

bool client_learn_address(struct client *c)
{
        const struct address *peer = transport_peer(c->transport);

        if (c->admitted)
                return true;
        c->admitted = admits(c->manager, c->listener, peer);
        if (!c->admitted)
                client_lost(c, "denied by the listener's access rules");
        return c->admitted;
}

void client_accept(struct client_manager *manager, struct transport *transport,
                   struct client_listener *listener)
{
        bool                  later = transport_awaits_peer(transport);
        const struct address *peer  = later ? NULL : transport_peer(transport);
        struct admission      admission;
        struct client        *c = NULL;

        if (peer != NULL && !admits(manager, listener, peer)) {
                transport->ops->free(transport);
                return;
        }
        admission = admission_enter(manager->shard, listener, peer);
        if (admission.reason != REASON_SUCCESS) {
                turn_away(manager, transport, listener, &admission);
                return;
        }
        c = client_begin(manager, transport, listener, manager->shard->loop.now.mono_ms);
        if (c == NULL) {
                admission_leave(manager->shard, listener, admission.ticket);
                transport->ops->free(transport);
                return;
        }
        c->ticket   = admission.ticket;
        c->admitted = !later;
}

/* A client that is told why does not come back at once, and its owner knows what to do: so it may
 * send its CONNECT, and hears it from CONNACK. But a flood of them is closed without a word. */
static void turn_away(struct client_manager *manager, struct transport *transport,
                      struct client_listener *listener, const struct admission *admission)
{
        struct shard  *shard  = manager->shard;
        uint64_t       now_ms = shard->loop.now.mono_ms;
        struct client *c      = NULL;
        uint32_t       skipped = 0;

        atomic_fetch_add_explicit(&client_listener_root(listener)->refused, 1,
                                  memory_order_relaxed);
        if (client_may_log(manager, REFUSED_STRANGER, &skipped)) {
                char address[ADDRESS_TEXT_SIZE];

                address_text(transport_peer(transport), address);
                LOG(WARNING, "connection.refused", F_TEXT("address", address),
                    F_TEXT("listener", listener->name),
                    F_TEXT("reason", reason_name(admission->reason)),
                    F_TEXT("why", admission->why), F_U64("skipped", skipped));
        }
        if (manager->turned_away < TURNED_AWAY_MAX)
                c = client_begin(manager, transport, listener, now_ms);
        if (c == NULL) {
                metric_add(&shard->metrics.connections_silent, 1);
                transport->ops->free(transport);
                return;
        }
        manager->turned_away++;
        c->turned_away = true;
        c->admitted    = true;          /* its address is asked for no more */
        c->reason      = admission->reason;
        c->why         = admission->why;
        loop_timer(&shard->loop, &c->timer, TURNED_AWAY_MS);
}

uint32_t client_count(const struct client_manager *manager)
{
        return manager->count;
}

void client_dismiss(struct client_manager *manager, const struct client_listener *root)
{
        list_each(link, after, &manager->clients) {
                struct client *c = list_entry(link, struct client, in_manager);

                if (client_listener_root(c->listener) == root)
                        client_fail(c, REASON_ADMINISTRATIVE_ACTION, "its listener is gone");
        }
}

void client_drain(struct client_manager *manager, enum reason reason, uint32_t grace_ms)
{
        manager->draining = true;
        list_each(link, after, &manager->clients) {
                struct client *c = list_entry(link, struct client, in_manager);

                c->linger_ms = grace_ms;
                client_fail(c, reason, NULL);
        }
}

/* Reading more would only lengthen the queue of the shard that is behind, so the pressure goes back
 * through TCP to whoever publishes. */
ON_SHARD static bool is_pressed(const struct shard *shard)
{
        for (unsigned i = 0; i < shard->broker->shard_count; i++)
                if (mailbox_bytes(&shard->broker->loops[i]->mailbox) > MAILBOX_BYTES_HIGH)
                        return true;
        return false;
}

/* A client that stayed ready would be told in every turn: the loop would spin instead of sleeping.
 * So it wants nothing, and a timer looks for all of them. */
bool client_hold_back(struct client *c)
{
        struct client_manager *m = c->manager;

        if (!is_pressed(c->shard))
                return false;
        if (!list_linked(&c->in_held_back))
                list_push_back(&m->held_back, &c->in_held_back);
        if (!timer_is_set(&m->relief))
                loop_timer(&c->shard->loop, &m->relief, HELD_BACK_MS);
        return true;
}

static void relieve(struct loop *loop, struct timer *timer)
{
        struct client_manager *m = list_entry(timer, struct client_manager, relief);
        struct list           *link;

        on_shard(loop);
        if (is_pressed(m->shard)) {
                if (!list_empty(&m->held_back))
                        loop_timer(loop, timer, HELD_BACK_MS);
                return;
        }
        while ((link = list_pop(&m->held_back)) != NULL)
                client_heard_again(list_entry(link, struct client, in_held_back));
}

/* Nobody is stopped for good, for acknowledgements that empty a queue may lie behind the PUBLISH:
 * each has one in every pause, which grows with the pressure. */
void client_slow_down(struct client *c)
{
        struct client_manager *m        = c->manager;
        uint32_t               pause_ms = pressure_pause_ms(c->shard);

        if (pause_ms == 0 || c->state != CLIENT_CONNECTED || list_linked(&c->in_slowed))
                return;
        metric_add(&c->shard->metrics.clients_throttled, 1);
        client_pause(c, PAUSED_BY_MEMORY);
        list_push_back(&m->slowed, &c->in_slowed);
        if (!timer_is_set(&m->slow))
                loop_timer(&c->shard->loop, &m->slow, pause_ms);
}

static void speed_up(struct loop *loop, struct timer *timer)
{
        struct client_manager *m = list_entry(timer, struct client_manager, slow);
        struct list           *link;

        on_shard(loop);
        while ((link = list_pop(&m->slowed)) != NULL)
                client_go_on(list_entry(link, struct client, in_slowed), PAUSED_BY_MEMORY);
}

void client_move(struct client *c, struct str unread)
{
        struct loop       *loop  = &c->shard->loop;
        char              *bytes = mem_dup(unread);
        struct adopt_mail *mail  = NULL;

        assert(c->state == CLIENT_WAITING && c->move_to != loop->config.id);
        if (bytes != NULL)
                mail = loop_mail(loop, c->move_to, &adopt_ops, sizeof *mail);
        if (mail == NULL) {
                mem_free(bytes);
                client_lost(c, "no memory");
                return;
        }
        c->transport->ops->detach(c->transport, &c->watch);
        mail->transport   = TAKE(c->transport);
        mail->listener    = c->listener;
        mail->bytes       = bytes;
        mail->len         = unread.len;
        mail->accepted_ms = c->accepted_ms;
        mail->ticket      = c->ticket;
        client_enter(c, CLIENT_CLOSED);
        client_dirty(c);
}

static void adopt_deliver(struct loop *loop, struct mail *mail)
{
        struct adopt_mail     *adopt = (struct adopt_mail *)mail;
        struct shard          *shard = shard_of(loop);
        struct client_manager *m     = shard->broker->clients[loop->config.id];
        struct client         *c     = NULL;

        on_shard(loop);
        if (m != NULL)
                c = client_begin(m, adopt->transport, adopt->listener, adopt->accepted_ms);
        if (c == NULL) {
                admission_leave(shard, adopt->listener, adopt->ticket);
                adopt->transport->ops->free(adopt->transport);
                mem_free(adopt->bytes);
                return;
        }

        c->ticket = adopt->ticket;

        /* The bytes are fed as if they had just been read. */
        protocol_feed(c, str_from(adopt->bytes, adopt->len));
        mem_free(adopt->bytes);
}

static void adopt_drop(struct mail *mail)
{
        struct adopt_mail *adopt = (struct adopt_mail *)mail;

        client_uncount(adopt->listener);
        adopt->transport->ops->free(adopt->transport);
        mem_free(adopt->bytes);
}
