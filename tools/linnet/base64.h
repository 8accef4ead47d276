/* Bytes as text (RFC 4648, section 4), for JSON. */
#ifndef LINNET_TOOLS_BASE64_H
#define LINNET_TOOLS_BASE64_H

#include <stdbool.h>

#include "base/buffer.h"

/* Appends; false without memory. */
bool base64_append(struct buffer *to, struct str bytes);

#endif
