/* The first byte says how many bytes are a filter; the rest is a name. Both are judged and matched
 * again by code that splits them into levels and is too simple to be wrong. */
#include <assert.h>
#include <stdint.h>

#include "base/limits.h"
#include "mqtt/topic.h"

enum { LEVELS = 5000 };

static unsigned split(struct str topic, struct str *levels)
{
        unsigned count = 0;
        size_t   start = 0;

        for (size_t i = 0; i <= topic.len && count < LEVELS; i++) {
                if (i == topic.len || topic.ptr[i] == '/') {
                        levels[count++] = str_from(topic.ptr + start, i - start);
                        start           = i + 1;
                }
        }
        return count;
}

static bool is(struct str level, char c)
{
        return level.len == 1 && level.ptr[0] == c;
}

static bool contains(struct str s, char c)
{
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == c)
                        return true;
        }
        return false;
}

static bool slowly_name_valid(struct str s)
{
        static struct str levels[LEVELS];

        return s.len > 0 && !contains(s, '+') && !contains(s, '#') && !contains(s, '\0') &&
               split(s, levels) <= TOPIC_LEVELS_MAX;
}

static bool slowly_filter_valid(struct str s)
{
        static struct str levels[LEVELS];
        unsigned          count = split(s, levels);

        if (s.len == 0 || count > TOPIC_LEVELS_MAX || contains(s, '\0'))
                return false;
        for (unsigned i = 0; i < count; i++) {
                if (contains(levels[i], '+') && !is(levels[i], '+'))
                        return false;
                if (contains(levels[i], '#') && (!is(levels[i], '#') || i + 1 < count))
                        return false;
        }
        return true;
}

static bool slowly_matches(struct str filter, struct str topic)
{
        static struct str f[LEVELS], t[LEVELS];
        unsigned          f_count = split(filter, f), t_count = split(topic, t);

        if (topic.ptr[0] == '$' && (is(f[0], '+') || is(f[0], '#')))
                return false;
        for (unsigned i = 0; i < f_count; i++) {
                if (is(f[i], '#'))
                        return true;
                if (i == t_count || (!is(f[i], '+') && !str_eq(f[i], t[i])))
                        return false;
        }
        return f_count == t_count;
}

static bool skip_text(struct str *at, struct str text)
{
        if (!str_starts(*at, text))
                return false;
        *at = str_skip(*at, text.len);
        return true;
}

/* What was taken apart makes the name again, and its parts are what they should be. */
static void check_subscription_name(struct str name)
{
        struct subscription_name s;
        struct str               rest = name;

        if (!subscription_name_parse(name, &s))
                return;
        assert(slowly_filter_valid(s.filter));
        if (s.local)
                assert(skip_text(&rest, STR("$local/")));
        if (s.exclusive)
                assert(skip_text(&rest, STR("$exclusive/")) && s.group.ptr == NULL && !s.local);
        if (s.group.ptr != NULL && !skip_text(&rest, STR("$queue/"))) {
                assert(s.group.len > 0 && s.group.len <= GROUP_NAME_MAX);
                assert(!contains(s.group, '+') && !contains(s.group, '#') &&
                       !contains(s.group, '/'));
                assert(skip_text(&rest, STR("$share/")) && skip_text(&rest, s.group) &&
                       skip_text(&rest, STR("/")));
        }
        assert(rest.ptr == s.filter.ptr && rest.len == s.filter.len);
}

static void check_covers(struct str filter, struct str name)
{
        assert(topic_filter_covers(filter, filter));
        assert(topic_filter_covers(STR("#"), filter) == (filter.ptr[0] != '$'));
        /* A name is a filter that matches one name. */
        if (topic_filter_valid(name) && topic_name_valid(name))
                assert(topic_filter_covers(filter, name) == topic_matches(filter, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0 || size > LEVELS)
                return 0;

        size_t     split_at = data[0] < size ? data[0] : size - 1;
        struct str filter   = str_from(data + 1, split_at);
        struct str name     = str_from(data + 1 + split_at, size - 1 - split_at);

        assert(topic_name_valid(name) == slowly_name_valid(name));
        assert(topic_filter_valid(filter) == slowly_filter_valid(filter));
        check_subscription_name(filter);
        if (!topic_filter_valid(filter))
                return 0;
        if (topic_name_valid(name))
                assert(topic_matches(filter, name) == slowly_matches(filter, name));
        if (name.len > 0)
                check_covers(filter, name);
        if (topic_filter_valid(name) && topic_filter_covers(filter, name) && !topic_is_wild(filter))
                assert(str_eq(filter, name));
        return 0;
}
