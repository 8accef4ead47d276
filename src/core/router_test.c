/* Length: the model and the threads share the fixture. */
#include "core/router.h"

#include <pthread.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "core/route_memo.h"
#include "mqtt/topic.h"
#include "unit.h"

/* rt/group_test.h has another `struct group`, so the loops are made here. */
enum { SHARDS = 3 };

struct fixture {
        struct loop       *loops[SHARDS];
        struct router     *router;
        struct route_memo *memo;                /* of the first shard */
        struct matches     found;
        struct clock_time  now;
};

static struct clock_time fixture_clock(void *context)
{
        return ((struct fixture *)context)->now;
}

static void setup(struct fixture *f, bool real)
{
        *f = (struct fixture){ .now = { .mono_ms = 1000, .wall_us = 1 } };
        for (unsigned i = 0; i < SHARDS; i++) {
                f->loops[i] = mem_alloc(sizeof(struct loop));
                loop_init(f->loops[i], &(struct loop_config){
                                               .id            = i,
                                               .count         = SHARDS,
                                               .peers         = f->loops,
                                               .poll          = real ? poll_epoll_new()
                                                                     : poll_memory_new(),
                                               .clock         = real ? NULL : fixture_clock,
                                               .clock_context = f,
                                       });
        }
        f->router = router_new(SHARDS, (struct hash_key){ 1, 2 });
        f->memo   = route_memo_new();
        EXPECT(f->router != NULL && f->memo != NULL);
}

static void turn_all(struct fixture *f)
{
        f->now.mono_ms += RECLAIM_PAUSE_MS;
        for (unsigned i = 0; i < SHARDS; i++)
                loop_turn(f->loops[i], 0);
}

static void teardown(struct fixture *f)
{
        for (unsigned i = 0; i < SHARDS; i++) {
                loop_deinit(f->loops[i]);
                mem_free(f->loops[i]);
        }
        router_free(f->router);
        route_memo_free(f->memo);
        mem_free(f->found.routes);
}

static struct route *add(struct fixture *f, unsigned shard, struct str filter)
{
        struct route *route;

        role_claim(f->loops[shard]);
        route = router_add(f->router, f->loops[shard], filter);
        role_leave();
        return route;
}

static void drop(struct fixture *f, unsigned shard, struct route *route)
{
        role_claim(f->loops[shard]);
        router_remove(f->router, f->loops[shard], route);
        role_leave();
}

static struct route *join(struct fixture *f, struct str filter, struct str name,
                          struct member *member)
{
        struct route *route;

        role_claim(f->loops[member->shard]);
        route = router_join(f->router, f->loops[member->shard], filter, name, member);
        role_leave();
        return route;
}

static void leave(struct fixture *f, struct route *route, struct str name, struct member *member)
{
        role_claim(f->loops[member->shard]);
        router_leave(f->router, f->loops[member->shard], route, name, member);
        role_leave();
}

static struct route *find(struct fixture *f, struct str filter)
{
        struct route *route;

        role_claim(f->loops[0]);
        route = router_find(f->router, filter);
        role_leave();
        return route;
}

static bool match(struct fixture *f, struct str topic)
{
        uint32_t count;
        bool     done;

        role_claim(f->loops[0]);
        done  = router_match(f->router, topic, &f->found);
        count = f->found.count;
        for (unsigned i = 0; done && i < 2; i++) {      /* looked up, then remembered */
                done = route_memo_match(f->memo, f->router, topic, &f->found);
                EXPECT_EQ(f->found.count, count);
        }
        role_leave();
        return done;
}

/* ---- by hand --------------------------------------------------------------------------------- */

