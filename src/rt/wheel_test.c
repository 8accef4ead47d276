#include "rt/wheel.h"

#include "base/memory.h"
#include "base/random.h"
#include "unit.h"

static const uint64_t day_ms = 86400000;

/* A timer, and what the naive model knows of it. */
struct probe {
        struct timer timer;
        bool         set;
        uint64_t     due_ms;
        unsigned     set_in;            /* the advance whose callback has set it, or 0 */
        unsigned     fired;
};

/* ---- one after the other --------------------------------------------------------------------- */

static void on_probe(struct loop *loop, struct timer *timer)
{
        (void)loop;
        list_entry(timer, struct probe, timer)->fired++;
}

TEST(timers_fire_when_they_are_due_and_not_before)
{
        static const struct row {
                uint64_t start_ms, after_ms;
        } rows[] = {
                { 0,                  1                },
                { 0,                  255              },
                { 0,                  256              },
                { 255,                1                },
                { 100,                300              },
                { 0,                  65535            },
                { 0,                  65536            },
                { 65535,              1                },
                { 1,                  65536            },
                { 0,                  16777216         },
                { 16777215,           1                },
                { 16777000,           16777216         },
                { 0,                  4294967295       },
                { 0,                  4294967296       },      /* beyond 49 days */
                { 4294967295,         1                },
                { 4294967000,         4294967296       },
                { 12345678901,        400000000000     },      /* 12 years */
                { UINT64_MAX - 70000, 70000            },
        };
        struct wheel     *wheel = mem_alloc(sizeof *wheel);
        const struct row *row;

        EACH(rows, row) {
                struct probe probe = { .timer.fire = on_probe };
                uint64_t     due   = row->start_ms + row->after_ms;

                wheel_init(wheel, row->start_ms);
                wheel_add(wheel, &probe.timer, due);
                wheel_check(wheel);
                EXPECT(timer_is_set(&probe.timer));
                EXPECT(wheel_next_ms(wheel) > row->start_ms && wheel_next_ms(wheel) <= due);
                EXPECT_EQ(wheel_advance(wheel, due - 1, NULL), 0);
                wheel_check(wheel);
                EXPECT_EQ(wheel_next_ms(wheel), due);
                EXPECT_EQ(wheel_advance(wheel, due, NULL), 1);
                EXPECT_EQ(probe.fired, 1);
                EXPECT(!timer_is_set(&probe.timer));
                EXPECT(wheel_next_ms(wheel) == UINT64_MAX);
                wheel_check(wheel);
        }
        mem_free(wheel);
}

TEST(whoever_sleeps_until_the_next_time_wakes_seldom)
{
        struct wheel *wheel = mem_alloc(sizeof *wheel);
        struct probe  probe = { .timer.fire = on_probe };
        unsigned      wakes = 0;

        wheel_init(wheel, 77);
        wheel_add(wheel, &probe.timer, 77 + 40 * day_ms);
        for (; probe.fired == 0; wakes++) {
                EXPECT(wakes < WHEEL_LEVELS, "a wake-up per level");
                wheel_advance(wheel, wheel_next_ms(wheel), NULL);
        }
        EXPECT_EQ(wheel->now_ms, 77 + 40 * day_ms);
        mem_free(wheel);
}

TEST(what_is_due_already_fires_at_the_next_advance)
{
        struct wheel *wheel  = mem_alloc(sizeof *wheel);
        struct probe  past   = { .timer.fire = on_probe };
        struct probe  now    = { .timer.fire = on_probe };
        struct probe  unset  = { .timer.fire = on_probe };

        wheel_init(wheel, 1000);
        wheel_remove(wheel, &unset.timer);              /* nothing */
        wheel_add(wheel, &past.timer, 3);
        wheel_add(wheel, &now.timer, 1000);
        wheel_add(wheel, &unset.timer, 999);
        wheel_remove(wheel, &unset.timer);
        EXPECT_EQ(wheel_next_ms(wheel), 1000);
        EXPECT_EQ(wheel_advance(wheel, 1000, NULL), 2);
        EXPECT_EQ(past.fired + now.fired, 2);
        EXPECT_EQ(unset.fired, 0);

        wheel_add(wheel, &now.timer, 1001);
        EXPECT_EQ(wheel_advance(wheel, 400, NULL), 0);  /* time does not go back */
        EXPECT_EQ(wheel->now_ms, 1000);
        EXPECT_EQ(wheel_advance(wheel, 1001, NULL), 1);
        wheel_check(wheel);
        mem_free(wheel);
}

