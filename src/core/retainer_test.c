#include "core/retainer.h"

#include <string.h>

#include "base/limits.h"
#include "base/memory.h"
#include "base/random.h"
#include "mqtt/topic.h"
#include "unit.h"

static const struct hash_key key = { 1, 2 };

static struct message *message_of(const char *topic, uint64_t expires_us)
{
        struct message_fields fields = { .topic = str_of(topic), .payload = STR("x") };
        struct message       *m      = message_new(&fields);

        EXPECT(m != NULL);
        m->expires_us = expires_us;
        return m;
}

static bool put(struct retainer *r, const char *topic, uint64_t expires_us)
{
        struct message *m  = message_of(topic, expires_us);
        bool            ok = retainer_put(r, m, NULL);

        message_put(m);
        return ok;
}

/* Whether a put succeeds without an allocation: the nodes of this name are there. */
static bool has_nodes(struct retainer *r, const char *topic)
{
        struct message *m = message_of(topic, 0);
        bool            ok;

        mem_fail_after(0);
        ok = retainer_put(r, m, NULL);
        mem_fail_after(-1);
        message_put(m);
        return ok && retainer_remove(r, str_of(topic));
}

/* How many messages a whole walk finds. */
static unsigned matches(struct retainer *r, const char *filter, uint64_t wall_us)
{
        struct retained_cursor *cursor = retained_cursor_new(r, str_of(filter));
        unsigned                count  = 0;
        bool                    done   = false;

        while (!done) {
                struct message *out[3];
                unsigned        got = retained_next(cursor, wall_us, out, 3, &done);

                for (unsigned i = 0; i < got; i++) {
                        EXPECT(topic_matches(str_of(filter), message_topic(out[i])), "%s", filter);
                        message_put(out[i]);
                }
                count += got;
        }
        retained_cursor_free(cursor);
        return count;
}

TEST(one_message_per_topic)
{
        struct retainer *r      = retainer_new(key);
        struct message  *first  = message_of("a//b", 0);
        struct message  *second = message_of("a//b", 0);

        EXPECT(retainer_put(r, first, NULL) && retainer_put(r, first, NULL));
        EXPECT(retainer_find(r, STR("a//b"), 1) == first);
        EXPECT(retainer_put(r, second, NULL));
        EXPECT(retainer_find(r, STR("a//b"), 1) == second);
        EXPECT_EQ(first->refs, 1);
        EXPECT_EQ(retainer_count(r), 1);
        EXPECT_EQ(retainer_bytes(r), message_size(second));
        EXPECT(retainer_find(r, STR("a"), 1) == NULL);
        EXPECT(retainer_find(r, STR("a/"), 1) == NULL);
        EXPECT(retainer_find(r, STR("a//b/"), 1) == NULL);
        EXPECT(!retainer_remove(r, STR("a/")) && !retainer_remove(r, STR("b")));
        EXPECT(retainer_remove(r, STR("a//b")) && !retainer_remove(r, STR("a//b")));
        EXPECT_EQ(retainer_count(r), 0);
        EXPECT_EQ(retainer_bytes(r), 0);
        EXPECT_EQ(second->refs, 1);
        message_put(first);
        message_put(second);
        retainer_free(r);
        retainer_free(NULL);
}

TEST(filters_find_their_names)
{
        static const char *topics[] = { "a",  "a/b", "a/b/c",  "a/",  "/",
                                        "/a", "b/b", "$SYS/x", "$SYS" };
        static const struct row {
                const char *filter;
                unsigned    matches;
        } rows[] = {
                { "#",      7 },
                { "+",      1 },
                { "+/#",    7 },
                { "+/+",    5 },
                { "+/b",    2 },
                { "+/x",    0 },
                { "a/#",    4 },
                { "a/+",    2 },
                { "a/b/c",  1 },
                { "a/c",    0 },
                { "a/b/#",  2 },
                { "/#",     2 },
                { "/+",     2 },
                { "/",      1 },
                { "$SYS/#", 2 },
                { "$SYS/+", 1 },
                { "$SYS",   1 },
        };
        struct retainer   *r = retainer_new(key);
        const struct row  *row;
        const char *const *topic;

        EACH (topics, topic)
                EXPECT(put(r, *topic, 0));
        EACH (rows, row)        /* among them [MQTT-4.7.2-1] */
                EXPECT(matches(r, row->filter, 1) == row->matches, "%s", row->filter);
        retainer_free(r);
}

