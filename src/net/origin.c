#include "net/origin.h"

#include "net/address.h"

static bool is_host_char(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '.' || c == '_';
}

/* What is behind "scheme://"; NULL when it does not begin so. */
static struct str host_of(struct str origin)
{
        const char *found = origin.len > 0 ? memmem(origin.ptr, origin.len, "://", 3) : NULL;

        if (found == NULL || found == origin.ptr)
                return (struct str){ 0 };
        return str_skip(origin, (size_t)(found - origin.ptr) + 3);
}

static bool origin_valid(struct str listed)
{
        struct str host = host_of(listed);

        if (str_eq(listed, STR("*")) || str_eq(listed, STR("null")))
                return true;
        if (str_starts(host, STR("*.")))
                host = str_skip(host, 2);
        for (size_t i = 0; i < host.len; i++)
                if (!is_host_char(host.ptr[i]) && host.ptr[i] != ':' && host.ptr[i] != '[' &&
                    host.ptr[i] != ']')
                        return false;
        return host.len > 0;
}

bool origins_valid(struct str list)
{
        return str_list_all(list, origin_valid);
}

/* The star stands for a name, or several with dots between. */
static bool matches(struct str origin, struct str listed)
{
        const char *star = memchr(listed.ptr, '*', listed.len);

        if (str_eq(listed, STR("*")) || str_same_word(origin, listed))
                return true;
        if (star == NULL)
                return false;

        size_t     before = (size_t)(star - listed.ptr);
        struct str end = str_skip(listed, before + 1);

        if (origin.len <= before + end.len ||
            !str_same_word(str_from(origin.ptr, before), str_from(listed.ptr, before)) ||
            !str_same_word(str_skip(origin, origin.len - end.len), end))
                return false;
        for (size_t i = before; i < origin.len - end.len; i++)
                if (!is_host_char(origin.ptr[i]))
                        return false;
        return true;
}

bool origin_listed(struct str origin, struct str list)
{
        struct str listed;

        while (str_list_cut(&list, &listed))
                if (listed.len > 0 && matches(origin, listed))
                        return true;
        return false;
}

/* Of "host:port" or "[v6]:port". */
static struct str without_port(struct str host)
{
        const char *end = NULL;
        struct str  name;

        if (str_starts(host, STR("[")))
                end = memchr(host.ptr, ']', host.len);
        if (end != NULL)
                return str_from(host.ptr, (size_t)(end - host.ptr) + 1);
        return str_cut(&host, ':', &name) ? name : (struct str){ 0 };
}

/* One that nobody can point somewhere else. */
static bool is_fixed(struct str host)
{
        struct address address;

        if (str_starts(host, STR("[")) && host.len > 2)
                host = str_from(host.ptr + 1, host.len - 2);
        return str_same_word(host, STR("localhost")) || address_parse_ip(host, &address);
}

bool origin_is_host(struct str origin, struct str host)
{
        struct str page = without_port(host_of(origin));

        return page.len > 0 && str_same_word(page, without_port(host)) && is_fixed(page);
}