TEST(a_timer_set_anew_is_due_at_its_new_time_only)
{
        struct wheel *wheel = mem_alloc(sizeof *wheel);
        struct probe  probe = { .timer.fire = on_probe };

        wheel_init(wheel, 0);
        wheel_add(wheel, &probe.timer, 10);
        wheel_add(wheel, &probe.timer, 70000);
        wheel_add(wheel, &probe.timer, 20);
        EXPECT_EQ(wheel->count, 1);
        EXPECT_EQ(wheel_advance(wheel, 19, NULL), 0);
        EXPECT_EQ(wheel_advance(wheel, 100000, NULL), 1);
        wheel_check(wheel);
        mem_free(wheel);
}

static void on_again(struct loop *loop, struct timer *timer)
{
        struct wheel *wheel = (struct wheel *)(void *)loop;

        on_probe(loop, timer);
        wheel_add(wheel, timer, timer->due_ms + 1);
}

TEST(a_jump_over_years_costs_what_it_meets)
{
        struct wheel *wheel  = mem_alloc(sizeof *wheel);
        struct probe  again  = { .timer.fire = on_again };
        struct probe  far    = { .timer.fire = on_probe };
        uint64_t      years  = 50 * 365 * day_ms;

        wheel_init(wheel, 5);
        wheel_add(wheel, &again.timer, 6);
        wheel_add(wheel, &far.timer, years + 7);
        EXPECT_EQ(wheel_advance(wheel, years, (struct loop *)(void *)wheel), 1);
        EXPECT_EQ(again.fired, 1);                      /* what it adds for the past waits */
        EXPECT_EQ(wheel_next_ms(wheel), years);
        wheel_remove(wheel, &again.timer);
        EXPECT_EQ(wheel_next_ms(wheel), years + 7);
        wheel_check(wheel);
        mem_free(wheel);
}

/* ---- against the naive model ----------------------------------------------------------------- */

enum { PROBES = 200, STEPS = 4000, SEEDS = 6 };

static struct model {
        struct random random;
        struct wheel  wheel;
        struct probe  probes[PROBES];
        uint64_t      now_ms;           /* of the last advance */
        uint64_t      to_ms;            /* of the advance under way */
        uint64_t      last_due_ms;      /* fired last */
        unsigned      advance;          /* which one is under way; 0: none */
        unsigned      fired;
} model;

/* Near more often than far, and as often on this as on that side of a level's end. */
static uint64_t some_ms(struct random *random)
{
        static const uint64_t spans[] = { 1, 4, 300, 70000, 1u << 25, 1ull << 33, 1ull << 37 };

        return random_u64(random) % spans[random_below(random, sizeof spans / sizeof spans[0])];
}

static struct probe *some_probe(void)
{
        return &model.probes[random_below(&model.random, PROBES)];
}

static void model_add(struct probe *probe)
{
        uint64_t base = model.advance > 0 ? model.to_ms : model.now_ms;
        uint64_t ms   = some_ms(&model.random);
        bool     past = random_below(&model.random, 8) == 0;

        probe->due_ms = !past ? base + ms : ms < base ? base - ms : 0;
        probe->set    = true;
        probe->set_in = model.advance;
        wheel_add(&model.wheel, &probe->timer, probe->due_ms);
}

