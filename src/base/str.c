/* Borrowed runs of bytes: what does not fit in a line of the header. */
#include "base/str.h"

int str_compare(struct str a, struct str b)
{
        size_t common = a.len < b.len ? a.len : b.len;
        int    order  = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

        if (order != 0)
                return order;
        return (a.len > b.len) - (a.len < b.len);
}

bool str_cut(struct str *rest, char at, struct str *part)
{
        if (rest->ptr == NULL)
                return false;

        const char *found = rest->len > 0 ? memchr(rest->ptr, at, rest->len) : NULL;

        if (found == NULL) {
                *part = *rest;
                *rest = (struct str){ 0 };
                return true;
        }
        *part = str_from(rest->ptr, (size_t)(found - rest->ptr));
        *rest = str_skip(*rest, part->len + 1);
        return true;
}
