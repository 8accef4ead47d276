/* A cursor over received bytes. The first read past the end sets .failed and jumps to the end, so
 * that a decoder asks once, after its last field. Never reads outside of [pos, end). */
#ifndef LINNET_MQTT_READER_H
#define LINNET_MQTT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct reader {
        const uint8_t *pos;
        const uint8_t *end;
        bool           failed;
};

static inline struct reader reader_of(struct str bytes)
{
        const uint8_t *start = (const uint8_t *)(bytes.ptr != NULL ? bytes.ptr : "");

        return (struct reader){ start, start + bytes.len, false };
}

static inline size_t reader_left(const struct reader *r)
{
        return (size_t)(r->end - r->pos);
}

static inline void reader_fail(struct reader *r)
{
        r->failed = true;
        r->pos    = r->end;
}

static inline const uint8_t *reader_take(struct reader *r, size_t size)
{
        const uint8_t *taken = r->pos;

        if (reader_left(r) < size) {
                reader_fail(r);
                return NULL;
        }
        r->pos += size;
        return taken;
}

static inline struct str reader_rest(struct reader *r)
{
        struct str rest = str_from(r->pos, reader_left(r));

        r->pos = r->end;
        return rest;
}

static inline uint8_t read_u8(struct reader *r)
{
        const uint8_t *p = reader_take(r, 1);

        return p != NULL ? p[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
        const uint8_t *p = reader_take(r, 2);

        return (uint16_t)(p != NULL ? (unsigned)p[0] << 8 | p[1] : 0);
}

static inline uint32_t read_u32(struct reader *r)
{
        const uint8_t *p = reader_take(r, 4);

        return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                         : 0;
}

/* Up to four bytes of seven bits, least first, and no more bytes than needed [MQTT-1.5.5-1]. */
static inline uint32_t read_varint(struct reader *r)
{
        uint32_t value = 0;

        for (unsigned shift = 0; shift < 28; shift += 7) {
                uint8_t byte = read_u8(r);

                value |= (uint32_t)(byte & 0x7f) << shift;
                if (byte == 0 && shift > 0)
                        break;
                if ((byte & 0x80) == 0)
                        return value;
        }
        reader_fail(r);
        return 0;
}

/* Bytes behind a length of two: binary data, and strings before they are checked. */
static inline struct str read_binary(struct reader *r)
{
        size_t         len = read_u16(r);
        const uint8_t *p   = reader_take(r, len);

        return p != NULL ? str_from(p, len) : (struct str){ 0 };
}

#endif
