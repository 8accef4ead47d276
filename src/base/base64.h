/* Bytes as text (RFC 4648, section 4). */
#ifndef LINNET_BASE_BASE64_H
#define LINNET_BASE_BASE64_H

#include "base/buffer.h"

/* With padding and a NUL. */
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes BASE64_SIZE(bytes.len); returns the length without the NUL. */
size_t base64_encode(struct str bytes, char *to);
bool   base64_append(struct buffer *to, struct str bytes);      /* false without memory */

/* Padded or not, and nothing else in it; at most `size` bytes, whose number is *len. False: it is
 * no such text, or longer. */
bool base64_decode(struct str text, uint8_t *to, size_t size, size_t *len);

#endif
