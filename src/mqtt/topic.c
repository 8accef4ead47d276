/* Topic names and filters. Looked at eight bytes at a time: this is done for every PUBLISH. */
#include "mqtt/topic.h"

#include <assert.h>
#include <stddef.h>

#include "base/limits.h"
#include "mqtt/word.h"

#define PREFIX_SHARE     STR("$share/")
#define PREFIX_QUEUE     STR("$queue/")
#define PREFIX_LOCAL     STR("$local/")
#define PREFIX_EXCLUSIVE STR("$exclusive/")
#define PREFIX_DELAYED   STR("$delayed/")

static bool has_bad_byte(struct str text);
static bool has_few_levels(struct str topic);
static bool strip(struct str *name, struct str prefix);
static bool strip_group(struct str *name, struct str *group);
static bool has_prefix(struct str name);

bool topic_name_valid(struct str topic)
{
        /* [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3] [MQTT-4.7.0-1] [MQTT3-4.7.1-1] */
        return topic.len > 0 && topic.len <= TOPIC_BYTES_MAX && !has_bad_byte(topic) &&
               has_few_levels(topic);
}

bool topic_filter_valid(struct str filter)
{
        struct str rest = filter;
        struct str level;

        if (filter.len == 0 || filter.len > TOPIC_BYTES_MAX ||
            memchr(filter.ptr, '\0', filter.len) != NULL) /* [MQTT-4.7.3-2] */
                return false;
        while (topic_next_level(&rest, &level)) {
                if (level.len == 1 && level.ptr[0] == '#')
                        return rest.ptr == NULL && has_few_levels(filter);
                if (level.len > 1 && topic_is_wild(level))
                        return false;
        }
        return has_few_levels(filter);
}

bool topic_is_wild(struct str filter)
{
        return filter.len > 0 && (memchr(filter.ptr, '+', filter.len) != NULL ||
                                  memchr(filter.ptr, '#', filter.len) != NULL);
}

unsigned topic_levels(struct str topic)
{
        unsigned levels = 1;

        for (size_t i = 0; i < topic.len; i++)
                levels += topic.ptr[i] == '/';
        return levels;
}

/* Bytes are compared, nothing else [MQTT-4.7.3-4], and no levels are cut here. As a name has no
 * wildcards, whatever is equal in both is literal; where they part, a wildcard in a valid filter
 * stands at the start of a level, and so does the name. */
bool topic_matches(struct str filter, struct str topic)
{
        assert(filter.len > 0 && topic.len > 0);

        const char *f = filter.ptr, *f_end = f + filter.len;
        const char *t = topic.ptr, *t_end = t + topic.len;

        if (*t == '$' && (*f == '+' || *f == '#'))
                return false; /* [MQTT-4.7.2-1] */
        for (;;) {
                while (f_end - f >= WORD_SIZE && t_end - t >= WORD_SIZE &&
                       word_load(f) == word_load(t))
                        f += WORD_SIZE, t += WORD_SIZE;
                while (f < f_end && t < t_end && *f == *t)
                        f++, t++;
                if (f == f_end)
                        return t == t_end;
                if (*f == '#')
                        return true;
                if (*f != '+')
                        break;
                f++;
                while (t < t_end && *t != '/')
                        t++;
        }
        /* "a/#" matches "a" too (section 4.7.1.2). */
        return t == t_end && f_end - f == 2 && f[0] == '/' && f[1] == '#';
}

bool topic_filter_covers(struct str outer, struct str inner)
{
        assert(outer.len > 0 && inner.len > 0);

        const struct str many = STR("#"), one = STR("+");
        struct str       outer_level, inner_level;

        if (inner.ptr[0] == '$' && (outer.ptr[0] == '+' || outer.ptr[0] == '#'))
                return false; /* [MQTT-4.7.2-1] */
        /* Where there is no parent to match, because no name is empty, "#" has a level at least. */
        if (str_eq(inner, many))
                inner = STR("+/#");
        else if (str_eq(inner, STR("/#")))
                inner = STR("/+/#");
        while (topic_next_level(&outer, &outer_level)) {
                if (str_eq(outer_level, many))
                        return true;
                if (!topic_next_level(&inner, &inner_level) || str_eq(inner_level, many))
                        return false;
                if (!str_eq(outer_level, one) && !str_eq(outer_level, inner_level))
                        return false;
        }
        return inner.ptr == NULL;
}

