/* A run of bytes that grows at its end and is consumed from its front. Zeroed it is empty and holds
 * no memory; emptied it keeps its memory until buffer_deinit(). How far it may grow is for
 * its owner to say: whoever embeds it. One thread. */
#ifndef LINNET_BASE_BUFFER_H
#define LINNET_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buffer {
        char  *bytes;           /* owned; NULL while there is no memory */
        size_t start;           /* consumed so far; start <= len <= size */
        size_t len;
        size_t size;
};

void buffer_deinit(struct buffer *buffer);      /* frees the memory; the buffer is empty again */

/* Makes room for `more` bytes behind the last. False without memory, as in the two below, and the
 * buffer shows what it showed. */
bool buffer_reserve(struct buffer *buffer, size_t more);
bool buffer_append(struct buffer *buffer, struct str bytes);    /* not of this buffer itself */
bool buffer_printf(struct buffer *buffer, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void buffer_consume(struct buffer *buffer, size_t count);

/* What has not been consumed; lives until the buffer is next changed. */
static inline struct str buffer_str(const struct buffer *buffer)
{
        if (buffer->bytes == NULL)
                return (struct str){ 0 };
        return str_from(buffer->bytes + buffer->start, buffer->len - buffer->start);
}

static inline size_t buffer_len(const struct buffer *buffer)
{
        return buffer->len - buffer->start;
}

#endif