TEST(a_filter_finds_its_topics)
{
        static const struct row {
                const char *filter, *topic;
                bool        matches;
        } rows[] = {
                { "a",          "a",          true },
                { "a/b",        "a/b",        true },
                { "#",          "a/b/c",      true },
                { "#",          "/",          true },
                { "#",          "$SYS/a",     false },
                { "+",          "a",          true },
                { "+",          "$SYS",       false },
                { "+/a",        "$SYS/a",     false },
                { "+/#",        "$SYS/a",     false },
                { "$SYS/#",     "$SYS/a",     true },
                { "$SYS/#",     "$SYS",       true },
                { "$SYS/+",     "$SYS/$a",    true },
                { "a/+",        "a/$b",       true },
                { "a/#",        "a",          true },
                { "a/#",        "a/",         true },
                { "a/+",        "a",          false },
                { "a/+",        "a/",         true },
                { "+/+",        "/a",         true },
                { "/+",         "/a",         true },
                { "+",          "/a",         false },
                { "a/+/#",      "a/b",        true },
                { "a/+/#",      "a",          false },
                { "a/+/c",      "a/b/c",      true },
                { "a//+",       "a//b",       true },
        };
        const struct row *row;

        EACH(rows, row) {
                struct fixture f;
                struct route  *route;

                setup(&f, false);
                route = add(&f, 1, str_of(row->filter));
                EXPECT(match(&f, str_of(row->topic)));
                EXPECT(f.found.count == row->matches, "%s %s", row->filter, row->topic);
                if (row->matches)
                        EXPECT(f.found.routes[0] == route);
                EXPECT(route_has_shard(route, 1) && !route_has_shard(route, 0));
                EXPECT(str_eq(route_filter(route), str_of(row->filter)));
                EXPECT(find(&f, str_of(row->filter)) == route);
                drop(&f, 1, route);
                EXPECT(match(&f, str_of(row->topic)));
                EXPECT_EQ(f.found.count, 0);
                EXPECT_EQ(router_count(f.router), 0);
                teardown(&f);
        }
}

TEST(as_many_levels_as_there_may_be)
{
        char           topic[2 * TOPIC_LEVELS_MAX], filter[2 * TOPIC_LEVELS_MAX];
        struct str     name = { topic, sizeof topic - 1 };
        struct fixture f;
        unsigned       made = 0;

        setup(&f, false);
        for (unsigned i = 0; i < TOPIC_LEVELS_MAX; i++)
                memcpy(&topic[2 * i], "a/", 2);
        for (unsigned i = 0; i < TOPIC_LEVELS_MAX; i++) {       /* a `+` in each place; a `#` too */
                memcpy(filter, topic, sizeof filter);
                filter[2 * i] = '+';
                made += add(&f, 0, str_from(filter, name.len)) != NULL;
                filter[2 * i] = '#';
                made += add(&f, 0, str_from(filter, 2 * i + 1)) != NULL;
        }
        EXPECT_EQ(made, 2 * TOPIC_LEVELS_MAX);
        EXPECT(match(&f, name));
        EXPECT_EQ(f.found.count, made);
        teardown(&f);
}

TEST(a_group_is_replaced_and_keeps_its_turn)
{
        struct member      members[3] = { { .shard = 0 }, { .shard = 1 }, { .shard = 2 } };
        struct fixture     f;
        struct route      *route;
        struct group_list *list;
        _Atomic uint32_t  *turn;

        setup(&f, false);
        route = join(&f, STR("a/+"), STR("g"), &members[0]);
        list  = atomic_load(&route->groups);
        turn  = list->groups[0]->turn;
        atomic_store(turn, 7);
        EXPECT(join(&f, STR("a/+"), STR("g"), &members[1]) == route);
        EXPECT(join(&f, STR("a/+"), STR("h"), &members[2]) == route);
        EXPECT_EQ(list->count, 1);              /* what a reader holds does not change */
        EXPECT_EQ(list->groups[0]->count, 1);

        list = atomic_load(&route->groups);
        EXPECT_EQ(list->count, 2);
        EXPECT_EQ(list->groups[0]->count, 2);
        EXPECT(list->groups[0]->turn == turn && list->groups[1]->turn != turn);
        leave(&f, route, STR("g"), &members[0]);
        list = atomic_load(&route->groups);
        EXPECT(list->groups[0]->turn == turn && list->groups[0]->members[0] == &members[1]);
        EXPECT(str_eq(list->groups[0]->name, STR("g")));
        EXPECT_EQ(*turn, 7);
        leave(&f, route, STR("g"), &members[1]);
        list = atomic_load(&route->groups);
        EXPECT_EQ(list->count, 1);
        EXPECT(str_eq(list->groups[0]->name, STR("h")));
        leave(&f, route, STR("h"), &members[2]);
        EXPECT_EQ(router_count(f.router), 0);
        EXPECT(find(&f, STR("a/+")) == NULL);
        teardown(&f);
}

