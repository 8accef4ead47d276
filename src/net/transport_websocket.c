#include "net/transport_websocket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/memory.h"
#include "net/websocket_frame.h"

enum {
        WHY_SIZE = 256,       /* of a refused request's text */
        WHAT_BYTES_MAX = 100, /* of the request in it */
        WRITE_IOVECS = 64,    /* one after the other in one frame */
};

/* A frame may have many packets, so it may be longer than one; but not without end. */
#define FRAME_BYTES_MAX (UINT64_C(4) * PACKET_BYTES_MAX)

/* Section 7.4.1. */
enum close_code {
        CLOSE_NORMAL = 1000,
        CLOSE_LEAVING = 1001,
        CLOSE_PROTOCOL = 1002,
        CLOSE_UNSUPPORTED = 1003,
        CLOSE_POLICY = 1008,
        CLOSE_TOO_LARGE = 1009,
};

enum state {
        UPGRADING, /* the request has not come whole */
        OPEN,
        BROKEN, /* the peer misspoke: what comes is thrown away */
        DONE,   /* the peer's close has come, its last frame */
};

struct websocket {
        struct transport            transport;
        const struct upgrade_rules *rules;
        struct websocket_reader    *reader; /* while a frame is on its way in */
        struct buffer               heard;  /* the request; then a ping's payload, for its pong */
        struct buffer               own;    /* on its way out, before anything else */
        uint64_t                    frame_left; /* of a frame on its way out: payload to come */
        char                       *why;        /* owned, of a refused request; or NULL */
        enum state                  state;
        uint16_t                    code;       /* of our close */
        bool                        told;       /* the reader, that it is not open */
        bool                        in_message; /* continuations are to come */
        bool                        pinged;     /* and no pong is on its way out */
        bool                        close_due;
        bool                        close_said; /* our last frame is on its way out */
        bool                        shut;
        bool                        shut_below;
};

static const struct transport_ops websocket_ops;

static ssize_t read_on(struct websocket *ws, char *to, size_t size);
static ssize_t take(struct websocket *ws, char *bytes, size_t size);
static bool    upgrade(struct websocket *ws, struct str *bytes);
static bool    answer(struct websocket *ws, struct str request);
static bool    refuse(struct websocket *ws, const struct upgrade_answer *answer);
static bool    check(struct websocket *ws, const struct websocket_part *part);
static bool    take_control(struct websocket *ws, const struct websocket_part *part);
static void    misspoken(struct websocket *ws, enum close_code code, const char *why);
static void    push(struct websocket *ws);
static void    settle(struct websocket *ws);

static struct websocket *websocket_of(struct transport *t)
{
        assert(t->ops == &websocket_ops);
        return (struct websocket *)(void *)t;
}

struct transport *websocket_transport_new(struct transport           *below,
                                          const struct upgrade_rules *rules)
{
        struct websocket *ws = mem_zalloc(sizeof *ws);

        if (ws == NULL) {
                below->ops->free(below);
                return NULL;
        }
        ws->transport = (struct transport){ .ops         = &websocket_ops,
                                            .below       = below,
                                            .awaits_peer = rules->proxies.len > 0,
                                            .awaits      = "no WebSocket upgrade in time" };
        ws->rules = rules;
        ws->code = CLOSE_NORMAL;
        return &ws->transport;
}

/* ---- in -------------------------------------------------------------------------------------- */

/* The raw bytes are read to where the caller wants the stream, which is never longer. */
static ssize_t websocket_read_stream(struct transport *t, void *to, size_t size)
{
        struct websocket *ws = websocket_of(t);
        ssize_t           count;

        t->pending = false;
        count = read_on(ws, to, size);
        t->pending |= t->below->pending || (ws->state > OPEN && !ws->told);
        push(ws); /* an answer to what came; should it fail, reading does, too */
        if (ws->reader != NULL && (ws->state != OPEN || websocket_at_rest(ws->reader)))
                websocket_reader_free(TAKE(ws->reader));
        settle(ws);
        return count;
}

