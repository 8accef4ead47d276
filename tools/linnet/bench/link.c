#include "link.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "names.h"
#include "stamp.h"
#include "worker.h"

enum { PACKET_SPARE = 64, KEPT_SESSION_S = 3600 };

static const struct bench_options *options_of(const struct link *link)
{
        return link->worker->run->options;
}

/* ---- its end --------------------------------------------------------------------------------- */

static void stop_listening(struct link *link)
{
        if (link->role == ROLE_SUBSCRIBER)
                atomic_fetch_sub_explicit(&link->worker->run->listening, 1, memory_order_relaxed);
}

/* Leaves the state that it is in, for LINK_CLOSED. */
static void let_go(struct link *link)
{
        struct worker *worker = link->worker;

        channel_close(&link->channel);
        web_free(link->web);
        link->web     = NULL;
        link->blocked = false;
        if (link->state == LINK_READY)
                stop_listening(link);
        if (link->state == LINK_READY || link->state == LINK_LEAVING)
                tally_add(&worker->tally.live, -1ull);
        else if (link->state != LINK_NEW && link->state != LINK_CLOSED)
                worker->dialling--;
        if (link->role == ROLE_PUBLISHER && list_linked(&link->publisher.ready))
                list_remove(&link->publisher.ready);
        link->state = LINK_CLOSED;
        buffer_deinit(&link->in);
        buffer_deinit(&link->out);
}

static void gone(struct link *link);
static bool is_framed(const struct link *link);
static void dispatch(struct link *link, struct str bytes);

void link_fail(struct link *link, const char *where, const char *why)
{
        struct worker *worker = link->worker;

        if (link->state == LINK_CLOSED)
                return;
        if (link->state == LINK_LEAVING) {
                gone(link);
                return;
        }
        tally_add(link->state == LINK_READY ? &worker->tally.dropped : &worker->tally.failed, 1);
        faults_note(&worker->faults, where, why);
        let_go(link);
}

static void say_bye(struct link *link)
{
        const struct disconnect_packet bye = { .reason = REASON_SUCCESS };
        char                           control[WEB_CONTROL_SIZE];
        void                          *to;

        if (link->blocked || (to = link_room(link, PACKET_SPARE)) == NULL)
                return;
        link_wrote(link, encode_disconnect(to, PACKET_SPARE, options_of(link)->version, &bye));
        link_flush(link);
        if (is_framed(link))
                dispatch(link, web_close(link->web, control));
}

void link_close(struct link *link)
{
        if (link->state == LINK_READY)
                say_bye(link);
        let_go(link);
}

void link_leave(struct link *link)
{
        say_bye(link);
        if (link->state != LINK_READY)
                return;
        stop_listening(link);
        link->state = LINK_LEAVING;
        channel_end(&link->channel);
}

/* The broker has closed after us. */
static void gone(struct link *link)
{
        struct worker *worker = link->worker;

        let_go(link);
        tally_add(&worker->tally.cycles, 1);
        if (worker->stage.kind == STAGE_CHURN)
                list_push_back(&worker->waiting, &link->waiting);
}

/* ---- sending --------------------------------------------------------------------------------- */

/* What it sends goes in frames. */
static bool is_framed(const struct link *link)
{
        return link->web != NULL && web_is_open(link->web);
}

void *link_room(struct link *link, size_t size)
{
        struct buffer *out  = &link->worker->out;
        size_t         room = is_framed(link) && buffer_len(out) == 0 ? WEB_ROOM : 0;

        if (buffer_reserve(out, room + size)) {
                out->len += room;
                return out->bytes + out->len;
        }
        link_fail(link, "send", "there is no memory");
        return NULL;
}

void link_wrote(struct link *link, size_t size)
{
        link->worker->out.len += size;
        if (size == 0)
                link_fail(link, "send", "a topic, name or password is too long");
}

static void watch(struct link *link, uint32_t events)
{
        struct epoll_event event = { .events = events, .data.ptr = link };

        if (epoll_ctl(link->worker->epoll, EPOLL_CTL_MOD, link->channel.fd, &event) != 0)
                link_fail(link, "epoll", strerror(errno));
}

/* How many of these bytes the kernel took; -1: the link has failed. */
static ssize_t pass(struct link *link, struct str bytes)
{
        ssize_t sent = channel_write(&link->channel, bytes);

        if (sent < 0)
                link_fail(link, "send", channel_why(&link->channel));
        return sent;
}