TEST(the_deepest_name_is_found)
{
        struct retainer *r                            = retainer_new(key);
        char             topic[TOPIC_LEVELS_MAX]      = { 0 };
        char             filter[2 * TOPIC_LEVELS_MAX] = { 0 };

        memset(topic, '/', sizeof topic - 1);           /* all levels are empty */
        for (unsigned i = 0; i < sizeof filter - 1; i++)
                filter[i] = i % 2 == 0 ? '+' : '/';
        EXPECT(put(r, topic, 0));
        EXPECT_EQ(matches(r, filter, 1), 1);
        EXPECT_EQ(matches(r, topic, 1), 1);
        EXPECT_EQ(matches(r, "#", 1), 1);
        filter[sizeof filter - 2] = '#';
        EXPECT_EQ(matches(r, filter, 1), 1);
        retainer_free(r);
}

TEST(empty_nodes_are_removed)
{
        struct retainer *r = retainer_new(key);

        EXPECT(put(r, "a/b/c", 0) && put(r, "a/x", 0));
        EXPECT(has_nodes(r, "a/b"));
        EXPECT(retainer_remove(r, STR("a/b/c")));
        EXPECT(!has_nodes(r, "a/b/c") && !has_nodes(r, "a/b") && has_nodes(r, "a"));
        EXPECT(retainer_remove(r, STR("a/x")));
        EXPECT(!has_nodes(r, "a"));
        retainer_free(r);
}

TEST(the_expired_are_gone_and_removed)
{
        struct retainer *r = retainer_new(key);

        EXPECT(put(r, "a/b", 100) && put(r, "a/c", 200) && put(r, "a/d", 0));
        EXPECT_EQ(matches(r, "a/+", 99), 3);
        EXPECT_EQ(matches(r, "a/+", 100), 2);
        EXPECT_EQ(retainer_count(r), 2);
        EXPECT(!has_nodes(r, "a/b"));
        EXPECT(retainer_find(r, STR("a/c"), 199) != NULL);
        EXPECT(retainer_find(r, STR("a/c"), 200) == NULL);
        EXPECT_EQ(retainer_count(r), 1);
        EXPECT(!has_nodes(r, "a/c"));
        retainer_free(r);
}

TEST(a_sweep_goes_on_where_it_ended)
{
        struct retainer *r = retainer_new(key);
        char             topic[16];

        EXPECT_EQ(retainer_sweep(r, 1, 10), 0);
        for (unsigned i = 0; i < 10; i++) {
                snprintf(topic, sizeof topic, "t/%u", i);
                EXPECT(put(r, topic, i % 2 == 0 ? 0 : 50));
        }
        EXPECT_EQ(retainer_sweep(r, 49, 100), 0);
        EXPECT_EQ(retainer_sweep(r, 50, 4), 2);
        EXPECT_EQ(retainer_sweep(r, 50, 4), 2);
        EXPECT_EQ(retainer_sweep(r, 50, 2), 1);
        EXPECT_EQ(retainer_sweep(r, 50, 100), 0);
        EXPECT_EQ(retainer_count(r), 5);
        EXPECT_EQ(matches(r, "t/#", 50), 5);
        retainer_free(r);
}

TEST(a_sleeping_cursor_keeps_its_place)
{
        struct retainer        *r      = retainer_new(key);
        struct retained_cursor *cursor = retained_cursor_new(r, STR("a/#"));
        struct message         *out[4];
        bool                    done;

        EXPECT(put(r, "a/b/c", 0) && put(r, "a", 0));
        EXPECT_EQ(retained_next(cursor, 1, out, 0, &done), 0);
        EXPECT(!done);
        EXPECT_EQ(retained_next(cursor, 1, out, 1, &done), 1);  /* "a": it stands before a/b now */
        EXPECT(!done);
        message_put(out[0]);
        EXPECT(retainer_remove(r, STR("a/b/c")) && retainer_remove(r, STR("a")));
        EXPECT(has_nodes(r, "a/b") && !has_nodes(r, "a/b/c"));
        EXPECT(put(r, "a/z", 0));                               /* behind the walk */
        EXPECT(put(r, "a/b/d", 0));                             /* before it */
        EXPECT_EQ(retained_next(cursor, 1, out, 4, &done), 1);
        EXPECT(done && str_eq(message_topic(out[0]), STR("a/b/d")));
        message_put(out[0]);
        EXPECT_EQ(retained_next(cursor, 1, out, 4, &done), 0);
        EXPECT(done);
        retained_cursor_free(cursor);
        retained_cursor_free(NULL);

        /* One that is given up lets go of what it held. */
        EXPECT(retainer_remove(r, STR("a/z")));
        cursor = retained_cursor_new(r, STR("+/b/d"));
        EXPECT(put(r, "a/b", 0));
        EXPECT_EQ(retained_next(cursor, 1, out, 1, &done), 1);
        message_put(out[0]);
        EXPECT(retainer_remove(r, STR("a/b/d")) && retainer_remove(r, STR("a/b")));
        retained_cursor_free(cursor);
        EXPECT(!has_nodes(r, "a"));
        retainer_free(r);
}

