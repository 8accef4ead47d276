#include "names.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>


size_t name_expand(char *to, size_t size, const char *pattern, uint64_t number,
                   const char *client_id)
{
        size_t len = 0;

        for (const char *at = pattern; *at != '\0'; at++) {
                char        text[24] = { *at, '\0' };
                const char *part     = text;

                if (at[0] == '%' && at[1] == 'i')
                        snprintf(text, sizeof(text), "%" PRIu64, number);
                else if (at[0] == '%' && at[1] == 'c')
                        part = client_id;
                at += at[0] == '%' && (at[1] == 'i' || at[1] == 'c' || at[1] == '%');
                for (; *part != '\0'; part++, len++) {
                        if (len + 1 < size)
                                to[len] = *part;
                }
        }
        if (size > 0)
                to[len < size ? len : size - 1] = '\0';
        return len;
}

/* Copies up to the level's end, or says that the level varies. */
static bool copy_level(char **to, const char **from)
{
        const char *at    = *from;
        char       *out   = *to;
        bool        fixed = true;

        for (; *at != '\0' && *at != '/'; at++) {
                if (at[0] == '%' && (at[1] == 'i' || at[1] == 'c'))
                        fixed = false;
                at += at[0] == '%' && at[1] == '%';
                *out++ = *at;
        }
        *from = at;
        if (fixed)
                *to = out;
        return fixed;
}

size_t name_filter(char *to, const char *pattern)
{
        const char *at  = pattern;
        char       *out = to;

        for (;;) {
                if (!copy_level(&out, &at))
                        *out++ = '+';
                if (*at == '\0')
                        break;
                *out++ = *at++;
        }
        *out = '\0';
        return (size_t)(out - to);
}
