/* A client's bytes on the server's WebSocket: the first byte says whether a good request goes
 * before them and how many come at a time, the second how many are read at a time. The stream that
 * is read is decoded again by code that has all frames at once and is too simple to be wrong; what
 * the server says must be one answer and well-formed frames, with nothing behind a close. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "net/transport_websocket.h"

enum { INPUT_MAX = 8192, PIPE_BYTES = 1 << 16, STEPS_MAX = 4 * INPUT_MAX };

static const char request[] = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

static const struct upgrade_rules rules = {
        .paths = {"/mqtt",                  5 },
        .origins = { "https://*.example.com", 21},
        .address_field = { "X-Forwarded-For",       15},
        .proxies = { "192.0.2.0/24",          12},
};

/* ---- the slow way ---------------------------------------------------------------------------- */

struct frame {
        unsigned opcode, bits; /* the four before the opcode */
        bool     masked;
        uint64_t size;
        size_t   header; /* its bytes, mask included */
        uint8_t  mask[4];
};

/* False when the header is not whole. */
static bool slowly_head(const uint8_t *at, size_t left, struct frame *out)
{
        size_t extra;

        if (left < 2)
                return false;
        out->opcode = at[0] & 15;
        out->bits = at[0] >> 4;
        out->masked = at[1] >> 7;
        out->size = at[1] & 127;
        extra = out->size == 127 ? 8 : out->size == 126 ? 2 : 0;
        out->header = 2 + extra + (out->masked ? 4 : 0);
        if (left < out->header)
                return false;
        if (extra > 0)
                out->size = 0;
        for (size_t i = 0; i < extra; i++)
                out->size = out->size << 8 | at[2 + i];
        memset(out->mask, 0, sizeof out->mask);
        if (out->masked)
                memcpy(out->mask, at + 2 + extra, 4);
        return true;
}

/* Whether a server may take it. */
static bool slowly_allowed(const struct frame *frame, bool in_message)
{
        bool   control = frame->opcode >= 8;
        size_t header = frame->header - (frame->masked ? 4 : 0);

        if (!frame->masked || (frame->bits & 7) != 0)
                return false;
        if (header > 2 && frame->size < (header == 10 ? 65536 : 126))
                return false;
        if (control)
                return frame->opcode <= 10 && frame->size <= 125 && (frame->bits & 8);
        return frame->opcode == (in_message ? 0 : 2) && frame->size <= UINT32_MAX;
}

/* The stream in `bytes`, up to the first frame that may not be, or a close. */
static size_t slowly_decode(const uint8_t *bytes, size_t size, char *to)
{
        size_t       at = 0, count = 0;
        bool         in_message = false;
        struct frame frame;

        while (slowly_head(bytes + at, size - at, &frame) && slowly_allowed(&frame, in_message)) {
                size_t left = size - at - frame.header;
                size_t here = frame.size < left ? (size_t)frame.size : left;

                at += frame.header;
                for (size_t i = 0; i < here && frame.opcode < 8; i++)
                        to[count++] = (char)(bytes[at + i] ^ frame.mask[i % 4]);
                at += here;
                if (here < frame.size || frame.opcode == 8)
                        break;
                if (frame.opcode < 8)
                        in_message = !(frame.bits & 8);
        }
        return count;
}

/* What the server says behind its answer. */
static void check_said(const uint8_t *bytes, size_t size, size_t payload)
{
        size_t       at = 0, count = 0;
        struct frame frame = { .opcode = 0 };

        while (at < size) {
                assert(frame.opcode != 8);
                assert(slowly_head(bytes + at, size - at, &frame));
                assert(frame.bits == 8 && !frame.masked && frame.size <= size - at - frame.header);
                assert(frame.opcode == 2 || frame.opcode == 8 || frame.opcode == 10);
                assert(frame.opcode == 2 || frame.size <= 125);
                if (frame.opcode == 2)
                        count += (size_t)frame.size;
                at += frame.header + (size_t)frame.size;
        }
        assert(count == payload);
}

/* ---- the transport --------------------------------------------------------------------------- */