/* What the kernel does not take waits for it. */
static void dispatch(struct link *link, struct str bytes)
{
        ssize_t sent = 0;

        if (bytes.len == 0 || link->channel.fd < 0)
                return;
        link->sent_us = stamp_now();
        if (!link->blocked)
                sent = pass(link, bytes);
        if (sent < 0 || (size_t)sent == bytes.len)
                return;
        if (!buffer_append(&link->out, str_skip(bytes, (size_t)sent)))
                link_fail(link, "send", "there is no memory");
        else if (!link->blocked)
                watch(link, EPOLLIN | EPOLLOUT);
        link->blocked = link->channel.fd >= 0;
}

void link_flush(struct link *link)
{
        struct buffer *out   = &link->worker->out;
        struct str     bytes = buffer_str(out);

        if (is_framed(link) && bytes.len > 0)
                bytes = web_frame(link->web, out->bytes + out->start, bytes.len);
        dispatch(link, bytes);
        buffer_consume(out, buffer_len(out));
}

static void unblock(struct link *link)
{
        ssize_t sent = pass(link, buffer_str(&link->out));

        if (sent < 0)
                return;
        buffer_consume(&link->out, (size_t)sent);
        if (buffer_len(&link->out) > 0)
                return;
        buffer_deinit(&link->out);
        link->blocked = false;
        watch(link, EPOLLIN);
        if (link->role == ROLE_PUBLISHER)
                worker_ready(link->worker, link);
}

uint16_t link_next_id(struct link *link)
{
        link->last_id = link->last_id == UINT16_MAX ? 1 : (uint16_t)(link->last_id + 1);
        return link->last_id;
}

void link_ping(struct link *link)
{
        void *to = link_room(link, PACKET_SPARE);

        if (to == NULL)
                return;
        link_wrote(link, encode_empty(to, PACKET_SPARE, PACKET_PINGREQ));
        link_flush(link);
}

/* ---- connecting ------------------------------------------------------------------------------ */

void link_dial(struct link *link)
{
        struct worker     *worker = link->worker;
        struct epoll_event event  = { .events = EPOLLOUT, .data.ptr = link };
        uint32_t           before = link->role == ROLE_PUBLISHER ? worker->run->subscribers : 0;

        worker->dialling++;
        link->state    = LINK_DIALLING;
        link->began_us = stamp_now();
        link->channel.fd = dial_start(&worker->run->dial, before + link->number);
        if (link->channel.fd < 0)
                link_fail(link, "connect",
                          errno == EADDRNOTAVAIL ? "no port is left; --ifaddr gives more addresses"
                                                 : strerror(errno));
        else if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, link->channel.fd, &event) != 0)
                link_fail(link, "epoll", strerror(errno));
}

static bool keeps_session(const struct link *link)
{
        return options_of(link)->mode == BENCH_OFFLINE ? link->role == ROLE_SUBSCRIBER
                                                       : options_of(link)->keep_session;
}

static void greet(struct link *link)
{
        const struct bench_options *options = options_of(link);
        bool                        afresh  = link->worker->stage.afresh;
        bool                        keeps   = keeps_session(link) && !afresh;
        char                        id[CLIENT_ID_SIZE];
        struct connect_packet       connect = {
                      .version      = options->version,
                      .clean_start  = !keeps,
                      .has_username = options->username != NULL,
                      .has_password = options->password != NULL,
                      .username     = str_of(options->username),
                      .password     = str_of(options->password),
                      .keep_alive_s = (uint16_t)options->keepalive_s,
        };
        size_t size = PACKET_SPARE + sizeof(id) + connect.username.len + connect.password.len;
        void  *to   = link_room(link, size);

        if (to == NULL)
                return;
        run_client_id(link->worker->run, link->role, link->number, id);
        connect.client_id = str_of(id);
        if ((options->has_expiry && !afresh) || keeps) {
                property_set(&connect.properties, PROPERTY_SESSION_EXPIRY);
                connect.properties.session_expiry_s = options->has_expiry ? options->expiry_s
                                                                          : KEPT_SESSION_S;
        }
        link->state = LINK_CONNECTING;
        watch(link, EPOLLIN);
        link_wrote(link, encode_connect(to, size, &connect));
        link_flush(link);
}

/* Asks for a WebSocket; greet() follows when it is open. */
static void upgrade(struct link *link)
{
        const struct bench_options *options = options_of(link);
        size_t size = WEB_REQUEST_SIZE + strlen(options->host) + strlen(options->ws_path);
        void  *to   = link_room(link, size);

        if (to == NULL)
                return;
        link->web = web_new();
        if (link->web == NULL) {
                link_fail(link, "WebSocket", "there is no memory");
                return;
        }
        link->state = LINK_UPGRADING;
        watch(link, EPOLLIN);
        link_wrote(link, web_request(link->web, options, to, size));
        link_flush(link);
}

/* There is a stream of bytes, as it was asked for. */
static void on_stream(struct link *link)
{
        if (options_of(link)->ws)
                upgrade(link);
        else
                greet(link);
}

