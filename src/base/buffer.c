/* A run of bytes that grows at its end and is consumed from its front. */
#include "base/buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUFFER_SIZE_MIN = 64 };

static void buffer_check(const struct buffer *buffer);
static void buffer_compact(struct buffer *buffer);
static bool buffer_grow(struct buffer *buffer, size_t needed);

void buffer_deinit(struct buffer *buffer)
{
        buffer_check(buffer);
        mem_free(buffer->bytes);
        *buffer = (struct buffer){ 0 };
}

bool buffer_reserve(struct buffer *buffer, size_t more)
{
        buffer_check(buffer);
        if (more <= buffer->size - buffer->len)
                return true;

        size_t needed;

        if (__builtin_add_overflow(buffer_len(buffer), more, &needed))
                return false;

        /* Moving is worth it only when half of the bytes are gone: so every byte is moved less
         * than once on average, however the owner appends and consumes. */
        if (needed <= buffer->size && buffer->start >= buffer_len(buffer)) {
                buffer_compact(buffer);
                return true;
        }
        return buffer_grow(buffer, needed);
}

bool buffer_append(struct buffer *buffer, struct str bytes)
{
        assert(bytes.len == 0 || bytes.ptr != NULL);
        assert(bytes.len == 0 || (uintptr_t)bytes.ptr + bytes.len <= (uintptr_t)buffer->bytes ||
               (uintptr_t)bytes.ptr >= (uintptr_t)buffer->bytes + buffer->size);

        if (bytes.len == 0)
                return true;
        if (!buffer_reserve(buffer, bytes.len))
                return false;
        memcpy(buffer->bytes + buffer->len, bytes.ptr, bytes.len);
        buffer->len += bytes.len;
        return true;
}

bool buffer_printf(struct buffer *buffer, const char *format, ...)
{
        char    fits[256];      /* most do, and then the text is made only once */
        va_list args;
        int     len;

        va_start(args, format);
        len = vsnprintf(fits, sizeof fits, format, args);
        va_end(args);
        assert(len >= 0);       /* our formats are literals, and right */

        if ((size_t)len < sizeof fits)
                return buffer_append(buffer, str_from(fits, (size_t)len));

        if (!buffer_reserve(buffer, (size_t)len + 1))   /* vsnprintf ends with a NUL */
                return false;
        va_start(args, format);
        vsnprintf(buffer->bytes + buffer->len, (size_t)len + 1, format, args);
        va_end(args);
        buffer->len += (size_t)len;
        return true;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
        buffer_check(buffer);
        assert(count <= buffer_len(buffer));

        buffer->start += count;
        if (buffer->start == buffer->len)
                buffer->start = buffer->len = 0;
}

static void buffer_check(const struct buffer *buffer)
{
        assert(buffer->start <= buffer->len);
        assert(buffer->len <= buffer->size);
        assert((buffer->bytes == NULL) == (buffer->size == 0));
}

static void buffer_compact(struct buffer *buffer)
{
        size_t len = buffer_len(buffer);

        memmove(buffer->bytes, buffer->bytes + buffer->start, len);
        buffer->start = 0;
        buffer->len   = len;
}

/* Moves to memory of at least `needed` bytes: the next power of two, so that what is appended byte
 * by byte is copied less than twice in all. */
static bool buffer_grow(struct buffer *buffer, size_t needed)
{
        size_t size = BUFFER_SIZE_MIN;

        while (size < needed) {
                if (size > SIZE_MAX / 2)
                        return false;
                size *= 2;
        }
        if (size <= buffer->size)               /* it would fit, but moving within is too dear */
                size = buffer->size * 2;

        char  *bytes = mem_alloc(size);
        size_t len   = buffer_len(buffer);

        if (bytes == NULL)
                return false;
        if (len > 0)
                memcpy(bytes, buffer->bytes + buffer->start, len);
        mem_free(buffer->bytes);
        *buffer = (struct buffer){ .bytes = bytes, .len = len, .size = size };
        return true;
}
