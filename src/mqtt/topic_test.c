#include "mqtt/topic.h"

#include <string.h>

#include "base/limits.h"
#include "base/random.h"
#include "unit.h"

#define SHOW(s) (int)(s).len, (s).ptr

TEST(names_are_valid_or_not)
{
        static const struct row {
                struct str topic;
                bool       valid;
        } rows[] = {
                { STR("a"), true },
                { STR("/"), true },
                { STR("//"), true },
                { STR("a/b/c"), true },
                { STR("a//b"), true },
                { STR(" "), true },
                { STR("$SYS/broker"), true },
                { STR("sensors/building one/temperature"), true },
                { STR("caf\xc3\xa9/\xe6\xb0\xb4"), true },
                { STR("!\"%&'()*,-."), true },  /* the neighbours of + and # */
                { STR(""), false },             /* [MQTT-4.7.3-1] */
                { STR("+"), false },            /* [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT3-4.7.1-1] */
                { STR("#"), false },
                { STR("a+"), false },
                { STR("a/#"), false },
                { STR("a#b"), false },
                { STR("\0"), false },           /* [MQTT-4.7.3-2] */
                { STR("a\0b"), false },
                { STR("sensors/building one/temperatur\0"), false },
                { STR("sensors/building one/+/temperature"), false },
                { STR("sensors/building one/temperature#"), false },
        };
        const struct row *row;

        EACH (rows, row)
                EXPECT(topic_name_valid(row->topic) == row->valid, "%.*s", SHOW(row->topic));
}

/* Names are read in words, the last of which overlaps: every byte must be seen, at any length. */
TEST(a_bad_byte_is_seen_anywhere)
{
        static const char bad[] = { '+', '#', '\0' };
        char              text[40];

        for (size_t len = 1; len <= sizeof(text); len++) {
                memset(text, 'x', sizeof(text));
                EXPECT(topic_name_valid(str_from(text, len)));
                for (size_t at = 0; at < len; at++) {
                        for (size_t b = 0; b < sizeof(bad); b++) {
                                text[at] = bad[b];
                                EXPECT(!topic_name_valid(str_from(text, len)), "%d at %zu of %zu",
                                       bad[b], at, len);
                                text[at] = 'x';
                        }
                }
                text[len - 1] = '\0';
                EXPECT(!topic_filter_valid(str_from(text, len)));
        }
}

TEST(no_other_byte_is_bad)
{
        for (int c = 1; c < 256; c++) {
                char text[9] = { 'a', 'a', 'a', (char)c, 'a', 'a', 'a', 'a', 'a' };

                EXPECT(topic_name_valid(str_from(text, 9)) == (c != '+' && c != '#'), "%02x", c);
        }
}

TEST(filters_are_valid_or_not)
{
        static const struct row {
                struct str filter;
                bool       valid;
        } rows[] = {
                { STR("a"), true },
                { STR("/"), true },
                { STR("#"), true },
                { STR("+"), true },
                { STR("/#"), true },
                { STR("+/+"), true },
                { STR("a/+/b/#"), true },
                { STR("+//#"), true },
                { STR("$SYS/#"), true },
                { STR(""), false },             /* [MQTT-4.7.3-1] */
                { STR("a\0"), false },          /* [MQTT-4.7.3-2] */
                { STR("a#"), false },           /* [MQTT5-4.7.1-1] [MQTT3-4.7.1-2] */
                { STR("#a"), false },
                { STR("##"), false },
                { STR("a/#/b"), false },
                { STR("#/"), false },
                { STR("a/b#"), false },
                { STR("a+"), false },           /* [MQTT5-4.7.1-2] [MQTT-4.7.1-3] */
                { STR("+a"), false },
                { STR("++"), false },
                { STR("a/+b/c"), false },
                { STR("a/b+/c"), false },
                { STR("+#"), false },
        };
        const struct row *row;

        EACH (rows, row)
                EXPECT(topic_filter_valid(row->filter) == row->valid, "%.*s", SHOW(row->filter));
}

