/* One connection: its states, its end, and what the loop tells it. */
#include "client/client.h"

#include <assert.h>
#include <errno.h>

#include "base/memory.h"
#include "client/admission.h"
#include "client/client_internal.h"
#include "client/protocol.h"

#define TO(state) (1u << (state))

/* One CONNACK at most: it goes out on the way from AUTHENTICATING, or before the end
 * [MQTT5-3.2.0-2]. */
static const unsigned client_next[CLIENT_STATES] = {
        [CLIENT_WAITING] = TO(CLIENT_AUTHENTICATING) | TO(CLIENT_CLOSING) | TO(CLIENT_CLOSED),
        [CLIENT_AUTHENTICATING] = TO(CLIENT_CONNECTED) | TO(CLIENT_CLOSING) | TO(CLIENT_CLOSED),
        [CLIENT_CONNECTED] = TO(CLIENT_CLOSING) | TO(CLIENT_CLOSED),
        [CLIENT_CLOSING] = TO(CLIENT_CLOSED),
        [CLIENT_CLOSED] = 0,
};

static void ready(struct watch *told, unsigned events);
static void fired(struct loop *loop, struct timer *timer);
static void turn_ended(struct loop *loop, struct chore *chore);
static void proceed(struct loop *loop, struct chore *chore);
static void read_turn(struct client *c) ON_SHARD;
static void read_failed(struct client *c, ssize_t error) ON_SHARD;
static void peer_closed(struct client *c, bool failed) ON_SHARD;
static void read_rest(struct client *c) ON_SHARD;
static void read_away(struct client *c) ON_SHARD;
static void end_if_gone(struct client *c) ON_SHARD;
static void flush(struct client *c) ON_SHARD;
static void say_end(struct client *c) ON_SHARD;

struct client *client_begin(struct client_manager *manager, struct transport *transport,
                            struct client_listener *listener, uint64_t accepted_ms)
{
        bool           gone = atomic_load_explicit(&client_listener_root(listener)->gone,
                                                   memory_order_relaxed);
        struct client *c = manager->draining || gone ? NULL : slab_alloc(&manager->slab);

        if (c == NULL)
                return NULL;
        c->magic            = CLIENT_MAGIC;
        c->manager          = manager;
        c->shard            = manager->shard;
        c->listener         = listener;
        c->accepted_ms      = accepted_ms;
        c->move_to          = CLIENT_STAYS;
        c->version          = MQTT_3_1_1;
        c->packet_bytes_max = UINT32_MAX;
        c->problem_info     = true;
        c->linger_ms        = CLIENT_LINGER_MS;
        c->watch.ready      = ready;
        c->turn_end.run     = turn_ended;
        c->proceed.run      = proceed;
        c->timer.fire       = fired;
        c->peer.ops         = &client_peer_ops;
        output_init(&c->output, &manager->pool);
        replies_init(&c->replies);
        if (!transport->ops->attach(transport, c->shard->loop.config.poll, &c->watch, POLL_READ)) {
                slab_free(&manager->slab, c);
                return NULL;
        }
        c->transport = transport;
        if (transport->pending)         /* it came from another shard */
                loop_at_next_turn(&c->shard->loop, &c->proceed);
        list_push_back(&manager->clients, &c->in_manager);
        manager->count++;

        loop_timer(&c->shard->loop, &c->timer, client_beginning_left_ms(c));
        return c;
}

