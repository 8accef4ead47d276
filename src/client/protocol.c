/* Bytes to packets to handlers. */
#include "client/protocol.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

#define IN(state) (1u << (state))

/* What a client may send, when, where it is counted and who handles it. */
static const struct packet_row {
        void     (*handle)(struct client *c, const struct packet *packet);
        unsigned states;
        size_t   metric;        /* offset in struct metrics */
} rows[PACKET_TYPES + 1] = {
#define ROW(TYPE, handler, states, field)                                                          \
        [PACKET_##TYPE] = { handler, states, offsetof(struct metrics, field) }
        ROW(CONNECT, on_connect, IN(CLIENT_WAITING), packets_connect),
        ROW(PUBLISH, on_publish, IN(CLIENT_CONNECTED), packets_publish_received),
        ROW(PUBACK, on_puback, IN(CLIENT_CONNECTED), packets_puback_received),
        ROW(PUBREC, on_pubrec, IN(CLIENT_CONNECTED), packets_pubrec_received),
        ROW(PUBREL, on_pubrel, IN(CLIENT_CONNECTED), packets_pubrel_received),
        ROW(PUBCOMP, on_pubcomp, IN(CLIENT_CONNECTED), packets_pubcomp_received),
        ROW(SUBSCRIBE, on_subscribe, IN(CLIENT_CONNECTED), packets_subscribe),
        ROW(UNSUBSCRIBE, on_unsubscribe, IN(CLIENT_CONNECTED), packets_unsubscribe),
        ROW(PINGREQ, on_pingreq, IN(CLIENT_CONNECTED), packets_pingreq),
        ROW(DISCONNECT, on_disconnect, IN(CLIENT_CONNECTED) | IN(CLIENT_AUTHENTICATING),
            packets_disconnect),
        ROW(AUTH, on_auth, IN(CLIENT_CONNECTED) | IN(CLIENT_AUTHENTICATING), packets_auth_received),
#undef ROW
};

static const char *const kinds[] = { [ACCESS_CONNECT]   = "connect",
                                     [ACCESS_PUBLISH]   = "publish",
                                     [ACCESS_SUBSCRIBE] = "subscribe",
                                     [ACCESS_DELIVER]   = "deliver" };

static size_t parse(struct client *c, struct str bytes) ON_SHARD;
static bool   frame_allowed(struct client *c, enum frame_result result) ON_SHARD;
static void   handle(struct client *c) ON_SHARD;
static void   count(struct client *c, enum packet_type type) ON_SHARD;
static void   handle_again(struct client *c) ON_SHARD;

void protocol_feed(struct client *c, struct str bytes)
{
        if (buffer_len(&c->unread) > 0) {
                if (buffer_append(&c->unread, bytes))
                        protocol_proceed(c);
                else
                        client_lost(c, "no memory");
                return;
        }

        size_t     used = parse(c, bytes);
        struct str rest = str_skip(bytes, used);

        if (c->move_to != CLIENT_STAYS)
                client_move(c, rest);
        else if (rest.len > 0 && c->state < CLIENT_CLOSING && !buffer_append(&c->unread, rest))
                client_lost(c, "no memory");
}

void protocol_proceed(struct client *c)
{
        size_t used = parse(c, buffer_str(&c->unread));

        buffer_consume(&c->unread, used);
        if (c->move_to != CLIENT_STAYS)
                client_move(c, buffer_str(&c->unread));
        if (buffer_len(&c->unread) == 0)        /* an idle client holds no memory */
                buffer_deinit(&c->unread);
}

/* Handles whole packets; returns how many bytes they were. */
static size_t parse(struct client *c, struct str bytes)
{
        size_t used = 0;

        while (used < bytes.len && client_reads(c)) {
                struct str        rest   = str_skip(bytes, used);
                enum frame_result result = frame_peek(rest, &c->frame);

                if (!frame_allowed(c, result) || result == FRAME_PARTIAL)
                        break;
                c->body = str_from(rest.ptr + c->frame.header_size, c->frame.body_size);

                size_t size = (size_t)c->frame.header_size + c->frame.body_size;

                handle(c);
                c->body = (struct str){ 0 };
                if (c->move_to != CLIENT_STAYS) /* counted where it is at home */
                        break;
                count(c, c->frame.type);
                if (c->state == CLIENT_CONNECTED && !(c->paused & PAUSED_BY_ACCESS))
                        protocol_release(c);
                if (c->limiter != NULL && c->frame.type == PACKET_PUBLISH)
                        limiter_received(c);
                used += size;
        }
        asking_end(c);
        return used;
}

/* Why it is not what a client begins with, from its first byte; NULL: it may be. The log says which
 * port would have been the right one. */
static const char *not_connect(const struct frame *frame)
{
        char first = (char)((unsigned)frame->type << 4 | frame->flags);

        if (first == 0x16)
                return "this is TLS, and the listener has none; use one of type tls";
        if (first == 'G')
                return "this is HTTP; MQTT over WebSocket has listeners of type ws";
        return frame->type != PACKET_CONNECT ? "the first packet is not CONNECT" : NULL;
}

/* What is refused as soon as the header is there, before memory is spent on the body. */
static bool frame_allowed(struct client *c, enum frame_result result)
{
        const struct settings *settings = c->shard->settings;
        uint64_t               size = (uint64_t)c->frame.header_size + c->frame.body_size;
        const char            *why;

        if (c->state == CLIENT_WAITING && (why = not_connect(&c->frame)) != NULL) {
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, why);
                client_lost(c, c->why); /* [MQTT-3.1.0-1]: at once */
                return false;
        }
        if (result == FRAME_BAD) {
                client_refuse_packet(c, REASON_MALFORMED_PACKET, "the length is malformed");
                return false;
        }
        if (c->frame.header_size == 0)
                return true;
        if (c->state == CLIENT_WAITING && size > settings->max_connect_size) {
                client_refuse_packet(c, REASON_PACKET_TOO_LARGE,
                                     "beyond mqtt.max_packet_size_before_connect");
                return false;
        }
        if (size > settings->max_packet_size) {
                client_refuse_packet(c, REASON_PACKET_TOO_LARGE, "beyond mqtt.max_packet_size");
                return false;
        }
        return true;
}