TEST(levels_are_bounded)
{
        char text[TOPIC_BYTES_MAX + 1];

        memset(text, '/', sizeof(text));
        for (size_t len = TOPIC_LEVELS_MAX - 3; len < TOPIC_LEVELS_MAX + 3; len++) {
                EXPECT(topic_name_valid(str_from(text, len)) == (len < TOPIC_LEVELS_MAX));
                EXPECT(topic_filter_valid(str_from(text, len)) == (len < TOPIC_LEVELS_MAX));
                text[len - 1] = '#';
                EXPECT(topic_filter_valid(str_from(text, len)) == (len <= TOPIC_LEVELS_MAX));
                text[len - 1] = '/';
        }
        memset(text, 'x', sizeof(text)); /* [MQTT-4.7.3-3] */
        EXPECT(topic_name_valid(str_from(text, TOPIC_BYTES_MAX)));
        EXPECT(topic_filter_valid(str_from(text, TOPIC_BYTES_MAX)));
        EXPECT(!topic_name_valid(str_from(text, TOPIC_BYTES_MAX + 1)));
        EXPECT(!topic_filter_valid(str_from(text, TOPIC_BYTES_MAX + 1)));
}

TEST(levels_are_counted)
{
        static const struct row {
                struct str topic;
                unsigned   levels;
                bool       wild;
        } rows[] = {
                { STR("a"), 1, false },        { STR("/"), 2, false },  { STR("a/b"), 2, false },
                { STR("a//b"), 3, false },     { STR("+"), 1, true },   { STR("a/#"), 2, true },
                { STR("long/levels/+"), 3, true }, { STR("////"), 5, false },
        };
        const struct row *row;

        EACH (rows, row) {
                EXPECT_EQ(topic_levels(row->topic), row->levels);
                EXPECT(topic_is_wild(row->topic) == row->wild, "%.*s", SHOW(row->topic));
        }
}

TEST(filters_match_topics)
{
        static const struct row {
                struct str filter, topic;
                bool       matches;
        } rows[] = {
                { STR("a/b"),        STR("a/b"),         true  },
                { STR("a/b"),        STR("a/B"),         false },
                { STR("a/b"),        STR("a/bc"),        false },
                { STR("a/bc"),       STR("a/b"),         false },
                { STR("a"),          STR("/a"),          false }, /* [MQTT-4.7.3-4] */
                { STR("a//b"),       STR("a/b"),         false },
                { STR("a/b"),        STR("a/b/"),        false },
                { STR("a/+"),        STR("a/b"),         true  },
                { STR("a/+"),        STR("a"),           false },
                { STR("a/+"),        STR("a/"),          true  }, /* an empty level is a level */
                { STR("a/+"),        STR("a/b/c"),       false },
                { STR("+"),          STR("a"),           true  },
                { STR("+"),          STR("/a"),          false },
                { STR("/+"),         STR("/a"),          true  },
                { STR("+/+"),        STR("/a"),          true  },
                { STR("+/b/+"),      STR("a/b/c"),       true  },
                { STR("a/+/c"),      STR("a//c"),        true  },
                { STR("#"),          STR("a"),           true  },
                { STR("#"),          STR("/"),           true  },
                { STR("#"),          STR("a/b/c"),       true  },
                { STR("a/#"),        STR("a"),           true  }, /* the parent too, 4.7.1.2 */
                { STR("a/#"),        STR("a/"),          true  },
                { STR("a/#"),        STR("a/b/c"),       true  },
                { STR("a/#"),        STR("ab"),          false },
                { STR("a/#"),        STR("b"),           false },
                { STR("a/b/#"),      STR("a"),           false },
                { STR("+/#"),        STR("a"),           true  },
                { STR("a/+/#"),      STR("a"),           false },
                { STR("a/+/#"),      STR("a/b"),         true  },
                { STR("/#"),         STR("/"),           true  },
                { STR("/#"),         STR("a"),           false },
                { STR("#"),          STR("$SYS/x"),      false }, /* [MQTT-4.7.2-1] */
                { STR("+/x"),        STR("$SYS/x"),      false },
                { STR("+/#"),        STR("$SYS"),        false },
                { STR("#"),          STR("$"),           false },
                { STR("$SYS/#"),     STR("$SYS/x"),      true  },
                { STR("$SYS/+"),     STR("$SYS/x"),      true  },
                { STR("a/+"),        STR("a/$x"),        true  }, /* not the first */
                { STR("a/#"),        STR("a/$x/y"),      true  },
                { STR("sensors/+/temperature"), STR("sensors/kitchen/temperature"), true },
                { STR("sensors/+/temperature"), STR("sensors/kitchen/humidity"),    false },
                { STR("sensors/kitchen/temperature/#"), STR("sensors/kitchen/temperature"), true },
                { STR("sensors/kitchen/temperature"), STR("sensors/kitchen/temperaturf"), false },
        };
        const struct row *row;

        EACH (rows, row)
                EXPECT(topic_matches(row->filter, row->topic) == row->matches, "%.*s on %.*s",
                       SHOW(row->filter), SHOW(row->topic));
}