void client_free(struct client *c)
{
        assert(c->magic == CLIENT_MAGIC && c->peer.session == NULL);
        asking_drop(c);
        replies_drop(c);
        if (c->welcome != NULL)
                receipt_forget(TAKE(c->welcome));
        loop_timer_cancel(&c->shard->loop, &c->timer);
        client_end_term(c);
        chore_cancel(&c->turn_end);
        chore_cancel(&c->proceed);
        if (c->transport != NULL) {
                c->transport->ops->detach(c->transport, &c->watch);
                c->transport->ops->free(c->transport);
                if (!c->turned_away)
                        admission_leave(c->shard, c->listener, c->ticket);
        }
        output_drop(&c->output);
        buffer_deinit(&c->unread);
        limiter_end(c);
        alias_deinit(&c->aliases);
        mem_free((char *)(uintptr_t)c->client_id.ptr);
        mem_free((char *)(uintptr_t)c->username.ptr);
        mem_free((char *)(uintptr_t)c->auth_method.ptr);
        mem_free((char *)(uintptr_t)c->mount.ptr);
        if (list_linked(&c->in_held_back))
                list_remove(&c->in_held_back);
        if (list_linked(&c->in_slowed))
                list_remove(&c->in_slowed);
        list_remove(&c->in_manager);
        c->manager->count--;
        c->manager->turned_away -= c->turned_away;
        c->magic = 0;
        slab_free(&c->manager->slab, c);
}

void client_enter(struct client *c, enum client_state state)
{
        assert(c->magic == CLIENT_MAGIC);
        assert(client_next[c->state] & TO(state));
        c->state = state;
}

void client_leave_session(struct client *c)
{
        if (c->peer.session != NULL)
                session_unbind(c->peer.session, c->will_asked);
        c->peer.session = NULL;
}

void client_dirty(struct client *c)
{
        loop_at_turn_end(&c->shard->loop, &c->turn_end);
}

/* One that sends and does not read would make us keep its answers: it is not read either. */
ON_SHARD static bool is_choked(const struct client *c)
{
        return c->output.bytes > c->shard->settings->output_high_bytes ||
               c->replies.count >= REPLIES_MAX;
}

/* For what a client sent behind the packet that waits, when it closes. */
static size_t rest_room(const struct client *c)
{
        size_t kept = buffer_len(&c->unread);

        return kept < REST_BYTES_MAX ? REST_BYTES_MAX - kept : 0;
}

/* Wants what its state needs. What its transport has pending is read in the next turn. */
ON_SHARD static void watch(struct client *c)
{
        unsigned wants = c->blocked ? POLL_WRITE : 0u;

        if (c->state == CLIENT_CLOSED || c->transport == NULL || c->gone != NULL)
                return;
        if ((!is_choked(c) && !client_unheard(c)) || c->state == CLIENT_CLOSING)
                wants |= POLL_READ | c->transport->wants;
        else if ((c->paused || is_choked(c)) && rest_room(c) > 0)
                wants |= POLL_CLOSED;   /* who is but held back learns of it by reading, soon */
        if (wants != c->watch.wants)
                poll_change(&c->watch, wants);
        if ((wants & POLL_READ) && c->transport->pending)
                loop_at_next_turn(&c->shard->loop, &c->proceed);
}

void client_pause(struct client *c, enum client_pause why)
{
        c->paused = (uint8_t)(c->paused | why);
        watch(c);
}

void client_go_on(struct client *c, enum client_pause why)
{
        c->paused &= (uint8_t)~why;
        c->keepalive.last_ms = client_now_ms(c);        /* its silence was ours */
        if (c->state >= CLIENT_CLOSING)
                return;
        watch(c);
        loop_at_next_turn(&c->shard->loop, &c->proceed);
}

void client_pump(struct client *c)
{
        if (c->state != CLIENT_CONNECTED)
                return;
        c->pumping = true;
        loop_at_next_turn(&c->shard->loop, &c->proceed);
}

void client_heard_again(struct client *c)
{
        c->keepalive.last_ms = client_now_ms(c);        /* the same */
        if (c->gone != NULL && c->state < CLIENT_CLOSING)
                loop_at_next_turn(&c->shard->loop, &c->proceed);
        watch(c);
}

enum hook_result client_hook(struct client *c, enum hook_point point, struct str topic,
                             enum reason reason)
{
        char address[ADDRESS_TEXT_SIZE];

        address_ip_text(transport_peer(c->transport), address);