static void secure(struct link *link)
{
        bool writes;

        if (secure_handshake(link->channel.tls, &writes) == 1)
                on_stream(link);
        else if (errno == EAGAIN)
                watch(link, writes ? EPOLLIN | EPOLLOUT : EPOLLIN);
        else
                link_fail(link, "TLS", secure_why(link->channel.tls));
}

static void begin_tls(struct link *link)
{
        link->state = LINK_SECURING;
        link->channel.tls = secure_new(link->worker->run->dial.tls, options_of(link),
                                       link->channel.fd);
        if (link->channel.tls == NULL)
                link_fail(link, "TLS", "there is no memory");
        else
                secure(link);
}

static void on_dialled(struct link *link)
{
        int       failed = 0;
        socklen_t size   = sizeof(failed);

        getsockopt(link->channel.fd, SOL_SOCKET, SO_ERROR, &failed, &size);
        if (failed != 0)
                link_fail(link, "connect", strerror(failed));
        else if (link->worker->run->dial.tls != NULL)
                begin_tls(link);
        else
                on_stream(link);
}

static void be_ready(struct link *link, uint64_t now_us)
{
        struct worker *worker = link->worker;

        link->state = LINK_READY;
        worker->dialling--;
        tally_add(&worker->tally.ready, 1);
        tally_add(&worker->tally.live, 1);
        atomic_store_explicit(&worker->tally.last_ready_us, now_us, memory_order_relaxed);
        if (link->role == ROLE_SUBSCRIBER)
                atomic_fetch_add_explicit(&worker->run->listening, 1, memory_order_relaxed);
        if (worker->stage.kind == STAGE_CHURN || worker->stage.kind == STAGE_CLOSE)
                link_leave(link);
}

/* Whether it subscribes as soon as it is connected. */
static bool subscribes(const struct link *link)
{
        const struct stage *stage = &link->worker->stage;

        return link->role == ROLE_SUBSCRIBER && options_of(link)->mode != BENCH_RETAIN &&
               !stage->afresh && !stage->resumed;
}

static void on_connack(struct link *link, const struct connack_packet *connack, uint64_t now_us)
{
        const struct properties *p       = &connack->properties;
        uint16_t                 maximum = UINT16_MAX;

        if (link->state != LINK_CONNECTING) {
                link_fail(link, "CONNACK", "it was not asked for");
                return;
        }
        if (connack->reason != REASON_SUCCESS) {
                link_fail(link, "CONNACK", reason_text(connack->reason));
                return;
        }
        histogram_record(&link->worker->connecting, now_us - link->began_us);
        if (property_has(p, PROPERTY_RECEIVE_MAXIMUM))
                maximum = p->receive_maximum;
        if (subscribes(link)) {
                link->state = LINK_SUBSCRIBING;
                subscriber_ask(link);
        } else if (link->worker->stage.resumed && !connack->session_present) {
                link_fail(link, "CONNACK", "the session was not kept");
        } else if (link->role == ROLE_SUBSCRIBER || publisher_connected(link, maximum)) {
                be_ready(link, now_us);
        } else {
                link_fail(link, "CONNACK", "there is no memory");
        }
}