/* ---- against implementations that are too simple to be wrong ---- */

enum { LEVELS = 200 };

static unsigned split(struct str topic, struct str *levels)
{
        unsigned count = 0;
        size_t   start = 0;

        for (size_t i = 0; i <= topic.len; i++) {
                if (i == topic.len || topic.ptr[i] == '/') {
                        levels[count++] = str_from(topic.ptr + start, i - start);
                        start           = i + 1;
                }
        }
        return count;
}

static bool slowly_matches(struct str filter, struct str topic)
{
        struct str f[LEVELS], t[LEVELS];
        unsigned   f_count = split(filter, f), t_count = split(topic, t);

        if (topic.ptr[0] == '$' && (str_eq(f[0], STR("+")) || str_eq(f[0], STR("#"))))
                return false;
        for (unsigned i = 0; i < f_count; i++) {
                if (str_eq(f[i], STR("#")))
                        return true;
                if (i == t_count || (!str_eq(f[i], STR("+")) && !str_eq(f[i], t[i])))
                        return false;
        }
        return f_count == t_count;
}

/* Levels from a small set, so that filters and topics often meet. */
static struct str random_topic(struct random *random, char *to, bool wild)
{
        static const char *const names[] = { "", "a", "b", "ab", "$a", "a level of some length",
                                             "a level of some lengtH", "+", "#" };
        enum { SIZE = 160 };
        unsigned count = 1 + random_below(random, 5);
        size_t   len   = 0;

        for (unsigned i = 0; i < count; i++) {
                unsigned    last  = i + 1 == count ? 9 : 8;
                const char *level = names[random_below(random, wild ? last : 7)];

                len += (size_t)snprintf(to + len, SIZE - len, "%s%s", i > 0 ? "/" : "", level);
        }
        return len > 0 ? str_from(to, len) : random_topic(random, to, wild);
}

TEST(matching_agrees_with_a_simple_one)
{
        struct random random;
        unsigned      matches = 0;

        random_init(&random, 1);
        for (unsigned i = 0; i < 300000; i++) {
                char       a[160], b[160];
                struct str filter = random_topic(&random, a, true);
                struct str topic  = random_topic(&random, b, false);

                EXPECT(topic_filter_valid(filter) && topic_name_valid(topic));
                EXPECT(topic_matches(filter, topic) == slowly_matches(filter, topic),
                       "%.*s on %.*s", SHOW(filter), SHOW(topic));
                matches += topic_matches(filter, topic);
        }
        EXPECT(matches > 3000, "too few to mean anything: %u", matches);
}

