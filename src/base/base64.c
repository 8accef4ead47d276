#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes. */
static void encode_group(struct str bytes, char four[static 4])
{
        const unsigned char *three = (const unsigned char *)bytes.ptr;
        unsigned             word  = (unsigned)three[0] << 16 |
                        (bytes.len > 1 ? (unsigned)three[1] << 8 : 0u) |
                        (bytes.len > 2 ? three[2] : 0u);

        four[0] = digits[word >> 18];
        four[1] = digits[word >> 12 & 63];
        four[2] = bytes.len > 1 ? digits[word >> 6 & 63] : '=';
        four[3] = bytes.len > 2 ? digits[word & 63] : '=';
}

size_t base64_encode(struct str bytes, char *to)
{
        size_t len = 0;

        for (size_t at = 0; at < bytes.len; at += 3, len += 4)
                encode_group(str_skip(bytes, at), to + len);
        to[len] = '\0';
        return len;
}

bool base64_append(struct buffer *to, struct str bytes)
{
        bool good = buffer_reserve(to, (bytes.len + 2) / 3 * 4);

        for (size_t at = 0; good && at < bytes.len; at += 3) {
                char four[4];

                encode_group(str_skip(bytes, at), four);
                good = buffer_append(to, str_from(four, sizeof four));
        }
        return good;
}

static int value_of(char letter)
{
        const char *found = letter != '\0' ? strchr(digits, letter) : NULL;

        return found != NULL ? (int)(found - digits) : -1;
}

bool base64_decode(struct str text, uint8_t *to, size_t size, size_t *len)
{
        uint32_t bits = 0;

        if (text.len > 0 && text.len % 4 == 0 && text.ptr[text.len - 1] == '=')
                text.len -= text.ptr[text.len - 2] == '=' ? 2 : 1;
        *len = text.len / 4 * 3 + (text.len % 4 > 0 ? text.len % 4 - 1 : 0);
        if (text.len % 4 == 1 || *len > size)
                return false;
        for (size_t i = 0, at = 0; i < text.len; i++) {
                int value = value_of(text.ptr[i]);

                if (value < 0)
                        return false;
                bits = bits << 6 | (uint32_t)value;
                if (i % 4 > 0)
                        to[at++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
        /* What is left over of the last letter must be zero: one text for the same bytes. */
        return text.len % 4 == 0 || (bits & (text.len % 4 == 2 ? 15u : 3u)) == 0;
}
