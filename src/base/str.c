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

static bool is_space(char c)
{
        return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
        while (s.len > 0 && is_space(s.ptr[0]))
                s = str_skip(s, 1);
        while (s.len > 0 && is_space(s.ptr[s.len - 1]))
                s.len--;
        return s;
}

bool str_list_cut(struct str *rest, struct str *part)
{
        if (!str_cut(rest, ',', part))
                return false;
        *part = str_trim(*part);
        return true;
}

bool str_list_all(struct str list, bool (*good)(struct str part))
{
        struct str part;
        bool       all = list.ptr != NULL;

        while (all && str_list_cut(&list, &part))
                all = good(part);
        return all;
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_same_word(struct str a, struct str b)
{
        if (a.len != b.len)
                return false;
        for (size_t i = 0; i < a.len; i++)
                if (lower(a.ptr[i]) != lower(b.ptr[i]))
                        return false;
        return true;
}