TEST(filters_cover_filters)
{
        static const struct row {
                struct str outer, inner;
                bool       covers;
        } rows[] = {
                { STR("#"),      STR("#"),       true  },
                { STR("#"),      STR("a/+/#"),   true  },
                { STR("+/#"),    STR("#"),       true  },       /* every name has a level */
                { STR("+/+/#"),  STR("#"),       false },
                { STR("/+/#"),   STR("/#"),      true  },
                { STR("/+"),     STR("/#"),      false },
                { STR("a/#"),    STR("a"),       true  },
                { STR("a/#"),    STR("a/#"),     true  },
                { STR("a/+/#"),  STR("a/#"),     false },       /* "a" */
                { STR("a/+"),    STR("a/b"),     true  },
                { STR("a/+"),    STR("a/+"),     true  },
                { STR("a/b"),    STR("a/+"),     false },
                { STR("a/+"),    STR("a/#"),     false },
                { STR("+"),      STR("+"),       true  },
                { STR("+"),      STR("#"),       false },
                { STR("#"),      STR("$SYS/#"),  false },       /* [MQTT-4.7.2-1] */
                { STR("+/x"),    STR("$SYS/x"),  false },
                { STR("$SYS/#"), STR("$SYS/+"),  true  },
                { STR("$SYS/#"), STR("#"),       false },
                { STR("a"),      STR("a"),       true  },
                { STR("a"),      STR("a/b"),     false },
                { STR("a/b"),    STR("a"),       false },
        };
        const struct row *row;

        EACH (rows, row)
                EXPECT(topic_filter_covers(row->outer, row->inner) == row->covers,
                       "%.*s covers %.*s", SHOW(row->outer), SHOW(row->inner));
}

/* All names of up to four levels of these, all filters of up to three: `outer` covers `inner` if
 * there is no name that inner alone matches. A name has a level more than any filter, and each set
 * has a level that no filter names, so a counterexample, if there is one, is among the names. */
TEST(covering_agrees_with_the_names)
{
        static const char *const parts[] = { "", "a", "$", "z", "+", "#" };
        static char              names[400][16], filters[300][16];
        unsigned                 name_count = 0, filter_count = 0;

        for (unsigned depth = 1; depth <= 4; depth++) {
                for (unsigned n = 0; n < 6u * 6 * 6 * 6; n++) {
                        char     text[16] = "";
                        unsigned left = n, z = 0;

                        for (unsigned i = 0; i < depth; i++, left /= 6) {
                                snprintf(text + strlen(text), 8, "%s%s", i ? "/" : "",
                                         parts[left % 6]);
                                z += left % 6 == 3;
                        }
                        if (left != 0)
                                break;
                        if (topic_name_valid(str_of(text)))
                                memcpy(names[name_count++], text, sizeof(text));
                        if (depth <= 3 && z == 0 && topic_filter_valid(str_of(text)))
                                memcpy(filters[filter_count++], text, sizeof(text));
                }
        }
        EXPECT_EQ(name_count, 3 + 4 * 4 + 4 * 4 * 4 + 4 * 4 * 4 * 4);
        for (unsigned o = 0; o < filter_count; o++) {
                for (unsigned i = 0; i < filter_count; i++) {
                        struct str outer = str_of(filters[o]), inner = str_of(filters[i]);
                        bool       covers = true;

                        for (unsigned n = 0; n < name_count && covers; n++)
                                covers = !slowly_matches(inner, str_of(names[n])) ||
                                         slowly_matches(outer, str_of(names[n]));
                        EXPECT(topic_filter_covers(outer, inner) == covers, "%s covers %s",
                               filters[o], filters[i]);
                }
        }
}

/* ---- what is asked for in SUBSCRIBE ---- */

