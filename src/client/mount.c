#include "client/mount.h"

#include "base/memory.h"
#include "client/client_internal.h"
#include "mqtt/topic.h"

bool mount_pattern_valid(struct str pattern)
{
        return pattern.len < MOUNTPOINT_SIZE && topic_name_valid(pattern) &&
               pattern.ptr[0] != '$' && pattern.ptr[pattern.len - 1] == '/';
}

/* A name with a slash or a wildcard would be another's branch, or all of them. */
static bool name_is_safe(struct str name)
{
        return name.len > 0 && name.ptr[0] != '$' && !topic_is_wild(name) &&
               memchr(name.ptr, '/', name.len) == NULL;
}

/* False without memory. *bad: the name that cannot stand in a topic. */
static bool fill(const struct client *c, struct buffer *to, enum reason *bad)
{
        struct str rest = str_of(c->listener->mountpoint);

        *bad = REASON_SUCCESS;
        while (rest.len > 0) {
                bool       id   = str_starts(rest, STR("%c"));
                bool       user = str_starts(rest, STR("%u"));
                struct str part = id ? c->client_id : user ? c->username : str_from(rest.ptr, 1);

                if ((id || user) && !name_is_safe(part))
                        *bad = id ? REASON_CLIENT_IDENTIFIER_NOT_VALID
                                  : REASON_BAD_USER_NAME_OR_PASSWORD;
                if (!buffer_append(to, part))
                        return false;
                rest = str_skip(rest, id || user ? 2 : 1);
        }
        return true;
}

bool mount_make(struct client *c)
{
        struct buffer text = { 0 };
        enum reason   bad  = REASON_SUCCESS;
        bool          good;

        if (c->listener->mountpoint == NULL)
                return true;
        good = fill(c, &text, &bad);
        if (good && bad == REASON_SUCCESS)
                c->mount = str_from(mem_dup(buffer_str(&text)), buffer_len(&text));
        buffer_deinit(&text);
        if (bad != REASON_SUCCESS)
                client_fail(c, bad, "its name cannot stand in the mountpoint of its listener");
        else if (!good || c->mount.ptr == NULL)
                client_lost(c, "no memory");
        return c->mount.ptr != NULL;
}

/* The mountpoint goes behind the first `front` bytes. */
static struct str join(struct client *c, struct str name, size_t front)
{
        struct buffer *to = &c->manager->mounted;

        buffer_consume(to, buffer_len(to));
        if (!buffer_append(to, str_from(name.ptr, front)) || !buffer_append(to, c->mount) ||
            !buffer_append(to, str_skip(name, front)))
                return (struct str){ 0 };
        return buffer_str(to);
}

/* "$delayed/10/" of "$delayed/10/a". */
static size_t delay_len(struct str topic)
{
        struct str rest = topic, level;

        if (!str_starts(topic, STR("$delayed/")))
                return 0;
        str_cut(&rest, '/', &level);
        str_cut(&rest, '/', &level);
        return rest.ptr != NULL ? topic.len - rest.len : 0;
}

struct str mount_topic(struct client *c, struct str topic)
{
        struct str mounted;

        if (c->mount.ptr == NULL)
                return topic;
        mounted = join(c, topic, delay_len(topic));
        return topic_name_valid(mounted) ? mounted : (struct str){ 0 };
}

struct str mount_filter(struct client *c, struct str filter)
{
        struct subscription_name name;

        if (c->mount.ptr == NULL || !subscription_name_parse(filter, &name))
                return filter;
        return join(c, filter, filter.len - name.filter.len);
}

struct str mount_strip(struct str mount, struct str topic)
{
        if (!str_starts(topic, mount) || topic.len == mount.len)
                return topic;           /* no topic is empty */
        return str_skip(topic, mount.len);
}