struct run {
        struct transport *peer, *server;
        size_t            chunk, read_size;  /* bytes at a time */
        char              stream[INPUT_MAX]; /* read by the server */
        size_t            stream_size;
        size_t            written; /* by the server */
        struct buffer     said;    /* by the server's transport */
};

static void hear(struct run *run)
{
        char    bytes[4096];
        ssize_t count;

        while ((count = run->peer->ops->read(run->peer, bytes, sizeof bytes)) > 0)
                assert(buffer_append(&run->said, str_from(bytes, (size_t)count)));
}

/* Reads until there is no more; false when that is for good. */
static bool read_all(struct run *run)
{
        char bytes[256];

        for (unsigned steps = 0; steps < STEPS_MAX; steps++) {
                ssize_t count = run->server->ops->read(run->server, bytes, run->read_size);

                assert(count <= (ssize_t)run->read_size);
                if (count == -EAGAIN && !run->server->pending)
                        return true;
                if (count <= 0 && count != -EAGAIN) {
                        assert(count == 0 || (count == -EPROTO && run->server->why != NULL));
                        return false;
                }
                if (count == -EAGAIN)
                        continue;
                assert((size_t)count <= sizeof run->stream - run->stream_size);
                memcpy(run->stream + run->stream_size, bytes, (size_t)count);
                run->stream_size += (size_t)count;
        }
        assert(false);
        return false;
}

static void put_all(struct run *run, const uint8_t *bytes, size_t size)
{
        for (size_t at = 0; at < size; at += run->chunk) {
                size_t       left = size - at;
                struct iovec from = { (void *)(uintptr_t)(bytes + at),
                                      left < run->chunk ? left : run->chunk };
                ssize_t      count;

                assert(run->peer->ops->write(run->peer, &from, 1) == (ssize_t)from.iov_len);
                if (!read_all(run))
                        return;
                count = run->server->ops->write(run->server, &from, 1);
                assert(count == (ssize_t)from.iov_len || count == -EPIPE);
                run->written += count > 0 ? (size_t)count : 0;
                hear(run);
        }
}

static void check(struct run *run, const uint8_t *bytes, size_t size)
{
        static char    stream[INPUT_MAX];
        struct str     said = buffer_str(&run->said);
        const uint8_t *frames = memmem(bytes, size, "\r\n\r\n", 4);
        const char    *answer;

        if (said.len == 0)
                return;
        answer = memmem(said.ptr, said.len, "\r\n\r\n", 4);
        assert(answer != NULL && str_starts(said, STR("HTTP/1.1 ")));
        if (!str_starts(said, STR("HTTP/1.1 101 "))) {
                assert(run->stream_size == 0 && run->written == 0);
                return;
        }
        assert(frames != NULL);
        frames += 4;
        assert(run->stream_size == slowly_decode(frames, (size_t)(bytes + size - frames), stream));
        assert(memcmp(stream, run->stream, run->stream_size) == 0);
        check_said((const uint8_t *)answer + 4, (size_t)(said.ptr + said.len - answer) - 4,
                   run->written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct run run;
        static uint8_t    bytes[INPUT_MAX];
        struct transport *ends[2];
        size_t            before = 0;

        if (size < 2 || size - 2 > sizeof bytes - sizeof request)
                return 0;
        if (data[0] & 1) {
                before = sizeof request - 1;
                memcpy(bytes, request, before);
        }
        memcpy(bytes + before, data + 2, size - 2);
        assert(memory_transport_pair(PIPE_BYTES, ends));
        assert(address_parse(STR("192.0.2.1:4711"), &ends[1]->peer));
        run = (struct run){
                .peer = ends[0],
                .server = websocket_transport_new(ends[1], &rules),
                .chunk = (data[0] >> 1) + 1u,
                .read_size = data[1] + 1u > 256 ? 256 : data[1] + 1u,
        };
        assert(run.server != NULL);
        put_all(&run, bytes, before + size - 2);
        run.server->ops->shut(run.server);
        hear(&run);
        check(&run, bytes, before + size - 2);
        buffer_deinit(&run.said);
        run.server->ops->free(run.server);
        run.peer->ops->free(run.peer);
        return 0;
}