bool topic_delayed(struct str topic, uint32_t *seconds, struct str *rest)
{
        struct str level, left = topic;

        *rest    = topic;
        *seconds = 0;
        if (!strip(&left, PREFIX_DELAYED) || !topic_next_level(&left, &level) || level.len == 0 ||
            level.len > 7 || left.ptr == NULL)
                return false;
        for (size_t i = 0; i < level.len; i++) {
                if (level.ptr[i] < '0' || level.ptr[i] > '9')
                        return false;
                *seconds = *seconds * 10 + (uint32_t)(level.ptr[i] - '0');
        }
        if (*seconds > TOPIC_DELAY_MAX_S || !topic_name_valid(left) ||
            str_starts(left, PREFIX_DELAYED))
                return false;
        *rest = left;
        return true;
}

bool topic_is_system(struct str topic)
{
        uint32_t seconds;

        topic_delayed(topic, &seconds, &topic);
        return str_starts(topic, STR("$SYS/")) || str_eq(topic, STR("$SYS"));
}

bool subscription_name_parse(struct str name, struct subscription_name *out)
{
        *out       = (struct subscription_name){ 0 };
        out->local = strip(&name, PREFIX_LOCAL);
        if (str_starts(name, PREFIX_QUEUE)) {
                out->group = str_from(name.ptr, PREFIX_QUEUE.len - 1);
                strip(&name, PREFIX_QUEUE);
        } else if (strip(&name, PREFIX_SHARE)) {
                if (!strip_group(&name, &out->group))
                        return false;
        } else if (!out->local) {
                out->exclusive = strip(&name, PREFIX_EXCLUSIVE);
        }
        out->filter = name;
        /* One of each kind and in this order only: a filter behind them that looks like a prefix
         * again is a mistake, not a topic. */
        return !has_prefix(name) && topic_filter_valid(name);
}

/* U+0000 and the wildcards, which differ in one bit. */
static uint64_t bad_bytes(uint64_t word)
{
        static_assert(('+' & ~8) == '#', "one comparison finds both wildcards");

        return word_zeros(word) | word_zeros((word & ~WORD_EACH(8)) ^ WORD_EACH('#'));
}

static bool has_bad_byte(struct str text)
{
        const char *at   = text.ptr;
        size_t      left = text.len;

        assert(left > 0);
        if (left < WORD_SIZE)
                return bad_bytes(word_load_short(at, left)) != 0;
        for (; left > WORD_SIZE; at += WORD_SIZE, left -= WORD_SIZE) {
                if (bad_bytes(word_load(at)))
                        return true;
        }
        /* The last word overlaps the one before instead of being cut short. */
        return bad_bytes(word_load(at + left - WORD_SIZE)) != 0;
}

/* Slashes are only counted where there may be too many. */
static bool has_few_levels(struct str topic)
{
        return topic.len < TOPIC_LEVELS_MAX || topic_levels(topic) <= TOPIC_LEVELS_MAX;
}

static bool strip(struct str *name, struct str prefix)
{
        if (!str_starts(*name, prefix))
                return false;
        *name = str_skip(*name, prefix.len);
        return true;
}

/* Takes "<group>/" off [MQTT-4.8.2-1] [MQTT-4.8.2-2]. */
static bool strip_group(struct str *name, struct str *group)
{
        return topic_next_level(name, group) && name->ptr != NULL && group->len > 0 &&
               group->len <= GROUP_NAME_MAX && !topic_is_wild(*group);
}

static bool has_prefix(struct str name)
{
        return str_starts(name, PREFIX_SHARE) || str_starts(name, PREFIX_QUEUE) ||
               str_starts(name, PREFIX_LOCAL) || str_starts(name, PREFIX_EXCLUSIVE);
}
