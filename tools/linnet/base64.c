#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_append(struct buffer *to, struct str bytes)
{
        bool good = buffer_reserve(to, (bytes.len + 2) / 3 * 4);

        for (size_t at = 0; good && at < bytes.len; at += 3) {
                const unsigned char *three = (const unsigned char *)bytes.ptr + at;
                size_t               left  = bytes.len - at;
                unsigned             word  = (unsigned)three[0] << 16 |
                                (left > 1 ? (unsigned)three[1] << 8 : 0u) |
                                (left > 2 ? three[2] : 0u);
                const char four[4] = { digits[word >> 18], digits[word >> 12 & 63],
                                       left > 1 ? digits[word >> 6 & 63] : '=',
                                       left > 2 ? digits[word & 63] : '=' };

                good = buffer_append(to, str_from(four, sizeof four));
        }
        return good;
}
