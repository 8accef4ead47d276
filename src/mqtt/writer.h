/* A cursor over bytes to be sent. The first write past the end sets .failed, and nothing is written
 * from there on: an encoder asks once, at its end. */
#ifndef LINNET_MQTT_WRITER_H
#define LINNET_MQTT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct writer {
        uint8_t *pos;
        uint8_t *end;
        bool     failed;
};

static inline struct writer writer_of(void *bytes, size_t size)
{
        return (struct writer){ bytes, (uint8_t *)bytes + size, false };
}

static inline uint8_t *writer_take(struct writer *w, size_t size)
{
        uint8_t *taken = w->pos;

        if (w->failed || (size_t)(w->end - w->pos) < size) {
                w->failed = true;
                return NULL;
        }
        w->pos += size;
        return taken;
}

static inline void write_u8(struct writer *w, uint8_t value)
{
        uint8_t *p = writer_take(w, 1);

        if (p != NULL)
                p[0] = value;
}

static inline void write_u16(struct writer *w, uint16_t value)
{
        uint8_t *p = writer_take(w, 2);

        if (p != NULL) {
                p[0] = (uint8_t)(value >> 8);
                p[1] = (uint8_t)value;
        }
}

static inline void write_u32(struct writer *w, uint32_t value)
{
        write_u16(w, (uint16_t)(value >> 16));
        write_u16(w, (uint16_t)value);
}

static inline unsigned varint_size(uint32_t value)
{
        return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

/* Values beyond what four bytes can say fail. */
static inline void write_varint(struct writer *w, uint32_t value)
{
        if (value >= 1u << 28) {
                w->failed = true;
                return;
        }
        while (value >= 128) {
                write_u8(w, (uint8_t)(value | 0x80));
                value >>= 7;
        }
        write_u8(w, (uint8_t)value);
}

static inline void write_bytes(struct writer *w, struct str bytes)
{
        uint8_t *p = writer_take(w, bytes.len);

        if (p != NULL && bytes.len > 0)
                memcpy(p, bytes.ptr, bytes.len);
}

/* A string or binary data behind its length of two; more than 65,535 bytes fail. */
static inline void write_binary(struct writer *w, struct str bytes)
{
        if (bytes.len > UINT16_MAX) {
                w->failed = true;
                return;
        }
        write_u16(w, (uint16_t)bytes.len);
        write_bytes(w, bytes);
}

#endif