static ssize_t end_of(struct websocket *ws)
{
        ws->told = true;
        return ws->state == DONE ? 0 : -EPROTO;
}

static ssize_t read_on(struct websocket *ws, char *to, size_t size)
{
        struct transport *below = ws->transport.below;
        size_t            taken = 0;

        if (ws->state == DONE || (ws->state == BROKEN && !ws->told))
                return end_of(ws);
        while (taken < TURN_READ_BYTES) {
                ssize_t got = below->ops->read(below, to, size);

                if (got == -EPROTO && ws->transport.why == NULL)
                        ws->transport.why = below->why;
                if (got <= 0)
                        return got;
                taken += (size_t)got;
                if (ws->state == BROKEN)
                        continue;

                ssize_t count = take(ws, to, (size_t)got);

                if (count != 0)
                        return count;
                if (ws->state > OPEN)
                        return end_of(ws);
        }
        ws->transport.pending = true; /* others first; it may be that no descriptor tells */
        return -EAGAIN;
}

/* What comes from the wire becomes what it carries, in place. Its length, or -errno. Frames that
 * have something wrong behind them still count [MQTT-6.0.0-2]. */
static ssize_t take(struct websocket *ws, char *bytes, size_t size)
{
        struct str            rest = str_from(bytes, size);
        size_t                count = 0;
        struct websocket_part part;

        if (ws->state == UPGRADING && !upgrade(ws, &rest))
                return -ENOMEM;
        if (ws->state != OPEN || rest.len == 0)
                return 0;
        if (ws->reader == NULL && (ws->reader = websocket_reader_new()) == NULL)
                return -ENOMEM;
        while (ws->state == OPEN) {
                enum websocket_result result = websocket_read(ws->reader, &rest, &part);

                if (result == WEBSOCKET_MORE)
                        break;
                if (result == WEBSOCKET_BAD)
                        misspoken(ws, CLOSE_PROTOCOL, "a frame's length is malformed");
                else if (!check(ws, &part))
                        break;
                else if (part.opcode >= WEBSOCKET_CLOSE && !take_control(ws, &part))
                        return -ENOMEM;
                else if (part.opcode < WEBSOCKET_CLOSE) {
                        memcpy(bytes + count, part.bytes.ptr, part.bytes.len);
                        count += part.bytes.len;
                }
        }
        return (ssize_t)count;
}

/* False without memory. Leaves in *bytes what is behind the request. */
static bool upgrade(struct websocket *ws, struct str *bytes)
{
        struct upgrade_answer refusal;
        size_t                before = buffer_len(&ws->heard);
        size_t                room = UPGRADE_BYTES_MAX - before;
        size_t                more = bytes->len < room ? bytes->len : room;
        const char           *why = before == 0 ? upgrade_stranger(*bytes) : NULL;
        size_t                size;

        if (why != NULL) {
                upgrade_refuse(&refusal, 400, why);
                return refuse(ws, &refusal);
        }
        if (!buffer_append(&ws->heard, str_from(bytes->ptr, more)))
                return false;
        size = upgrade_size(buffer_str(&ws->heard), before);
        if (size == 0 && before + more == UPGRADE_BYTES_MAX) {
                upgrade_refuse(&refusal, 431, "the request is too large");
                return refuse(ws, &refusal);
        }
        *bytes = str_skip(*bytes, size > 0 ? size - before : more);
        return size == 0 || answer(ws, str_from(buffer_str(&ws->heard).ptr, size));
}

static bool answer(struct websocket *ws, struct str request)
{
        struct upgrade_answer answer;

        upgrade_judge(request, ws->rules, transport_peer(ws->transport.below), &answer);
        if (answer.status != 101)
                return refuse(ws, &answer);
        if (!upgrade_write(&answer, &ws->own))
                return false;
        ws->transport.peer        = answer.client;
        ws->transport.awaits_peer = false;
        ws->transport.awaits      = NULL;
        ws->state = OPEN;
        buffer_deinit(&ws->heard);
        return true;
}

