/* Bytes as the tests of this room write them:
 *
 *      30 0f        two bytes
 *      'text'       the text
 *      <text>       a string of the protocol: a length of two bytes, then the text
 *      ( ... )      a section behind its length, a variable byte integer: properties
 *
 * Blanks separate. "<a/b> 00 0a (26 <name> <value>) 'payload'" is the body of a PUBLISH.
 */
#ifndef LINNET_MQTT_TEST_BYTES_H
#define LINNET_MQTT_TEST_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"
#include "mqtt/decode.h"
#include "mqtt/writer.h"

/* Reads one item of `text` and writes its bytes; returns what is left of the text. */
static inline const char *test_bytes_item(const char *text, struct writer *w)
{
        char        digits[3] = { text[0], text[0] != '\0' ? text[1] : '\0', '\0' };
        const char *end       = strchr(text + 1, text[0] == '<' ? '>' : '\'');

        if (text[0] == ' ')
                return text + 1;
        if (text[0] == '<' || text[0] == '\'') {
                assert(end != NULL);
                if (text[0] == '<')
                        write_u16(w, (uint16_t)(end - text - 1));
                write_bytes(w, str_from(text + 1, (size_t)(end - text - 1)));
                return end + 1;
        }
        assert(strspn(digits, "0123456789abcdefABCDEF") == 2);
        write_u8(w, (uint8_t)strtoul(digits, NULL, 16));
        return text + 2;
}

/* Writes what `text` says to `bytes`; returns how many bytes that are. */
static inline size_t test_bytes(const char *text, uint8_t *bytes, size_t size)
{
        struct writer w = writer_of(bytes, size);

        while (*text != '\0') {
                if (*text != '(') {
                        text = test_bytes_item(text, &w);
                        continue;
                }
                uint8_t       section[1024];
                struct writer inner = writer_of(section, sizeof(section));

                for (text++; *text != ')';)
                        text = test_bytes_item(text, &inner);
                text++;
                write_varint(&w, (uint32_t)(inner.pos - section));
                write_bytes(&w, str_from(section, (size_t)(inner.pos - section)));
                assert(!inner.failed);
        }
        assert(!w.failed);
        return (size_t)(w.pos - bytes);
}

/* A packet decoded from heap memory that ends where it ends, for the sanitizers. */
struct test_packet {
        bool                decoded;
        struct packet       packet;
        struct decode_error error;
        char               *memory;
};

static inline void test_decode_body(struct test_packet *out, enum mqtt_version version,
                                    uint8_t first, struct str body)
{
        struct frame frame = {
                .type        = first >> 4,
                .flags       = first & 0xf,
                .header_size = (uint8_t)(1 + varint_size((uint32_t)body.len)),
                .body_size   = (uint32_t)body.len,
        };

        memset(out, 0xa5, sizeof(*out)); /* what decode() does not set must not be used */
        out->memory = mem_alloc(body.len + 1);
        assert(out->memory != NULL);
        memcpy(out->memory + 1, body.ptr, body.len);
        body         = str_from(out->memory + 1, body.len);
        out->decoded = decode(&frame, body, version, &out->packet, &out->error);
}

/* The same, from `text`. To be freed with test_packet_free(). */
static inline void test_decode(struct test_packet *out, enum mqtt_version version, uint8_t first,
                               const char *text)
{
        uint8_t bytes[4096];

        test_decode_body(out, version, first,
                         str_from(bytes, test_bytes(text, bytes, sizeof(bytes))));
}

static inline void test_packet_free(struct test_packet *t)
{
        mem_free(t->memory);
}

#endif