static void model_remove(struct probe *probe)
{
        probe->set = false;
        wheel_remove(&model.wheel, &probe->timer);
        EXPECT(!timer_is_set(&probe->timer));
}

static void on_model(struct loop *loop, struct timer *timer)
{
        struct probe *probe = list_entry(timer, struct probe, timer);

        EXPECT(loop == (struct loop *)(void *)&model);
        EXPECT(!timer_is_set(timer));
        EXPECT(probe->set, "removed, or fired before");
        EXPECT(probe->due_ms <= model.to_ms, "early");
        EXPECT(probe->set_in != model.advance, "set in this advance: it must wait for the next");

        /* What was due before comes first, the rest in order. */
        EXPECT(probe->due_ms <= model.now_ms ? model.last_due_ms <= model.now_ms
                                             : probe->due_ms >= model.last_due_ms);
        model.last_due_ms = probe->due_ms;
        probe->set        = false;
        model.fired++;

        switch (random_below(&model.random, 6)) {
        case 0:
                model_add(probe);
                break;
        case 1:
                model_add(some_probe());
                break;
        case 2:
                model_remove(some_probe());
                break;
        default:
                break;
        }
}

static void model_advance(void)
{
        static unsigned advances;

        model.to_ms       = model.now_ms + some_ms(&model.random);
        model.advance     = ++advances;
        model.fired       = 0;
        model.last_due_ms = 0;

        unsigned fired = wheel_advance(&model.wheel, model.to_ms, (struct loop *)(void *)&model);

        EXPECT_EQ(fired, model.fired);
        for (unsigned i = 0; i < PROBES; i++) {
                const struct probe *probe = &model.probes[i];

                EXPECT(!probe->set || probe->due_ms > model.to_ms || probe->set_in == model.advance,
                       "due and not fired");
        }
        model.now_ms  = model.to_ms;
        model.advance = 0;
}

static void model_compare(void)
{
        uint64_t first = UINT64_MAX;
        unsigned count = 0;

        for (unsigned i = 0; i < PROBES; i++) {
                const struct probe *probe = &model.probes[i];

                EXPECT_EQ(timer_is_set(&probe->timer), probe->set);
                count += probe->set;
                if (probe->set && probe->due_ms < first)
                        first = probe->due_ms;
        }
        EXPECT_EQ(model.wheel.count, count);
        EXPECT(wheel_next_ms(&model.wheel) <= (first > model.now_ms ? first : model.now_ms));
        EXPECT(wheel_next_ms(&model.wheel) >= model.now_ms);
        if (first != UINT64_MAX && first >> 8 == model.now_ms >> 8 && first > model.now_ms)
                EXPECT_EQ(wheel_next_ms(&model.wheel), first);
}

TEST(random_operations_agree_with_the_naive_model)
{
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                unsigned fired = 0;

                model = (struct model){ .now_ms = seed << 30 };
                random_init(&model.random, seed);
                wheel_init(&model.wheel, model.now_ms);
                for (unsigned i = 0; i < PROBES; i++)
                        model.probes[i].timer.fire = on_model;

                for (unsigned step = 0; step < STEPS; step++) {
                        uint32_t what = random_below(&model.random, 10);

                        if (what < 6)
                                model_add(some_probe());
                        else if (what < 8)
                                model_remove(some_probe());
                        else
                                model_advance();
                        fired += what >= 8 ? model.fired : 0;
                        if (step % 8 == 0)
                                wheel_check(&model.wheel);
                        model_compare();
                }
                EXPECT(fired > STEPS / 10, "seed %" PRIu64 " does not test much", seed);
        }
}

SUITE(wheel,
      CASE(timers_fire_when_they_are_due_and_not_before),
      CASE(whoever_sleeps_until_the_next_time_wakes_seldom),
      CASE(what_is_due_already_fires_at_the_next_advance),
      CASE(a_timer_set_anew_is_due_at_its_new_time_only),
      CASE(a_jump_over_years_costs_what_it_meets),
      CASE(random_operations_agree_with_the_naive_model))