static bool refuse(struct websocket *ws, const struct upgrade_answer *answer)
{
        char       text[WHY_SIZE];
        struct str what = answer->what;

        if (what.len > WHAT_BYTES_MAX)
                what.len = WHAT_BYTES_MAX;
        if (what.len > 0)
                snprintf(text, sizeof text, "%u: %s: %.*s", answer->status, answer->why,
                         STR_ARGS(what));
        else
                snprintf(text, sizeof text, "%u: %s", answer->status, answer->why);
        ws->why = mem_dup(str_of(text));
        if (ws->why == NULL || !upgrade_write(answer, &ws->own))
                return false;
        ws->transport.why = ws->why;
        ws->state = BROKEN;
        buffer_deinit(&ws->heard);
        return true;
}

static void misspoken(struct websocket *ws, enum close_code code, const char *why)
{
        ws->state = BROKEN;
        ws->code = (uint16_t)code;
        ws->transport.why = why;
}

/* Whether this frame may come now. [MQTT-6.0.0-1] */
static bool check(struct websocket *ws, const struct websocket_part *part)
{
        bool is_control = part->opcode >= WEBSOCKET_CLOSE;

        if (!part->starts)
                return true;
        if (part->reserved != 0)
                misspoken(ws, CLOSE_PROTOCOL, "a frame has reserved bits, and no extension");
        else if (!part->masked)
                misspoken(ws, CLOSE_PROTOCOL, "a client's frame is not masked");
        else if (part->opcode == WEBSOCKET_TEXT)
                misspoken(ws, CLOSE_UNSUPPORTED, "a frame of text; MQTT is in binary frames");
        else if ((part->opcode > WEBSOCKET_BINARY && !is_control) || part->opcode > WEBSOCKET_PONG)
                misspoken(ws, CLOSE_PROTOCOL, "a frame has a reserved opcode");
        else if (part->opcode == WEBSOCKET_CONTINUATION && !ws->in_message)
                misspoken(ws, CLOSE_PROTOCOL, "a frame continues nothing");
        else if (part->opcode == WEBSOCKET_BINARY && ws->in_message)
                misspoken(ws, CLOSE_PROTOCOL, "a message begins within another");
        else if (part->size > FRAME_BYTES_MAX)
                misspoken(ws, CLOSE_TOO_LARGE, "a frame is too large");
        else if (!is_control)
                ws->in_message = !part->final;
        return ws->state == OPEN;
}

/* Which codes a peer may say. */
static bool code_good(unsigned code)
{
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
               (code >= 3000 && code <= 4999);
}

static void take_close(struct websocket *ws, struct str payload)
{
        unsigned code = CLOSE_NORMAL;

        if (payload.len > 0)
                code = payload.len == 1 ? 0
                                        : (unsigned)(unsigned char)payload.ptr[0] << 8 |
                                                  (unsigned char)payload.ptr[1];
        if (!code_good(code)) {
                misspoken(ws, CLOSE_PROTOCOL, "a close has a code that nobody may say");
                return;
        }
        ws->state = DONE;
        ws->close_due = !ws->close_said;
        if (!ws->close_due)
                return;
        ws->code = (uint16_t)code;
}

/* False without memory. A pong is ignored; of pings that were not answered, the last one counts. */
static bool take_control(struct websocket *ws, const struct websocket_part *part)
{
        if (part->opcode == WEBSOCKET_PONG)
                return true;
        if (part->starts) {
                buffer_consume(&ws->heard, buffer_len(&ws->heard));
                ws->pinged = false;
        }
        if (!buffer_append(&ws->heard, part->bytes))
                return false;
        if (!part->ends)
                return true;
        if (part->opcode == WEBSOCKET_PING)
                ws->pinged = true;
        else
                take_close(ws, buffer_str(&ws->heard));
        return true;
}

/* ---- out ------------------------------------------------------------------------------------- */

static bool add_control(struct websocket *ws, enum websocket_opcode opcode, struct str payload)
{
        char   header[WEBSOCKET_HEADER_SIZE];
        size_t size = websocket_header(header, opcode, payload.len);

        return size > 0 && buffer_append(&ws->own, str_from(header, size)) &&
               buffer_append(&ws->own, payload);
}