TEST(without_memory_nothing_changes)
{
        struct member  first = { .shard = 0 }, member = { .shard = 1 };
        struct fixture f;

        for (unsigned i = 0; i < 2; i++) {
                struct route *route = NULL;

                setup(&f, false);
                if (i == 1)
                        join(&f, STR("a/+/b"), STR("g"), &first);
                for (int64_t fail = 0; route == NULL; fail++) {
                        EXPECT(fail < 20);
                        mem_fail_after(fail);
                        route = join(&f, STR("a/+/b"), STR("g"), &member);
                        mem_fail_after(-1);
                        EXPECT_EQ(router_count(f.router), route != NULL || i == 1);
                        EXPECT(match(&f, STR("a/x/b")));
                        EXPECT_EQ(f.found.count, route != NULL || i == 1);
                        EXPECT_EQ(find(&f, STR("a/+/b")) != NULL, route != NULL || i == 1);
                }
                route = NULL;
                for (int64_t fail = 0; route == NULL; fail++) {
                        EXPECT(fail < 20);
                        mem_fail_after(fail);
                        route = add(&f, 2, STR("a/#"));
                        mem_fail_after(-1);
                        EXPECT_EQ(router_count(f.router), 1 + (route != NULL));
                }
                teardown(&f);
        }
}

TEST(leaving_needs_no_memory)
{
        enum { GROUPS = 3, EACH_HAS = 3 };
        static const char names[GROUPS][2] = { "g", "h", "i" };
        struct member     members[GROUPS][EACH_HAS] = { 0 };

        for (int64_t fail = 0; fail < 3; fail++) {
                struct fixture f;
                struct route  *route = NULL;

                setup(&f, false);
                for (unsigned i = 0; i < GROUPS * EACH_HAS; i++)
                        route = join(&f, STR("t"), str_of(names[i % GROUPS]),
                                     &members[i % GROUPS][i / GROUPS]);
                for (unsigned i = 0; i < GROUPS * EACH_HAS; i++) {
                        struct member     *gone = &members[i / EACH_HAS][i % EACH_HAS];
                        struct group_list *list;

                        mem_fail_after(fail);
                        leave(&f, route, str_of(names[i / EACH_HAS]), gone);
                        mem_fail_after(-1);
                        if (find(&f, STR("t")) == NULL)
                                break;
                        list = atomic_load(&route->groups);
                        EXPECT_EQ(list->count, GROUPS - (i + 1) / EACH_HAS);
                        for (unsigned g = 0; g < list->count; g++)
                                for (unsigned m = 0; m < list->groups[g]->count; m++)
                                        EXPECT(list->groups[g]->members[m] != gone);
                }
                EXPECT_EQ(router_count(f.router), 0);
                teardown(&f);
        }
}

static void on_visit(void *context, const struct route *route)
{
        *(size_t *)context += route_filter(route).len;
}

TEST(each_filter_is_listed)
{
        struct fixture f;
        size_t         bytes = 0;

        setup(&f, false);
        add(&f, 0, STR("a"));
        add(&f, 1, STR("a"));
        add(&f, 0, STR("b/#"));
        router_each(f.router, on_visit, &bytes);
        EXPECT_EQ(bytes, 4);
        EXPECT_EQ(router_count(f.router), 2);
        teardown(&f);
}

/* ---- the model ------------------------------------------------------------------------------- */

enum { FILTERS = 400, MEMBERS = 2, STEPS = 6000, SEEDS = 5 };

struct row {
        char          text[64];
        struct str    filter;
        struct route *route;
        bool          plain[SHARDS];
        bool          joined[MEMBERS];
        struct member members[MEMBERS];
};

static struct random dice;
static struct row    model[FILTERS];

static struct str random_topic(char text[static 64], bool wild)
{
        static const char *const words[] = { "a", "b", "", "$x", "+", "+", "#" };
        unsigned                 count   = 1 + random_below(&dice, 5);
        size_t                   len     = 0;

        for (unsigned i = 0; i < count; i++) {
                const char *word = words[random_below(&dice, wild ? 7 : 4)];

                len += (size_t)snprintf(text + len, 64 - len, "%s%s", i > 0 ? "/" : "", word);
                if (word[0] == '#')
                        break;
        }
        if (len == 0)
                text[len++] = 'a';
        return str_from(text, len);
}

