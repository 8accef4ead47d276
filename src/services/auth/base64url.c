#include "services/auth/base64url.h"

static int value_of(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct str text, struct buffer *to)
{
        uint32_t bits = 0, count = 0;
        size_t   at;

        if (text.len % 4 == 1 || !buffer_reserve(to, text.len))
                return false;
        at = to->len;
        for (size_t i = 0; i < text.len; i++) {
                int value = value_of(text.ptr[i]);

                if (value < 0)
                        return false;
                bits   = bits << 6 | (uint32_t)value;
                count += 6;
                if (count >= 8) {
                        count          -= 8;
                        to->bytes[at++] = (char)(bits >> count);
                }
        }
        if ((bits & ((1u << count) - 1)) != 0)
                return false;
        to->len = at;
        return true;
}