TEST(a_walk_looks_at_one_slice_a_turn)
{
        struct retainer        *r = retainer_new(key);
        struct retained_cursor *cursor;
        struct message         *out[1];
        char                    topic[16];
        unsigned                turns = 0;

        for (unsigned i = 0; i < 2 * RETAINED_SLICE_MAX; i++) {
                snprintf(topic, sizeof topic, "n%u", i);
                EXPECT(put(r, topic, 0));
        }
        cursor = retained_cursor_new(r, STR("+/x"));
        for (bool done = false; !done; turns++)
                EXPECT_EQ(retained_next(cursor, 1, out, 1, &done), 0);
        EXPECT_EQ(turns, 3);                    /* the root is a node too */
        retained_cursor_free(cursor);
        retainer_free(r);
}

TEST(without_memory_nothing_changes)
{
        struct retainer *r = NULL;
        struct message  *m = message_of("a/b/c/d/e/f/g/h/i/j", 0);

        for (int64_t n = 0; r == NULL; n++) {
                EXPECT(n < 10);
                mem_fail_after(n);
                r = retainer_new(key);
        }
        for (int64_t n = 0;; n++) {
                EXPECT(n < 50);
                mem_fail_after(n);
                if (retainer_put(r, m, NULL))
                        break;
                mem_fail_after(-1);
                EXPECT_EQ(m->refs, 1);
                EXPECT_EQ(retainer_count(r), 0);
                EXPECT(!has_nodes(r, "a"));
        }
        mem_fail_after(0);
        EXPECT(retained_cursor_new(r, STR("#")) == NULL);
        EXPECT(retainer_put(r, m, NULL));             /* an existing topic costs nothing */
        mem_fail_after(-1);
        EXPECT_EQ(matches(r, "#", 1), 1);
        message_put(m);
        retainer_free(r);
}

/* ---- against a model ------------------------------------------------------------------------- */

enum { NAMES = 200, WALKS = 4, STEPS = 30000 };

static const char *const levels[]  = { "a", "b", "c", "", "$x", "ab" };
static const char *const filters[] = {
        "#",  "+",      "+/#",   "a/#", "a/+/b", "+/+",    "+/a/#", "$x/#",
        "/#", "+/+/+",  "a/b/c", "b/#", "a/+/#", "$x/+/a", "ab",    "+/",
};

struct walk {
        struct retained_cursor *cursor;         /* NULL: not in use */
        const char             *filter;
        bool                    owed[NAMES];    /* there since the beginning, and not yet seen */
        bool                    seen[NAMES];
};

struct model {
        struct retainer *retainer;
        struct random    random;
        uint64_t         wall_us;
        char             name[NAMES][24];
        struct message  *message[NAMES];        /* references */
        struct walk      walk[WALKS];
};

static bool model_live(const struct model *m, unsigned i)
{
        return m->message[i] != NULL && !message_expired(m->message[i], m->wall_us);
}

static void model_name(struct model *m, unsigned i)
{
        bool known = true;

        while (known) {
                unsigned depth = 1 + random_below(&m->random, 5);
                size_t   len   = 0;

                for (unsigned d = 0; d < depth; d++)
                        len += (size_t)snprintf(m->name[i] + len, sizeof m->name[i] - len, "%s%s",
                                                d > 0 ? "/" : "",
                                                levels[random_below(&m->random, 6)]);
                known = len == 0;
                for (unsigned k = 0; k < i; k++)
                        known |= strcmp(m->name[k], m->name[i]) == 0;
        }
}

static void model_disown(struct model *m, unsigned i)
{
        for (unsigned w = 0; w < WALKS; w++)
                m->walk[w].owed[i] = false;
}

static void model_put(struct model *m, unsigned i)
{
        uint64_t expires_us = random_below(&m->random, 3) > 0
                                      ? 0
                                      : m->wall_us + 1 + random_below(&m->random, 200);
        struct message *message = message_of(m->name[i], expires_us);
        bool            fail    = random_below(&m->random, 8) == 0;
        bool            ok;

        if (fail)
                mem_fail_after(random_below(&m->random, 3));
        ok = retainer_put(m->retainer, message, NULL);
        mem_fail_after(-1);
        EXPECT(ok || fail);
        if (ok) {
                message_put(m->message[i]);
                m->message[i] = message;
        } else {
                message_put(message);
        }
}

static void model_remove(struct model *m, unsigned i)
{
        bool live    = model_live(m, i);
        bool removed = retainer_remove(m->retainer, str_of(m->name[i]));

        EXPECT(m->message[i] != NULL || !removed, "%s", m->name[i]);
        EXPECT(!live || removed, "%s", m->name[i]);
        message_put(TAKE(m->message[i]));
        model_disown(m, i);
}