static void model_fill(void)
{
        for (unsigned i = 0; i < FILTERS; i++) {
                struct row *row  = &model[i];
                bool        same = true;

                *row = (struct row){ 0 };
                while (same) {                  /* each once */
                        row->filter = random_topic(row->text, true);
                        same        = false;
                        for (unsigned j = 0; j < i; j++)
                                same |= str_eq(model[j].filter, row->filter);
                }
                assert(topic_filter_valid(row->filter));
                for (unsigned m = 0; m < MEMBERS; m++)
                        row->members[m].shard = m;
        }
}

static bool in_use(const struct row *row)
{
        return row->plain[0] || row->plain[1] || row->plain[2] || row->joined[0] ||
               row->joined[1];
}

static void model_step(struct fixture *f)
{
        struct row   *row   = &model[random_below(&dice, FILTERS)];
        unsigned      which = random_below(&dice, SHARDS + MEMBERS);
        unsigned      m     = which - SHARDS;
        struct route *got   = row->route;

        if (which < SHARDS && row->plain[which])
                drop(f, which, row->route);
        else if (which < SHARDS)
                got = add(f, which, row->filter);
        else if (row->joined[m])
                leave(f, row->route, STR("g"), &row->members[m]);
        else
                got = join(f, row->filter, STR("g"), &row->members[m]);

        EXPECT(got != NULL && (!in_use(row) || got == row->route));
        row->route = got;
        if (which < SHARDS)
                row->plain[which] = !row->plain[which];
        else
                row->joined[m] = !row->joined[m];
        EXPECT(find(f, row->filter) == (in_use(row) ? got : NULL));
}

static void model_check(struct fixture *f)
{
        char       text[64];
        struct str topic    = random_topic(text, false);
        unsigned   expected = 0;

        EXPECT(match(f, topic));
        for (unsigned i = 0; i < FILTERS; i++) {
                struct row *row   = &model[i];
                unsigned    times = 0;
                bool        wants = in_use(row) && topic_matches(row->filter, topic);

                for (unsigned j = 0; j < f->found.count; j++)
                        times += row->route == f->found.routes[j] && in_use(row);
                EXPECT(times == wants, "%.*s %.*s", STR_ARGS(row->filter), STR_ARGS(topic));
                expected += wants;
                if (!wants)
                        continue;

                struct group_list *list = atomic_load(&row->route->groups);

                EXPECT_EQ(list != NULL ? list->groups[0]->count : 0,
                          row->joined[0] + row->joined[1]);
                for (unsigned s = 0; s < SHARDS; s++)
                        EXPECT_EQ(route_has_shard(row->route, s), row->plain[s]);
        }
        EXPECT_EQ(f->found.count, expected);
}