        struct hook_args args = {
                .shard        = c->shard,
                .client_id    = c->client_id,
                .username     = c->username,
                .address      = str_of(address),
                .topic        = topic,
                .reason       = reason,
                .why          = c->why,
                .version      = (unsigned)c->version,
                .keep_alive_s = c->keep_alive_s,
                .clean_start  = c->clean_start,
        };

        return hooks_run(c->shard->broker->hooks, point, &args);
}

void client_log(struct client *c, enum log_level level, const char *event)
{
        char     address[ADDRESS_TEXT_SIZE], via[TRANSPORT_TEXT_SIZE];
        uint32_t skipped = 0;
        bool     refused = level == LOG_LEVEL_WARNING;  /* which a peer could cause at will */

        if (!log_enabled(level) || c->transport == NULL ||
            (refused && !client_may_log(c->manager, REFUSED_CLIENT, &skipped)))
                return;
        address_text(transport_peer(c->transport), address);
        transport_describe(c->transport, via);

        bool             ended     = c->state >= CLIENT_CLOSING || refused;
        unsigned         count     = 4;
        struct log_field fields[8] = {
                F_STR("client", c->client_id),
                F_TEXT("address", address),
                F_TEXT("listener", c->listener->name),
                F_U64("version", (uint64_t)c->version),
        };

        if (via[0] != '\0')
                fields[count++] = F_TEXT("via", via);
        if (ended) {
                fields[count++] = F_TEXT("reason", reason_name(c->reason));
                fields[count++] = F_TEXT("why", c->why != NULL ? c->why : reason_text(c->reason));
        }
        if (refused)
                fields[count++] = F_U64("skipped", skipped);
        log_event(level, event, fields, count);
}

/* Readiness to read that is not wanted is an error of the descriptor. */
static void ready(struct watch *told, unsigned events)
{
        struct client *c = list_entry(told, struct client, watch);

        on_shard(&c->shard->loop);
        assert(c->magic == CLIENT_MAGIC);
        if (events & POLL_WRITE) {
                c->blocked = false;
                client_dirty(c);
        }
        if (events & c->watch.wants & c->transport->wants)
                events |= POLL_READ;    /* what a layer waits for makes its read go on */
        if (!(events & (POLL_READ | POLL_CLOSED)) || c->state == CLIENT_CLOSED)
                return;
        if (c->state == CLIENT_CLOSING)
                read_away(c);
        else if (!(c->watch.wants & POLL_READ))
                peer_closed(c, (events & POLL_READ) != 0);
        else
                read_turn(c);
}

static void read_turn(struct client *c)
{
        struct transport *t     = c->transport;
        size_t            taken = 0;

        if (client_hold_back(c)) {
                watch(c);
                return;
        }
        do {
                size_t  room = TURN_READ_BYTES - taken;
                ssize_t got  = t->ops->read(t, c->manager->read_buffer,
                                            c->limiter == NULL ? room
                                                               : limiter_read_size(c, room));

                if (got == -EAGAIN)
                        break;
                if (got <= 0) {
                        read_failed(c, got);
                        return;
                }
                taken += (size_t)got;
                if (c->state == CLIENT_WAITING && !client_learn_address(c))
                        return;
                c->keepalive.last_ms = client_now_ms(c);
                metric_add(&c->shard->metrics.bytes_received, (uint64_t)got);
                protocol_feed(c, str_from(c->manager->read_buffer, (size_t)got));
                if (c->limiter != NULL)
                        limiter_read(c, (size_t)got);
        } while (t->pending && taken < TURN_READ_BYTES && client_reads(c));
        if (t->below != NULL)
                watch(c);
}

static const char *failure_text(const struct client *c, ssize_t error)
{
        if (error == 0)
                return "closed by the client";
        return error == -EPROTO && c->transport->why != NULL ? c->transport->why
                                                             : "connection lost";
}