static void model_begin(struct model *m, struct walk *walk)
{
        *walk        = (struct walk){ .filter = filters[random_below(&m->random, 16)] };
        walk->cursor = retained_cursor_new(m->retainer, str_of(walk->filter));
        EXPECT(walk->cursor != NULL);
        for (unsigned i = 0; i < NAMES; i++)
                walk->owed[i] = model_live(m, i) &&
                                topic_matches(str_of(walk->filter), str_of(m->name[i]));
}

static void model_saw(struct model *m, struct walk *walk, const struct message *message)
{
        unsigned i = 0;

        while (i < NAMES && m->message[i] != message)
                i++;
        EXPECT(i < NAMES, "of %s", walk->filter);
        EXPECT(model_live(m, i) && !walk->seen[i], "%s of %s", m->name[i], walk->filter);
        EXPECT(topic_matches(str_of(walk->filter), str_of(m->name[i])), "%s", m->name[i]);
        walk->seen[i] = true;
        walk->owed[i] = false;
}

static bool model_walk(struct model *m, struct walk *walk, unsigned max)
{
        struct message *out[8];
        bool            done;
        unsigned        got = retained_next(walk->cursor, m->wall_us, out, max, &done);

        EXPECT(got <= max);
        for (unsigned i = 0; i < got; i++) {
                model_saw(m, walk, out[i]);
                message_put(out[i]);
        }
        if (done) {
                for (unsigned i = 0; i < NAMES; i++)
                        EXPECT(!walk->owed[i], "%s of %s", m->name[i], walk->filter);
                retained_cursor_free(TAKE(walk->cursor));
        }
        return done;
}

static void model_pass_time(struct model *m)
{
        m->wall_us += random_below(&m->random, 30);
        for (unsigned i = 0; i < NAMES; i++)
                if (!model_live(m, i))
                        model_disown(m, i);
}

/* Everything at once: what is there, and its sums. */
static void model_check(struct model *m)
{
        uint32_t    count = 0;
        uint64_t    bytes = 0;
        struct walk walk;

        model_begin(m, &walk);
        while (!model_walk(m, &walk, 8))
                continue;
        while (retainer_sweep(m->retainer, m->wall_us, 64) > 0)
                continue;
        retainer_sweep(m->retainer, m->wall_us, NAMES);
        for (unsigned i = 0; i < NAMES; i++) {
                bool live = model_live(m, i);

                EXPECT(retainer_find(m->retainer, str_of(m->name[i]), m->wall_us) ==
                       (live ? m->message[i] : NULL));
                count += live;
                bytes += live ? message_size(m->message[i]) : 0;
        }
        EXPECT_EQ(retainer_count(m->retainer), count);
        EXPECT_EQ(retainer_bytes(m->retainer), bytes);
}

static void model_step(struct model *m)
{
        unsigned     what = random_below(&m->random, 100);
        unsigned     i    = random_below(&m->random, NAMES);
        struct walk *walk = &m->walk[random_below(&m->random, WALKS)];

        if (what < 30)
                model_put(m, i);
        else if (what < 55)
                model_remove(m, i);
        else if (what < 90 && walk->cursor != NULL)
                model_walk(m, walk, random_below(&m->random, 4));
        else if (what < 90)
                model_begin(m, walk);
        else if (what < 92)
                retained_cursor_free(TAKE(walk->cursor));
        else if (what < 96)
                model_pass_time(m);
        else if (what < 98)
                retainer_sweep(m->retainer, m->wall_us, random_below(&m->random, 50));
        else
                model_check(m);
}

TEST(a_model_agrees_at_each_step)
{
        for (uint64_t seed = 1; seed <= 4; seed++) {
                static struct model m;

                m = (struct model){ .retainer = retainer_new(key), .wall_us = 1 };
                random_init(&m.random, seed);
                for (unsigned i = 0; i < NAMES; i++)
                        model_name(&m, i);
                for (unsigned i = 0; i < STEPS; i++)
                        model_step(&m);
                for (unsigned w = 0; w < WALKS; w++)
                        retained_cursor_free(TAKE(m.walk[w].cursor));
                for (unsigned i = 0; i < NAMES; i++)
                        model_remove(&m, i);
                EXPECT_EQ(retainer_count(m.retainer), 0);
                for (unsigned i = 0; i < NAMES; i++)
                        EXPECT(!has_nodes(m.retainer, m.name[i]), "%s", m.name[i]);
                retainer_free(m.retainer);
        }
}

SUITE(retainer, CASE(one_message_per_topic), CASE(filters_find_their_names),
      CASE(the_deepest_name_is_found), CASE(empty_nodes_are_removed),
      CASE(the_expired_are_gone_and_removed), CASE(a_sweep_goes_on_where_it_ended),
      CASE(a_sleeping_cursor_keeps_its_place), CASE(a_walk_looks_at_one_slice_a_turn),
      CASE(without_memory_nothing_changes), CASE(a_model_agrees_at_each_step))
