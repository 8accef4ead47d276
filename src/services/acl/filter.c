#include "services/acl/filter.h"

#include "mqtt/topic.h"

static bool is_hole(char c)
{
        return (unsigned char)c >= HOLE_ADDRESS;
}

static struct str fill_of(const struct filter_fill *fill, char hole)
{
        switch ((unsigned char)hole) {
        case HOLE_ADDRESS:
                return fill->address;
        case HOLE_CLIENT:
                return fill->client;
        default:
                return fill->user;
        }
}

/* One level, or a part of one; in front of all `$` would make a topic of the broker's own of it. */
static bool is_safe(struct str value, bool in_front)
{
        return (!in_front || value.ptr[0] != '$') && !topic_is_wild(value) &&
               memchr(value.ptr, '/', value.len) == NULL;
}

enum holes { HOLES_SAFE, HOLES_UNSAFE, HOLES_MISSING, HOLES_UNKNOWN };

/* The worst of a text, which is all of the rule's or a level of it. */
static enum holes look_at_holes(const struct filter_rule *rule, struct str text,
                                const struct filter_fill *fill)
{
        enum holes worst = HOLES_SAFE;

        for (size_t i = 0; i < text.len; i++) {
                enum holes found = HOLES_SAFE;

                if (!is_hole(text.ptr[i]))
                        continue;

                struct str value = fill_of(fill, text.ptr[i]);

                if ((unsigned char)text.ptr[i] == HOLE_ADDRESS && fill->address_unknown)
                        found = HOLES_UNKNOWN;
                else if (value.len == 0)
                        found = HOLES_MISSING;
                else if (!is_safe(value, text.ptr + i == rule->text.ptr))
                        found = HOLES_UNSAFE;
                if (found > worst)
                        worst = found;
        }
        return worst;
}

/* A literal level of the rule, filled, is that one. */
static bool level_is(struct str level, const struct filter_fill *fill, struct str asked)
{
        for (size_t i = 0; i < level.len; i++) {
                struct str piece = is_hole(level.ptr[i]) ? fill_of(fill, level.ptr[i])
                                                         : str_from(level.ptr + i, 1);

                if (!str_starts(asked, piece))
                        return false;
                asked = str_skip(asked, piece.len);
        }
        return asked.len == 0;
}

/* It stands for any level: `+`, or in a rule that denies a hole that must not be filled. */
static bool is_any(struct str level, const struct filter_rule *rule, const struct filter_fill *fill)
{
        if (str_eq(level, STR("+")))
                return true;
        return rule->holes && rule->wide && look_at_holes(rule, level, fill) != HOLES_SAFE;
}

static enum filter_relation walk(const struct filter_rule *rule, const struct filter_fill *fill,
                                 struct str asked)
{
        const struct str     many = STR("#"), one = STR("+");
        enum filter_relation so_far = FILTER_WHOLE;
        struct str           rest   = rule->text, ours, theirs;

        while (topic_next_level(&rest, &ours)) {
                if (str_eq(ours, many))
                        return so_far;
                if (!topic_next_level(&asked, &theirs))
                        return FILTER_APART;
                if (str_eq(theirs, many))
                        return FILTER_PART;
                if (is_any(ours, rule, fill))
                        continue;
                if (str_eq(theirs, one))
                        so_far = FILTER_PART;
                else if (!level_is(ours, fill, theirs))
                        return FILTER_APART;
        }
        if (asked.ptr == NULL)
                return so_far;
        return str_eq(asked, many) ? FILTER_PART : FILTER_APART;        /* "a" is in "a/#" */
}

static bool is_wild_in_front(struct str text)
{
        return text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '#');
}

enum filter_relation filter_relate(const struct filter_rule *rule, const struct filter_fill *fill,
                                   struct str asked)
{
        enum holes holes = rule->holes ? look_at_holes(rule, rule->text, fill) : HOLES_SAFE;

        if (holes == HOLES_UNKNOWN)
                return FILTER_UNSURE;
        if (holes == HOLES_MISSING && rule->skip_missing)
                return FILTER_APART;
        if (holes != HOLES_SAFE && !rule->wide)
                return FILTER_APART;
        if (rule->text.ptr[0] == '$' && is_wild_in_front(asked))
                return FILTER_APART;            /* [MQTT-4.7.2-1] */
        if (asked.ptr[0] == '$' && is_wild_in_front(rule->text) && !rule->dollar)
                return FILTER_APART;

        /* No name is empty: "#" has a level at least. */
        if (str_eq(asked, STR("#")))
                asked = STR("+/#");
        else if (str_eq(asked, STR("/#")))
                asked = STR("/+/#");
        return walk(rule, fill, asked);
}