static void handle(struct client *c)
{
        const struct packet_row *row   = &rows[c->frame.type];
        struct decode_error      error = { .what = NULL };
        struct packet            packet;

        if (row->handle == NULL || !(row->states & IN(c->state))) { /* [MQTT-3.1.0-2] */
                client_refuse_packet(c, REASON_PROTOCOL_ERROR, "not to be sent now");
                return;
        }

        bool good = decode(&c->frame, c->body, c->version, &packet, &error);

        if (c->frame.type == PACKET_CONNECT)
                c->version = packet.connect.version;
        if (good)
                row->handle(c, &packet);
        else if (error.reason == REASON_PAYLOAD_FORMAT_INVALID && c->frame.type == PACKET_PUBLISH)
                publish_refuse(c, &packet.publish, error.reason, error.what);
        else
                client_refuse_packet(c, error.reason, error.what);
}

static void count(struct client *c, enum packet_type type)
{
        const struct packet_row *row     = &rows[type];
        struct metrics          *metrics = &c->shard->metrics;

        metric_add(&metrics->packets_received, 1);
        if (row->handle != NULL)
                metric_add((_Atomic uint64_t *)(void *)((char *)metrics + row->metric), 1);
}

/* Of what a peer could repeat at will: the first of a second. */
ON_SHARD static void log_denied(struct client *c)
{
        const struct access_request *request = &c->asking->request;
        uint32_t                     skipped = 0;

        if (!client_may_log(c->manager, REFUSED_ACCESS, &skipped))
                return;
        LOG(WARNING, "access.denied", F_STR("client", c->client_id),
            F_STR("username", c->username), F_STR("address", request->address),
            F_TEXT("kind", kinds[request->kind]), F_STR("topic", request->topic),
            F_U64("qos", request->qos), F_U64("acl_line", request->line),
            F_TEXT("why", request->why != NULL ? request->why : "a rule denies it"),
            F_U64("skipped", skipped));
}

/* The verdict on a topic of the packet in hand. */
ON_SHARD static enum reason reason_of(struct client *c, enum access_verdict verdict)
{
        const struct access_request *request = &c->asking->request;

        if (verdict != ACCESS_ALLOW) {
                if (request->late == NULL)              /* else it is told */
                        log_denied(c);
                return request->reason;
        }
        return request->partly ? ALLOWED_PARTLY : REASON_SUCCESS;
}

bool protocol_ask(struct client *c, unsigned index, const struct question *question,
                  enum reason *out)
{
        struct access_request *request;
        struct str             verdicts = { 0 };

        if (c->asking != NULL)
                verdicts = buffer_str(&c->asking->verdicts);
        *out = REASON_SUCCESS;
        if (index < verdicts.len) {
                *out = (enum reason)(uint8_t)verdicts.ptr[index];
                return true;
        }
        if (c->superuser || !access_is_asked(c->shard))
                return true;
        if (!asking_begin(c)) {
                *out = REASON_SERVER_BUSY;
                return true;
        }
        request         = &c->asking->request;
        request->kind   = question->kind;
        request->topic  = question->topic;
        request->qos    = question->qos;
        request->retain = question->retain;