TEST(subscription_names_are_taken_apart)
{
        static const struct row {
                struct str  name;
                const char *filter, *group;
                bool        local, exclusive;
        } rows[] = {
                { STR("t"),                       "t",      NULL,     false, false },
                { STR("#"),                       "#",      NULL,     false, false },
                { STR("$SYS/#"),                  "$SYS/#", NULL,     false, false },
                { STR("$share/g/t"),              "t",      "g",      false, false },
                { STR("$share/g/a/+/#"),          "a/+/#",  "g",      false, false },
                { STR("$share/g//t"),             "/t",     "g",      false, false },
                { STR("$share/g/$SYS/#"),         "$SYS/#", "g",      false, false },
                { STR("$queue/t"),                "t",      "$queue", false, false },
                { STR("$queue//"),                "/",      "$queue", false, false },
                { STR("$local/t"),                "t",      NULL,     true,  false },
                { STR("$local/$share/g/t"),       "t",      "g",      true,  false },
                { STR("$local/$queue/t"),         "t",      "$queue", true,  false },
                { STR("$exclusive/a/b"),          "a/b",    NULL,     false, true  },
                { STR("$share"),                  "$share", NULL,     false, false },
                { STR("$sharex/g/t"),             "$sharex/g/t", NULL, false, false },
                { STR("a/$share/g/t"),            "a/$share/g/t", NULL, false, false },
        };
        const struct row        *row;
        struct subscription_name s;

        EACH (rows, row) {
                EXPECT(subscription_name_parse(row->name, &s), "%.*s", SHOW(row->name));
                EXPECT(str_eq(s.filter, str_of(row->filter)), "%.*s", SHOW(row->name));
                EXPECT((s.group.ptr == NULL) == (row->group == NULL), "%.*s", SHOW(row->name));
                EXPECT(str_eq(s.group, str_of(row->group)), "%.*s", SHOW(row->name));
                EXPECT(s.local == row->local && s.exclusive == row->exclusive, "%.*s",
                       SHOW(row->name));
                EXPECT(s.filter.ptr + s.filter.len == row->name.ptr + row->name.len);
        }
}

TEST(bad_subscription_names_are_refused)
{
        static const struct str rows[] = {
                STR(""),
                STR("a#"),
                STR("$share/"),
                STR("$share/g"),                /* [MQTT-4.8.2-2] */
                STR("$share/g/"),
                STR("$share//t"),               /* [MQTT-4.8.2-1] */
                STR("$share/+/t"),
                STR("$share/a#/t"),
                STR("$share/a+b/t"),
                STR("$share/g/a#"),
                STR("$share/g/$share/h/t"),
                STR("$share/g/$local/t"),
                STR("$share/g/$queue/t"),
                STR("$share/g/$exclusive/t"),
                STR("$queue/"),
                STR("$queue/a+"),
                STR("$queue/$share/g/t"),
                STR("$queue/$queue/t"),
                STR("$local/"),
                STR("$local/$local/t"),
                STR("$local/$share/g"),
                STR("$local/$exclusive/t"),
                STR("$exclusive/"),
                STR("$exclusive/$local/t"),
                STR("$exclusive/$share/g/t"),
        };
        const struct str        *row;
        struct subscription_name s;

        EACH (rows, row)
                EXPECT(!subscription_name_parse(*row, &s), "%.*s", SHOW(*row));
}

TEST(group_names_are_bounded)
{
        char                     text[GROUP_NAME_MAX + 32] = "$share/";
        struct subscription_name s;

        memset(text + 7, 'g', GROUP_NAME_MAX + 1);
        memcpy(text + 7 + GROUP_NAME_MAX, "/t", 3);
        EXPECT(subscription_name_parse(str_of(text), &s));
        EXPECT_EQ(s.group.len, GROUP_NAME_MAX);
        memcpy(text + 7 + GROUP_NAME_MAX, "g/t", 4);
        EXPECT(!subscription_name_parse(str_of(text), &s));
}

SUITE(topic, CASE(names_are_valid_or_not), CASE(a_bad_byte_is_seen_anywhere),
      CASE(no_other_byte_is_bad), CASE(filters_are_valid_or_not), CASE(levels_are_bounded),
      CASE(levels_are_counted), CASE(filters_match_topics), CASE(matching_agrees_with_a_simple_one),
      CASE(filters_cover_filters), CASE(covering_agrees_with_the_names),
      CASE(subscription_names_are_taken_apart), CASE(bad_subscription_names_are_refused),
      CASE(group_names_are_bounded))
