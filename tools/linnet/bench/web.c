#include "web.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"
#include "net/http_upgrade.h"
#include "net/websocket_frame.h"

enum {
        KEY_BYTES    = 16,
        ANSWER_MAX   = 8192,
        LENGTH_16    = 126,             /* what stands for a length of 16 bits */
        LENGTH_64    = 127,
        NORMAL_END   = 1000,
        FINAL        = 0x80,
        MASKED       = 0x80,
};

struct web {
        char          key[BASE64_SIZE(KEY_BYTES)];
        char          why[64];
        bool          open, closed;
        bool          asked;            /* there is a ping to be answered */
        bool          unfinished;       /* a message that has not come to its end */
        uint8_t       header[10];       /* of the frame that comes in */
        uint8_t       header_len;
        uint64_t      left;             /* of its payload */
        char          control[WEBSOCKET_CONTROL_MAX];
        size_t        control_len;
        struct random random;           /* masks */
};

struct web *web_new(void)
{
        struct web *web = mem_zalloc(sizeof(*web));
        uint8_t     secret[KEY_BYTES];
        uint64_t    seed;

        if (web == NULL)
                return NULL;
        random_secret(secret, sizeof(secret));
        base64_encode(str_from(secret, sizeof(secret)), web->key);
        random_secret(&seed, sizeof(seed));
        random_init(&web->random, seed);
        return web;
}

void web_free(struct web *web)
{
        mem_free(web);
}

bool web_is_open(const struct web *web)
{
        return web->open;
}

bool web_is_closed(const struct web *web)
{
        return web->closed;
}

const char *web_why(const struct web *web)
{
        return web->why;
}

static bool complain(struct web *web, const char *why)
{
        snprintf(web->why, sizeof(web->why), "%s", why);
        return false;
}

/* ---- the request and its answer -------------------------------------------------------------- */