/* A layer that says why is owed the time to tell the peer. */
static void read_failed(struct client *c, ssize_t error)
{
        const struct transport *t = c->transport;

        if (error != -EPROTO || t->why == NULL) {
                client_lost(c, failure_text(c, error));
                return;
        }
        if (c->state < CLIENT_CONNECTED)
                client_log_connection(c, REASON_PROTOCOL_ERROR, t->why);
        client_close(c, REASON_PROTOCOL_ERROR, t->why);
}

/* The peer has closed its side while it was not read. That end has its place in the stream, behind
 * all that came before it:
 *
 *      - Nothing is written to it any more, so one that was choked is so no longer: it is read on.
 *      - While its packet waits for an answer, the rest is kept, and handled in order when that has
 *        come, or mqtt.access_timeout: a DISCONNECT in it drops the will, and a PUBLISH that waits
 *        is published.
 *      - Unless nobody needs the answer, because CONNECT, SUBSCRIBE or AUTH waits and nothing lies
 *        behind it: then the client ends at once.
 *      - A rest beyond REST_BYTES_MAX stays where it is until the answer has come, unless the
 *        descriptor has failed: it would be told in every turn.
 *      - One that is held back is treated alike until it is heard again. */
static void peer_closed(struct client *c, bool failed)
{
        c->closed = true;
        client_dirty(c);
        if (!client_unheard(c))
                return;
        read_rest(c);
        if (c->gone != NULL)
                end_if_gone(c);
        else if (failed)
                client_lost(c, "connection lost");
}

/* When it has come to the end, the transport leaves the poll: nothing more can be told of it. */
static void read_rest(struct client *c)
{
        struct transport *t   = c->transport;
        char             *to  = c->manager->read_buffer;
        ssize_t           got = 1;

        while (got > 0 && rest_room(c) > 0) {
                size_t room = rest_room(c);

                got = t->ops->read(t, to, room < READ_BUFFER_BYTES ? room : READ_BUFFER_BYTES);
                if (got <= 0)
                        break;
                metric_add(&c->shard->metrics.bytes_received, (uint64_t)got);
                if (!buffer_append(&c->unread, str_from(to, (size_t)got))) {
                        client_lost(c, "no memory");
                        return;
                }
        }
        if (got > 0 || got == -EAGAIN)
                return;
        c->gone = failure_text(c, got);
        t->ops->detach(t, &c->watch);
}

static void end_if_gone(struct client *c)
{
        bool a_publish_waits = (c->paused & PAUSED_BY_ACCESS) &&
                               c->asking->request.kind == ACCESS_PUBLISH;

        if (list_linked(&c->in_held_back) || a_publish_waits ||
            (c->paused && buffer_len(&c->unread) > 0))
                return;
        if (c->gone != NULL)
                client_lost(c, c->gone);
}

/* Bytes behind the end are thrown away, so that no reset overtakes what was said. */
static void read_away(struct client *c)
{
        struct transport *t   = c->transport;
        ssize_t           got = t->ops->read(t, c->manager->read_buffer, TURN_READ_BYTES);

        if (got > 0 || got == -EAGAIN) {
                watch(c);
                return;
        }
        client_enter(c, CLIENT_CLOSED);
        client_dirty(c);
}

static void fired(struct loop *loop, struct timer *timer)
{
        struct client *c = list_entry(timer, struct client, timer);

        on_shard(loop);
        if (c->state >= CLIENT_CLOSING) {
                if (c->state == CLIENT_CLOSING)
                        client_enter(c, CLIENT_CLOSED);
                client_dirty(c);
                return;
        }
        if (c->paused & PAUSED_BY_DELAY) {
                client_fail(c, c->reason, c->why);
                return;
        }
        if (client_unheard(c))  /* its silence is ours */
                c->keepalive.last_ms = client_now_ms(c);
        if (c->state < CLIENT_CONNECTED && client_unheard(c)) { /* and so is the delay */
                loop_timer(loop, timer, c->shard->settings->connect_timeout_ms);
                return;
        }
        if (c->state < CLIENT_CONNECTED) {
                client_look_at_beginning(c);
                return;
        }

        uint64_t left_ms = keepalive_left_ms(&c->keepalive, client_now_ms(c));

        if (left_ms == 0)
                client_fail(c, REASON_KEEP_ALIVE_TIMEOUT, NULL);
        else if (left_ms != UINT64_MAX)
                loop_timer(loop, timer, left_ms);
}

