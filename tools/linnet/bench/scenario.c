#include "scenario.h"

#include <string.h>

#include "base/str.h"

/* Connections, and messages a second that are published, as the suite gives them. */
struct scenario {
        const char     *name;
        enum bench_mode mode;
        uint32_t        publishers;     /* conn: connections */
        uint32_t        subscribers;
        double          rate;           /* conn: connects a second */
        uint32_t        qos;
        uint32_t        size;
};

static const struct scenario scenarios[] = {
        { "conn-tcp-10k-100", BENCH_CONN, 10000, 0, 100, 0, 0 },
        { "p2p-1K-1K-1K-1K", BENCH_PAIR, 1000, 1000, 1000, 1, 16 },
        { "p2p-50K-50K-50K-50K", BENCH_PAIR, 50000, 50000, 50000, 1, 16 },
        { "sharedsub-1K-5-1K-1K", BENCH_SHARED, 1000, 5, 1000, 1, 16 },
        { "fanout-1-1k-1-1K", BENCH_FANOUT, 1, 1000, 1, 1, 16 },
        { "fanout-5-1000-5-250K", BENCH_FANOUT, 5, 1000, 250, 1, 16 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t scaled(uint32_t value, double scale)
{
        double product = (double)value * scale + 0.5;

        if (value == 0)
                return 0;
        if (product < 1)
                return 1;
        return product < BENCH_CONNECTIONS_MAX ? (uint32_t)product : BENCH_CONNECTIONS_MAX;
}

bool scenario_apply(struct bench_options *options)
{
        for (size_t i = 0; i < COUNT(scenarios); i++) {
                const struct scenario *s = &scenarios[i];

                if (!str_same_word(str_of(s->name), str_of(options->scenario)))
                        continue;
                options->mode        = s->mode;
                options->publishers  = scaled(s->publishers, options->scale);
                options->subscribers = scaled(s->subscribers, options->scale);
                options->qos         = s->qos;
                if (s->size > 0)
                        options->size = s->size;
                if (s->mode == BENCH_CONN)
                        options->connect_rate = s->rate;
                else
                        options->rate = s->rate * options->scale;
                return true;
        }
        return false;
}

void scenario_list(FILE *to)
{
        for (size_t i = 0; i < COUNT(scenarios); i++)
                fprintf(to, "  %s\n", scenarios[i].name);
}