TEST(it_finds_what_the_model_finds)
{
        for (unsigned seed = 1; seed <= SEEDS; seed++) {
                struct fixture f;

                random_init(&dice, seed);
                setup(&f, false);
                model_fill();
                for (unsigned i = 0; i < STEPS; i++) {
                        model_step(&f);
                        if (i % 8 == 0)
                                model_check(&f);
                        if (random_below(&dice, 20) == 0)
                                turn_all(&f);
                }
                teardown(&f);
        }
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { TURNS = 2000, PLACES = 16 };

struct worker {
        struct loop     *loop;
        struct route_memo *memo;
        struct router   *router;
        struct chore     chore;
        struct random    random;
        struct matches   found;
        struct route    *held[PLACES];
        struct member   *member;
        struct route    *joined;
        pthread_t        thread;
        unsigned         turns;
};

static _Atomic unsigned workers_done;

static void on_member_release(struct retired *retired)
{
        mem_free(retired);                      /* first in the member */
}

/* Asserted, not expected: no test can end on these threads. */
static void churn(struct worker *worker) ON_SHARD
{
        static const char *const names[PLACES] = { "a", "b", "a/b", "+", "#", "a/#", "+/b", "a/+",
                                                   "b/+/#", "b/a", "a/+/b", "+/+", "+/+/+", "b/#",
                                                   "a/a", "a/b/a" };
        unsigned                 i             = random_below(&worker->random, PLACES);

        if (worker->held[i] != NULL) {
                router_remove(worker->router, worker->loop, worker->held[i]);
                worker->held[i] = NULL;
        } else {
                worker->held[i] = router_add(worker->router, worker->loop, str_of(names[i]));
                assert(str_eq(route_filter(worker->held[i]), str_of(names[i])));
        }
        if (worker->joined != NULL) {
                router_leave(worker->router, worker->loop, worker->joined, STR("g"),
                             worker->member);
                reclaim_retire(worker->loop, &worker->member->retired, on_member_release);
                worker->joined = NULL;
                return;
        }
        worker->member        = mem_zalloc(sizeof *worker->member);
        worker->member->shard = worker->loop->config.id;
        worker->joined = router_join(worker->router, worker->loop, str_of(names[i]), STR("g"),
                                     worker->member);
}

static void look(struct worker *worker, struct str topic) ON_SHARD
{
        bool done = route_memo_match(worker->memo, worker->router, topic, &worker->found);

        assert(done);
        for (unsigned i = 0; i < worker->found.count; i++) {
                struct route      *route = worker->found.routes[i];
                struct group_list *list =
                        atomic_load_explicit(&route->groups, memory_order_acquire);

                assert(topic_matches(route_filter(route), topic));
                for (unsigned g = 0; list != NULL && g < list->count; g++) {
                        struct group *group = list->groups[g];

                        atomic_fetch_add_explicit(group->turn, 1, memory_order_relaxed);
                        assert(str_eq(group->name, STR("g")));
                        for (unsigned m = 0; m < group->count; m++)
                                assert(group->members[m]->shard < SHARDS);
                }
        }
        /* What this shard has asked for is found whatever the others do. */
        for (unsigned i = 0; i < PLACES; i++) {
                unsigned times = 0;

                if (worker->held[i] == NULL ||
                    !topic_matches(route_filter(worker->held[i]), topic))
                        continue;
                for (unsigned j = 0; j < worker->found.count; j++)
                        times += worker->found.routes[j] == worker->held[i];
                assert(times == 1);
        }
}

static void on_worker(struct loop *loop, struct chore *chore)
{
        struct worker *worker = (struct worker *)(void *)((char *)chore -
                                                          offsetof(struct worker, chore));

        on_shard(loop);
        for (unsigned i = 0; i < 4; i++) {
                churn(worker);
                look(worker, STR("a/b"));
                look(worker, STR("b/a/b"));
                look(worker, STR("a"));
        }
        if (++worker->turns < TURNS) {
                loop_at_next_turn(loop, chore);
                return;
        }
        if (worker->joined != NULL)
                churn(worker);
        for (unsigned i = 0; i < PLACES; i++)
                if (worker->held[i] != NULL)
                        router_remove(worker->router, loop, worker->held[i]);
        atomic_fetch_add(&workers_done, 1);
}

static void *run_loop(void *loop)
{
        loop_run(loop);
        return NULL;
}

/* ThreadSanitizer and AddressSanitizer do the checking. */
TEST(threads_match_while_others_write)
{
        static struct worker workers[SHARDS];
        struct fixture       f;

        setup(&f, true);
        atomic_store(&workers_done, 0);
        for (unsigned i = 0; i < SHARDS; i++) {
                struct worker *worker = &workers[i];

                *worker = (struct worker){ .loop   = f.loops[i],
                                           .router = f.router,
                                           .memo   = route_memo_new() };
                EXPECT(worker->memo != NULL);
                worker->chore.run = on_worker;
                random_init(&worker->random, i + 1);
                role_claim(worker->loop);
                loop_at_next_turn(worker->loop, &worker->chore);
                role_leave();
                EXPECT_EQ(pthread_create(&worker->thread, NULL, run_loop, worker->loop), 0);
        }
        for (unsigned i = 0; i < 60000 && atomic_load(&workers_done) < SHARDS; i++)
                usleep(1000);
        EXPECT_EQ(atomic_load(&workers_done), SHARDS);
        for (unsigned i = 0; i < SHARDS; i++)
                loop_stop(f.loops[i]);
        for (unsigned i = 0; i < SHARDS; i++) {
                pthread_join(workers[i].thread, NULL);
                mem_free(workers[i].found.routes);
                route_memo_free(workers[i].memo);
        }
        EXPECT_EQ(router_count(f.router), 0);
        teardown(&f);
}

SUITE(router,
      CASE(a_filter_finds_its_topics),
      CASE(as_many_levels_as_there_may_be),
      CASE(a_group_is_replaced_and_keeps_its_turn),
      CASE(without_memory_nothing_changes),
      CASE(leaving_needs_no_memory),
      CASE(each_filter_is_listed),
      CASE(it_finds_what_the_model_finds),
      CASE(threads_match_while_others_write))