static void turn_ended(struct loop *loop, struct chore *chore)
{
        struct client *c = list_entry(chore, struct client, turn_end);

        on_shard(loop);
        assert(c->magic == CLIENT_MAGIC);
        if (c->transport == NULL) {     /* it lives elsewhere now */
                client_free(c);
                return;
        }
        flush(c);               /* first: it may find that the connection is lost */
        if (c->state >= CLIENT_CLOSING)
                say_end(c);
        if (c->state == CLIENT_CLOSED)
                client_free(c);
}

static void flush(struct client *c)
{
        if (c->closed)          /* nobody reads it */
                output_drop(&c->output);
        if (c->gone != NULL) {
                if (c->state == CLIENT_CLOSING)
                        client_enter(c, CLIENT_CLOSED);
                return;
        }

        bool    held   = c->blocked || c->welcome != NULL;
        bool    unread = !(c->watch.wants & POLL_READ);
        size_t  before = c->output.bytes;
        size_t  low    = c->shard->settings->output_high_bytes / 2;
        ssize_t sent   = held ? 0 : output_flush(&c->output, c->transport);

        if (sent > 0)
                metric_add(&c->shard->metrics.bytes_sent, (uint64_t)sent);
        if (sent > 0 && unread) /* it takes what it is sent: it is alive, though not heard */
                c->keepalive.last_ms = client_now_ms(c);
        if (sent < 0 && sent != -EAGAIN && c->state < CLIENT_CLOSING && !c->output.failed) {
                peer_closed(c, true);   /* what it sent before has not been read to its end */
                return;
        }
        if ((sent < 0 && sent != -EAGAIN) || c->output.failed) {
                client_lost(c, c->output.failed ? "no memory" : "connection lost");
                return;
        }
        c->blocked = c->output.bytes > 0 && c->welcome == NULL;
        watch(c);
        if (c->state == CLIENT_CLOSING && c->output.bytes == 0 && !c->shut) {
                client_shut(c);
                watch(c);       /* a layer may have more to say than there is room for */
        }
        if (before > low && c->output.bytes <= low)
                client_pump(c);
}

/* Once: the session and whoever watches are told that the client is gone. */
static void say_end(struct client *c)
{
        if (c->asking != NULL)
                access_cancel(&c->asking->request);
        replies_drop(c);
        c->paused = 0;
        client_leave_session(c);
        if (!c->was_connected)
                return;
        c->was_connected = false;
        metric_add(&c->shard->metrics.clients_disconnected, 1);
        stat_change(&c->shard->stats.clients, -1);
        client_log(c, LOG_LEVEL_INFO, "client.disconnected");
        client_hook(c, HOOK_CLIENT_DISCONNECTED, (struct str){ 0 }, c->reason);
}

/* Unless it is not read just now: then watch() sees to it that this is called again. */
ON_SHARD static void read_pending(struct client *c)
{
        if (c->gone != NULL || !(c->watch.wants & POLL_READ))
                return;
        if (c->state == CLIENT_CLOSING)
                read_away(c);
        else if (client_reads(c))
                read_turn(c);
}

static void proceed(struct loop *loop, struct chore *chore)
{
        struct client *c = list_entry(chore, struct client, proceed);

        on_shard(loop);
        if (c->pumping && c->state == CLIENT_CONNECTED)
                session_pump(c->peer.session);
        c->pumping = false;
        if (client_reads(c))
                protocol_proceed(c);
        if (c->transport != NULL && c->transport->pending)
                read_pending(c);
        end_if_gone(c);
}