/* What is said behind the code: as much as fits, in whole characters. */
static struct str close_text(const struct websocket *ws)
{
        const char *why = ws->state == DONE ? NULL : ws->transport.why;
        struct str  text = str_of(why);

        if (text.len <= WEBSOCKET_CONTROL_MAX - 2)
                return text;
        text.len = WEBSOCKET_CONTROL_MAX - 2;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
                text.len--;
        return text;
}

static bool add_close(struct websocket *ws)
{
        char       payload[WEBSOCKET_CONTROL_MAX] = { (char)(ws->code >> 8), (char)ws->code };
        struct str text = close_text(ws);

        if (text.len > 0)
                memcpy(payload + 2, text.ptr, text.len);
        ws->close_due = false;
        ws->close_said = true;
        return add_control(ws, WEBSOCKET_CLOSE, str_from(payload, 2 + text.len));
}

/* Between frames control frames have their place. False without memory; then they are not said. */
static bool add_due(struct websocket *ws)
{
        if (ws->frame_left > 0 || ws->close_said)
                return true;
        if (ws->pinged) {
                ws->pinged = false;
                if (!add_control(ws, WEBSOCKET_PONG, buffer_str(&ws->heard)))
                        return false;
                buffer_deinit(&ws->heard);
        }
        return !ws->close_due || add_close(ws);
}

/* Of `own`; emptied it gives its memory back. */
static void written(struct websocket *ws, size_t count)
{
        buffer_consume(&ws->own, count);
        if (buffer_len(&ws->own) == 0)
                buffer_deinit(&ws->own);
}

/* Writes what it has to say itself, but within a frame, whose payload belongs behind it: that goes
 * with the next write, or never. Should it fail, so will reading. */
static void push(struct websocket *ws)
{
        struct transport *below = ws->transport.below;
        bool              good = add_due(ws);
        bool              within = ws->frame_left > 0;
        struct str        own = buffer_str(&ws->own);
        struct iovec      from = { (void *)(uintptr_t)own.ptr, own.len };
        ssize_t           sent = 0;

        if (good && own.len > 0 && !within)
                sent = below->ops->write(below, &from, 1);

        if (sent > 0)
                written(ws, (size_t)sent);
        else if (!good || (sent < 0 && sent != -EAGAIN))
                written(ws, own.len);
        if (ws->shut && !ws->shut_below && (within || buffer_len(&ws->own) == 0)) {
                ws->shut_below = true;
                below->farewell = ws->transport.farewell;
                below->ops->shut(below);
        }
}

/* Waits for room where something waits for it; within a frame its user does. */
static void settle(struct websocket *ws)
{
        bool due = !ws->close_said && (ws->pinged || ws->close_due);
        bool waits = ws->frame_left == 0 && (due || buffer_len(&ws->own) > 0);

        ws->transport.wants = ws->transport.below->wants | (waits ? POLL_WRITE : 0u);
}

/* A frame that may be written, with what goes before it. */
struct write {
        struct iovec parts[WRITE_IOVECS + 2];
        int          count;
        size_t       own; /* bytes of `own` in it */
        char         header[WEBSOCKET_HEADER_SIZE];
        size_t       header_size; /* 0: the frame has begun */
        size_t       total;       /* of a frame that begins: its payload */
};

static void add_part(struct write *w, const void *from, size_t size)
{
        if (size > 0)
                w->parts[w->count++] = (struct iovec){ (void *)(uintptr_t)from, size };
}

/* False without memory. */
static bool plan(struct websocket *ws, const struct iovec *from, int count, struct write *w)
{
        struct str own = buffer_str(&ws->own);
        uint64_t   limit = ws->frame_left;

        w->own = own.len;
        add_part(w, own.ptr, own.len);
        count = count < WRITE_IOVECS ? count : WRITE_IOVECS;
        if (limit == 0) {
                for (int i = 0; i < count; i++)
                        w->total += from[i].iov_len;
                if (w->total > 0) {
                        w->header_size = websocket_header(w->header, WEBSOCKET_BINARY, w->total);
                        if (w->header_size == 0)
                                return false;
                }
                add_part(w, w->header, w->header_size);
                limit = w->total;
        }
        for (int i = 0; i < count && limit > 0; i++) {
                size_t size = from[i].iov_len < limit ? from[i].iov_len : (size_t)limit;

                add_part(w, from[i].iov_base, size);
                limit -= size;
        }
        return true;
}