static void on_suback(struct link *link, const struct suback_packet *suback, uint64_t now_us)
{
        for (size_t i = 0; i < suback->reasons.len; i++) {
                uint8_t reason = (uint8_t)suback->reasons.ptr[i];

                if (reason_is_error(reason)) {
                        link_fail(link, "SUBACK", reason_text((enum reason)reason));
                        return;
                }
        }
        if (link->state == LINK_SUBSCRIBING)
                be_ready(link, now_us);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void complete(struct link *link, uint16_t packet_id)
{
        struct ack_packet ack = { .packet_id = packet_id };
        void             *to  = link_room(link, PACKET_SPARE);

        if (to != NULL)
                link_wrote(link, encode_ack(to, PACKET_SPARE, options_of(link)->version,
                                            PACKET_PUBCOMP, &ack));
}

static void on_packet(struct link *link, const struct packet *packet, uint64_t now_us)
{
        switch (packet->type) {
        case PACKET_CONNACK:
                on_connack(link, &packet->connack, now_us);
                break;
        case PACKET_SUBACK:
                on_suback(link, &packet->suback, now_us);
                break;
        case PACKET_PUBACK:
        case PACKET_PUBREC:
        case PACKET_PUBCOMP:
                if (link->role == ROLE_PUBLISHER)
                        publisher_acked(link, packet, now_us);
                break;
        case PACKET_PUBREL:
                complete(link, packet->ack.packet_id);
                break;
        case PACKET_DISCONNECT:
                link_fail(link, "DISCONNECT", reason_text(packet->disconnect.reason));
                break;
        case PACKET_PINGRESP:
                tally_add(&link->worker->tally.pongs, 1);
                break;
        case PACKET_CONNECT:
        case PACKET_PUBLISH:
        case PACKET_SUBSCRIBE:
        case PACKET_UNSUBSCRIBE:
        case PACKET_UNSUBACK:
        case PACKET_PINGREQ:
        case PACKET_AUTH:
        case PACKET_TYPES:
                link_fail(link, packet_name(packet->type), "it was not asked for");
                break;
        }
}

/* Takes whole packets from the front of `bytes`; how many of these were taken. */
static size_t take_packets(struct link *link, struct str bytes, uint64_t now_us)
{
        size_t       taken = 0;
        struct frame frame;

        while (link->state != LINK_CLOSED) {
                struct str          rest = str_skip(bytes, taken), body;
                enum frame_result   result = frame_peek(rest, &frame);
                struct packet       packet;
                struct decode_error error;

                if (result == FRAME_BAD) {
                        link_fail(link, "received", "a length that is malformed");
                        break;
                }
                if (result == FRAME_PARTIAL)
                        break;
                body = str_from(rest.ptr + frame.header_size, frame.body_size);
                taken += frame.header_size + frame.body_size;
                if (frame.type == PACKET_PUBLISH && link->role == ROLE_SUBSCRIBER)
                        subscriber_take(link, &frame, body, now_us);
                else if (decode(&frame, body, options_of(link)->version, &packet, &error))
                        on_packet(link, &packet, now_us);
                else
                        link_fail(link, packet_name(frame.type), error.what);
        }
        return taken;
}

static void keep(struct link *link, struct str bytes)
{
        if (!buffer_append(&link->in, bytes))
                link_fail(link, "received", "there is no memory");
}

/* What the frames asked for, when the packets in them were taken. */
static void heed_frames(struct link *link)
{
        char control[WEB_CONTROL_SIZE];

        if (link->state == LINK_LEAVING)
                return;
        if (web_is_closed(link->web)) {
                link_fail(link, "closed", "by the broker");
                return;
        }
        link_flush(link);
        if (link->web != NULL)
                dispatch(link, web_pong(link->web, control));
}

/* The last `fresh` of `size` bytes have come now; those before are the beginning of a packet. */
static void take(struct link *link, char *bytes, size_t size, size_t fresh)
{
        size_t taken, old = size - fresh;

        if (link->web != NULL && !web_take(link->web, bytes + old, &fresh)) {
                link_fail(link, "WebSocket", web_why(link->web));
                return;
        }
        size  = old + fresh;
        taken = take_packets(link, str_from(bytes, size), stamp_now());
        if (link->state != LINK_CLOSED && taken < size)
                keep(link, str_from(bytes + taken, size - taken));
        if (link->web != NULL)
                heed_frames(link);
}

static void on_answer(struct link *link, char *bytes, size_t size)
{
        struct str rest = str_from(bytes, size);

        switch (web_answer(link->web, &rest)) {
        case WEB_PARTIAL:
                keep(link, rest);
                break;
        case WEB_REFUSED:
                link_fail(link, "WebSocket", web_why(link->web));
                break;
        case WEB_OPEN:
                greet(link);
                if (link->state != LINK_CLOSED)
                        take(link, bytes + size - rest.len, rest.len, rest.len);
                break;
        }
}

/* One read: what has come in part before is put in front of it. */
static void receive(struct link *link)
{
        struct worker *worker = link->worker;
        struct str     kept   = buffer_str(&link->in);
        size_t         old    = kept.len;
        ssize_t        got;

        if (old >= worker->in_size) {
                link_fail(link, "received", "a packet that is too large");
                return;
        }
        if (old > 0)
                memcpy(worker->in, kept.ptr, old);
        got = channel_read(&link->channel, worker->in + old, worker->in_size - old);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (got <= 0) {
                link_fail(link, "closed", got < 0 ? channel_why(&link->channel) : "by the broker");
                return;
        }
        buffer_deinit(&link->in);
        if (link->state == LINK_UPGRADING)
                on_answer(link, worker->in, old + (size_t)got);
        else
                take(link, worker->in, old + (size_t)got, (size_t)got);
}

void link_event(struct link *link, uint32_t events)
{
        if (link->state == LINK_DIALLING) {
                on_dialled(link);
                return;
        }
        if (link->state == LINK_SECURING) {
                secure(link);
                return;
        }
        if ((events & ~(uint32_t)EPOLLOUT) != 0 && link->state != LINK_CLOSED) {
                do
                        receive(link);
                while (channel_has_more(&link->channel));
        }
        if ((events & EPOLLOUT) != 0 && link->blocked)
                unblock(link);
        link_flush(link);
}
