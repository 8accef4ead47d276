/* For tests of WebSocket: a client made of bytes, and the server's transport. */
#ifndef LINNET_TEST_HARNESS_WEBSOCKET_H
#define LINNET_TEST_HARNESS_WEBSOCKET_H

#include <errno.h>
#include <string.h>

#include "net/transport_websocket.h"
#include "net/websocket_frame.h"
#include "unit.h"

enum { FIN = 0x80, MASKED = 0x80, PIPE_BYTES = 1 << 20 };

static const char request[] = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

static const struct upgrade_rules rules = {
        .paths = {"/mqtt", 5}
};

static struct transport *peer, *ws; /* the client's end, on bytes; the server's, on frames */
static char              wire[1 << 18], got[1 << 18];
static size_t            wire_size;
static char              data[256]; /* some of the stream */

/* ---- what a client does ---------------------------------------------------------------------- */

static inline void begin(size_t capacity)
{
        struct transport *ends[2];

        EXPECT(memory_transport_pair(capacity, ends));
        EXPECT(address_parse(STR("192.0.2.1:4711"), &ends[1]->peer));
        peer = ends[0];
        ws = websocket_transport_new(ends[1], &rules);
        wire_size = 0;
        EXPECT(ws != NULL);
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (char)i;
}

static inline void finish(void)
{
        ws->ops->free(ws);
        peer->ops->free(peer);
}

static inline void add(struct str bytes)
{
        EXPECT(bytes.len <= sizeof wire - wire_size);
        memcpy(wire + wire_size, bytes.ptr, bytes.len);
        wire_size += bytes.len;
}

/* A frame of up to 125 bytes; `first` has the opcode and the bits before it. */
static inline void add_frame(unsigned first, struct str payload)
{
        static const char mask[] = { 1, -2, 3, 4 };
        char frame[6 + WEBSOCKET_CONTROL_MAX] = { (char)first, (char)(MASKED | payload.len) };

        memcpy(frame + 2, mask, sizeof mask);
        for (size_t i = 0; i < payload.len; i++)
                frame[6 + i] = (char)(payload.ptr[i] ^ mask[i % 4]);
        add(str_from(frame, 6 + payload.len));
}

static inline void put(struct str bytes)
{
        struct iovec from = { (void *)(uintptr_t)bytes.ptr, bytes.len };

        if (bytes.len > 0)
                EXPECT_EQ(peer->ops->write(peer, &from, 1), bytes.len);
}

static inline void put_wire(void)
{
        put(str_from(wire, wire_size));
        wire_size = 0;
}

/* All bytes that came to the client. */
static inline struct str heard(void)
{
        ssize_t count = peer->ops->read(peer, got, sizeof got);

        return str_from(got, count > 0 ? (size_t)count : 0);
}

static inline bool is_over(void)
{
        return peer->ops->read(peer, got, sizeof got) == 0;
}

static inline void expect_heard(struct str want)
{
        struct str bytes = heard();

        EXPECT(str_eq(bytes, want), "%zu bytes, %02x %02x %.*s", bytes.len,
               (unsigned char)bytes.ptr[0], (unsigned char)bytes.ptr[1], STR_ARGS(bytes));
}

/* A server's frame of up to 125 bytes. */
static inline void expect_frame(unsigned opcode, struct str payload)
{
        char frame[2 + WEBSOCKET_CONTROL_MAX] = { (char)(FIN | opcode), (char)payload.len };

        memcpy(frame + 2, payload.ptr, payload.len);
        expect_heard(str_from(frame, 2 + payload.len));
}

static inline void expect_close(unsigned code, const char *text)
{
        char payload[WEBSOCKET_CONTROL_MAX] = { (char)(code >> 8), (char)code };

        memcpy(payload + 2, text, strlen(text));
        expect_frame(WEBSOCKET_CLOSE, str_from(payload, 2 + strlen(text)));
}

/* ---- what the server does -------------------------------------------------------------------- */

/* Reads the stream as a client's loop does, until there is no more; the last that read said. */
static inline ssize_t read_all(struct buffer *stream)
{
        char    bytes[512];
        ssize_t count;

        while ((count = ws->ops->read(ws, bytes, sizeof bytes)) > 0)
                EXPECT(buffer_append(stream, str_from(bytes, (size_t)count)));
        return count;
}

static inline void expect_stream(struct str want, ssize_t end)
{
        struct buffer stream = { 0 };

        EXPECT_EQ(read_all(&stream), end);
        EXPECT(str_eq(buffer_str(&stream), want), "%zu bytes: %.*s", buffer_len(&stream),
               STR_ARGS(buffer_str(&stream)));
        buffer_deinit(&stream);
}

static inline void put_request(void)
{
        for (size_t i = 0; i < sizeof request - 1; i++) {
                put(str_from(request + i, 1));
                expect_stream(STR(""), -EAGAIN);
        }
}

static inline void upgraded(size_t capacity)
{
        begin(capacity);
        put_request();
        EXPECT(str_starts(heard(), STR("HTTP/1.1 101 ")));
}

static inline ssize_t say(struct str bytes)
{
        struct iovec from = { (void *)(uintptr_t)bytes.ptr, bytes.len };

        return ws->ops->write(ws, &from, 1);
}

#endif