/* What went of it: how much of the payload, or -errno. The frame has begun even if nothing went:
 * TLS may have made a record of it that waits for room, and is to be brought the same bytes. */
static ssize_t account(struct websocket *ws, const struct write *w, size_t sent)
{
        size_t own = sent < w->own ? sent : w->own;

        written(ws, own);
        sent -= own;
        if (w->header_size > 0) {
                size_t part = sent < w->header_size ? sent : w->header_size;

                if (!buffer_append(&ws->own, str_from(w->header + part, w->header_size - part)))
                        return -ENOMEM;
                sent -= part;
                ws->frame_left = w->total;
        }
        ws->frame_left -= sent;
        return sent > 0 ? (ssize_t)sent : -EAGAIN;
}

/* One frame for all that is given, or the next of one that has begun. [MQTT-6.0.0-1] */
static ssize_t websocket_write(struct transport *t, const struct iovec *from, int count)
{
        struct websocket *ws = websocket_of(t);
        struct write      w = { .count = 0 };
        ssize_t           sent;

        if (ws->state == UPGRADING || ws->state == DONE || ws->why != NULL || ws->close_said)
                return -EPIPE;
        if (!add_due(ws) || !plan(ws, from, count, &w))
                return -ENOMEM;
        if (w.count == 0)
                return 0;
        sent = t->below->ops->write(t->below, w.parts, w.count);
        if (sent >= 0 || sent == -EAGAIN)
                sent = account(ws, &w, sent > 0 ? (size_t)sent : 0);
        settle(ws);
        return sent;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Unless the peer has said it, or there is nobody who would understand. */
static void websocket_shut(struct transport *t)
{
        static const enum close_code codes[] = {
                [FAREWELL_NORMAL] = CLOSE_NORMAL,       [FAREWELL_LEAVING] = CLOSE_LEAVING,
                [FAREWELL_PROTOCOL] = CLOSE_PROTOCOL,   [FAREWELL_POLICY] = CLOSE_POLICY,
                [FAREWELL_TOO_LARGE] = CLOSE_TOO_LARGE,
        };
        struct websocket *ws = websocket_of(t);

        ws->shut = true;
        if (ws->state == OPEN)
                ws->code = (uint16_t)codes[t->farewell];
        if (ws->state == OPEN || (ws->state == BROKEN && ws->why == NULL))
                ws->close_due = !ws->close_said;
        push(ws);
        settle(ws);
}

static bool websocket_attach(struct transport *t, struct poll *poll, struct watch *watch,
                             unsigned wants)
{
        return t->below->ops->attach(t->below, poll, watch, wants);
}

static void websocket_detach(struct transport *t, struct watch *watch)
{
        t->below->ops->detach(t->below, watch);
}

/* Whom it would be without what the proxy says. */
static size_t websocket_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        char text[ADDRESS_TEXT_SIZE];

        if (t->peer.any.sa_family == AF_UNSPEC)
                return 0;
        address_text(transport_peer(t->below), text);
        return (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "proxy=%s", text);
}

static void websocket_free(struct transport *t)
{
        struct websocket *ws = websocket_of(t);

        t->below->ops->free(t->below);
        websocket_reader_free(ws->reader);
        buffer_deinit(&ws->heard);
        buffer_deinit(&ws->own);
        mem_free(ws->why);
        mem_free(ws);
}

static const struct transport_ops websocket_ops = {
        .name = "websocket",
        .read = websocket_read_stream,
        .write = websocket_write,
        .attach = websocket_attach,
        .detach = websocket_detach,
        .shut = websocket_shut,
        .free = websocket_free,
        .describe = websocket_describe,
};