size_t web_request(const struct web *web, const struct bench_options *options, char *to,
                   size_t size)
{
        bool v6  = strchr(options->host, ':') != NULL;
        int  len = snprintf(to, size,
                            "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
                            options->ws_path, v6 ? "[" : "", options->host, v6 ? "]" : "",
                            options->port, web->key);

        return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

static bool cut_line(struct str *rest, struct str *line)
{
        if (!str_cut(rest, '\n', line))
                return false;
        if (line->len > 0 && line->ptr[line->len - 1] == '\r')
                line->len--;
        return true;
}

/* The value of a field; empty: there is none. */
static struct str field_of(struct str head, struct str name)
{
        struct str line, word;

        while (cut_line(&head, &line))
                if (str_cut(&line, ':', &word) && str_same_word(str_trim(word), name))
                        return str_trim(line);
        return (struct str){ 0 };
}

static bool judge(struct web *web, struct str head)
{
        struct str fields = head, line;
        char       proof[UPGRADE_PROOF_SIZE];

        if (!cut_line(&fields, &line) || !str_starts(line, STR("HTTP/1.1 ")))
                return complain(web, "the answer is no HTTP/1.1");
        if (!str_starts(line, STR("HTTP/1.1 101"))) {
                line = str_skip(line, sizeof("HTTP/1.1"));
                snprintf(web->why, sizeof(web->why), "the answer is %.*s", STR_ARGS(line));
                return false;
        }
        if (!upgrade_proof(str_of(web->key), proof) ||
            !str_eq(field_of(fields, STR("Sec-WebSocket-Accept")), str_of(proof)))
                return complain(web, "the answer has no proof that it is for our key");
        if (!str_eq(field_of(fields, STR("Sec-WebSocket-Protocol")), STR("mqtt")))
                return complain(web, "the broker does not choose the sub-protocol mqtt");
        return true;
}

enum web_answer web_answer(struct web *web, struct str *bytes)
{
        static const char end[] = "\r\n\r\n";
        const char       *at    = memmem(bytes->ptr, bytes->len, end, sizeof(end) - 1);
        size_t            size;

        if (at == NULL && bytes->len < ANSWER_MAX)
                return WEB_PARTIAL;
        if (at == NULL) {
                complain(web, "an answer without end");
                return WEB_REFUSED;
        }
        size = (size_t)(at - bytes->ptr) + sizeof(end) - 1;
        web->open = judge(web, str_from(bytes->ptr, size));
        *bytes    = str_skip(*bytes, size);
        return web->open ? WEB_OPEN : WEB_REFUSED;
}

/* ---- in -------------------------------------------------------------------------------------- */

static unsigned opcode_of(const struct web *web)
{
        return web->header[0] & 0x0fu;
}

static bool is_control(const struct web *web)
{
        return opcode_of(web) >= WEBSOCKET_CLOSE;
}

/* How long the header is, as far as can be told from what has come of it. */
static unsigned header_needs(const struct web *web)
{
        unsigned length = web->header_len < 2 ? 0 : web->header[1] & 0x7fu;

        return length == LENGTH_64 ? 10 : length == LENGTH_16 ? 4 : 2;
}

static uint64_t length_of(const struct web *web)
{
        uint64_t length = 0;

        if (web->header_len == 2)
                return web->header[1];
        for (unsigned i = 2; i < web->header_len; i++)
                length = length << 8 | web->header[i];
        return length;
}

/* The header is whole. */
static bool begin_frame(struct web *web)
{
        bool final = (web->header[0] & FINAL) != 0;

        if ((web->header[1] & MASKED) != 0)
                return complain(web, "a frame of a server with a mask");
        if ((web->header[0] & 0x70u) != 0)
                return complain(web, "a frame with a reserved bit");
        web->left        = length_of(web);
        web->control_len = 0;
        switch (opcode_of(web)) {
        case WEBSOCKET_BINARY:
        case WEBSOCKET_CONTINUATION:
                if (web->unfinished != (opcode_of(web) == WEBSOCKET_CONTINUATION))
                        return complain(web, "a fragment that does not follow");
                web->unfinished = !final;
                return web->left <= INT64_MAX || complain(web, "a frame that is too long");
        case WEBSOCKET_CLOSE:
        case WEBSOCKET_PING:
        case WEBSOCKET_PONG:
                return (final && web->left <= sizeof(web->control)) ||
                       complain(web, "a control frame that is too long, or in pieces");
        default:
                return complain(web, "a frame that is not binary");
        }
}

static void end_frame(struct web *web)
{
        web->header_len = 0;
        web->closed     = opcode_of(web) == WEBSOCKET_CLOSE;
        web->asked      = web->asked || opcode_of(web) == WEBSOCKET_PING;
}

/* Bytes of a payload: those for MQTT go to `to`. How many went there. */
static size_t take_payload(struct web *web, char *to, const char *from, size_t count)
{
        web->left -= count;
        if (!is_control(web)) {
                memmove(to, from, count);
                return count;
        }
        memcpy(web->control + web->control_len, from, count);
        web->control_len += count;
        return 0;
}

bool web_take(struct web *web, char *bytes, size_t *count)
{
        size_t size = *count, at = 0, to = 0;

        while (at < size && !web->closed) {
                if (web->left > 0) {
                        size_t part = web->left < size - at ? (size_t)web->left : size - at;

                        to += take_payload(web, bytes + to, bytes + at, part);
                        at += part;
                } else {
                        web->header[web->header_len++] = (uint8_t)bytes[at++];
                        if (web->header_len < header_needs(web))
                                continue;
                        if (!begin_frame(web))
                                return false;
                }
                if (web->left == 0)
                        end_frame(web);
        }
        *count = to;
        return true;
}

/* ---- out ------------------------------------------------------------------------------------- */

/* The key's bytes stand twice in `key`, in their order. */
static void mask(char *bytes, size_t size, uint64_t key)
{
        const char *byte = (const char *)&key;
        uint64_t    word;

        for (; size >= sizeof(word); bytes += sizeof(word), size -= sizeof(word)) {
                memcpy(&word, bytes, sizeof(word));
                word ^= key;
                memcpy(bytes, &word, sizeof(word));
        }
        for (size_t i = 0; i < size; i++)
                bytes[i] ^= byte[i];
}

/* The header of a masked frame ends where `payload` begins; where it begins. */
static char *put_header(char *payload, size_t size, enum websocket_opcode opcode, uint32_t key)
{
        unsigned more = size > UINT16_MAX ? 8 : size > WEBSOCKET_CONTROL_MAX ? 2 : 0;
        char    *at   = payload - sizeof(key) - more - 2;

        at[0] = (char)(FINAL | opcode);
        at[1] = (char)(MASKED | (more == 8 ? LENGTH_64 : more == 2 ? LENGTH_16 : size));
        for (unsigned i = 0; i < more; i++)
                at[2 + i] = (char)((uint64_t)size >> 8 * (more - 1 - i));
        memcpy(at + 2 + more, &key, sizeof(key));
        return at;
}

static struct str frame(struct web *web, char *payload, size_t size, enum websocket_opcode opcode)
{
        uint32_t key = (uint32_t)random_u64(&web->random);
        char    *at  = put_header(payload, size, opcode, key);

        mask(payload, size, (uint64_t)key << 32 | key);
        return str_from(at, (size_t)(payload - at) + size);
}

struct str web_frame(struct web *web, char *bytes, size_t size)
{
        if (size <= WEB_ROOM)
                return (struct str){ 0 };
        return frame(web, bytes + WEB_ROOM, size - WEB_ROOM, WEBSOCKET_BINARY);
}

struct str web_pong(struct web *web, char *to)
{
        if (!web->asked)
                return (struct str){ 0 };
        web->asked = false;
        memcpy(to + WEB_ROOM, web->control, web->control_len);
        return frame(web, to + WEB_ROOM, web->control_len, WEBSOCKET_PONG);
}

struct str web_close(struct web *web, char *to)
{
        to[WEB_ROOM]     = (char)(NORMAL_END >> 8);
        to[WEB_ROOM + 1] = (char)(NORMAL_END & 0xff);
        return frame(web, to + WEB_ROOM, 2, WEBSOCKET_CLOSE);
}
