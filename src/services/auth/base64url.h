/* base64url without padding (RFC 4648, section 5; RFC 7515, section 2), strictly: no other
 * characters, no padding, no bits that say nothing. So no two texts decode to the same bytes. */
#ifndef LINNET_SERVICES_AUTH_BASE64URL_H
#define LINNET_SERVICES_AUTH_BASE64URL_H

#include "base/buffer.h"

/* Appends the bytes. False, with `to` as it was, when it is none, or without memory. */
bool base64url_decode(struct str text, struct buffer *to);

#endif