        enum access_verdict verdict = access_check(request);

        if (verdict == ACCESS_LATER) {
                if (protocol_hold(c) && protocol_keep_text(c, request->topic)) {
                        request->topic = buffer_str(&c->asking->text);
                        client_pause(c, PAUSED_BY_ACCESS);
                        return false;
                }
                access_cancel(request);
                request->reason = REASON_SERVER_BUSY;
        }
        *out = reason_of(c, verdict);
        return true;
}

/* Nothing when it is held already. */
bool protocol_hold(struct client *c)
{
        if (!asking_begin(c))
                return false;
        if (c->asking->body != NULL)
                return true;
        c->asking->frame = c->frame;
        c->asking->body  = mem_dup(c->body);
        return c->asking->body != NULL;
}

/* The answer may come later, when the packet's bytes are elsewhere. */
bool protocol_keep_text(struct client *c, struct str text)
{
        buffer_consume(&c->asking->text, buffer_len(&c->asking->text));
        return buffer_append(&c->asking->text, text);
}

void protocol_release(struct client *c)
{
        if (c->asking == NULL)
                return;
        mem_free(TAKE(c->asking->body));
        buffer_consume(&c->asking->verdicts, buffer_len(&c->asking->verdicts));
}

bool protocol_decode_held(struct client *c, struct packet *out)
{
        struct decode_error error;

        assert(c->asking != NULL && c->asking->body != NULL);
        c->frame = c->asking->frame;
        c->body  = str_from(c->asking->body, c->asking->frame.body_size);
        return decode(&c->frame, c->body, c->version, out, &error);
}

/* The same packet is handled again, with one verdict more in hand. */
static void handle_again(struct client *c)
{
        struct packet packet;

        bool good = protocol_decode_held(c, &packet);

        assert(good);           /* it was decoded before */
        (void)good;
        rows[c->frame.type].handle(c, &packet);
        c->body = (struct str){ 0 };
        if (!(c->paused & PAUSED_BY_ACCESS))
                protocol_release(c);
}

/* The provider may be slow for thousands at once. */
ON_SHARD static void log_late(struct client *c)
{
        const struct access_request *request = &c->asking->request;
        uint32_t                     skipped = 0;

        if (!client_may_log(c->manager, REFUSED_LATE, &skipped))
                return;
        LOG(WARNING, "access.timeout", F_STR("client", c->client_id),
            F_STR("address", request->address), F_TEXT("listener", c->listener->name),
            F_TEXT("provider", request->late), F_TEXT("kind", kinds[request->kind]),
            F_TEXT("why", request->why), F_U64("skipped", skipped));
}

void protocol_answered(struct access_request *request, enum access_verdict verdict)
{
        struct client *c = request->asker;

        on_shard(&c->shard->loop);
        assert(c->magic == CLIENT_MAGIC);
        if (c->state >= CLIENT_CLOSING)
                return;
        if (request->late != NULL)
                log_late(c);
        c->paused &= (uint8_t)~PAUSED_BY_ACCESS;
        if (c->state == CLIENT_AUTHENTICATING && request->kind == ACCESS_PUBLISH) {
                will_verdict(c, verdict);
        } else if (request->kind != ACCESS_CONNECT) {
                char byte = (char)reason_of(c, verdict);

                if (buffer_append(&c->asking->verdicts, str_from(&byte, 1)))
                        handle_again(c);
                else
                        client_lost(c, "no memory");
        } else if (c->state == CLIENT_CONNECTED) {
                auth_verdict(c, verdict);
        } else {
                connect_verdict(c, verdict);
        }
        if (!(c->paused & PAUSED_BY_ACCESS))
                client_go_on(c, PAUSED_BY_ACCESS);
}

struct receipt *protocol_barrier(struct client *c)
{
        const struct session *session = c->peer.session;
        struct receipt       *barrier = NULL;
        bool                  failed  = false;

        if (session != NULL && session->durability != DURABILITY_MEMORY)
                barrier = journal_barrier(c->shard, NULL, NULL, &failed);
        if (failed)
                client_lost(c, "no memory");
        return barrier;
}

void protocol_wait(struct reply *reply, struct receipt *receipt)
{
        if (receipt == NULL)
                return;
        if (reply != NULL)
                reply_waits(reply, receipt);
        else
                receipt_forget(receipt);
}
