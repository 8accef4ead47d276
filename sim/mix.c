/* What a seed draws before it begins. Each has its own weather: what all seeds did alike, and what
 * none did much of, would hide what only the extremes show. */
#include <stdio.h>

#include "broker/config.h"
#include "sim.h"

enum { CLIENTS_MIN = 4, DROP_LENGTH_MIN = 20, DROP_LENGTH_MAX = 200 };

static unsigned one_of(struct sim *sim, const unsigned *values, unsigned count)
{
        return values[random_below(&sim->random, count)];
}

#define ONE_OF(sim, ...)                                                                           \
        one_of((sim), (const unsigned[]){ __VA_ARGS__ },                                           \
               sizeof(const unsigned[]){ __VA_ARGS__ } / sizeof(unsigned))

/* 0: no limit, as most have none. */
static struct rate draw_rate(struct sim *sim, unsigned chance, uint32_t least, uint32_t burst)
{
        if (!sim_chance(sim, chance))
                return (struct rate){ 0 };
        return (struct rate){ least + random_below(&sim->random, 4 * least),
                              burst + random_below(&sim->random, burst) };
}

/* What guards the broker from its clients. The reader gets what is retained at one go. */
static void draw_guards(struct sim *sim)
{
        struct settings *settings = &sim->settings;
        struct mix      *mix      = &sim->mix;

        settings->messages_in            = draw_rate(sim, 15, 30, 3);
        settings->messages_out           = draw_rate(sim, 15, 50, TOPICS + 1);
        settings->bytes_in               = draw_rate(sim, 15, 2000, 50);
        settings->bytes_out              = draw_rate(sim, 15, 4000, 1000);
        settings->max_subscriptions      = ONE_OF(sim, 0, 0, 0, 3);
        if (mix->durability == DURABILITY_MEMORY)       /* else a client forgets what comes back */
                settings->max_awaiting_rel = ONE_OF(sim, 0, OUT_MAX);
        settings->acl_cache              = sim_chance(sim, 70);
        settings->acl_cache_max          = ONE_OF(sim, 1, 2, 64);
        settings->acl_cache_ttl_ms       = ONE_OF(sim, 1, 500, 60000);
        settings->acl_deny_disconnects   = sim_chance(sim, 20);
        settings->acl_revoke_disconnects = sim_chance(sim, 50);
        mix->law_percent                 = ONE_OF(sim, 0, 0, 10, 30, 60);
        mix->late_percent                = ONE_OF(sim, 0, 5, 30);
        mix->never_percent               = mix->late_percent > 0 ? ONE_OF(sim, 0, 0, 10) : 0;
        settings->access_timeout_ms      = mix->never_percent > 0 ? 500 : 3600000;
        mix->crowd        = sim_chance(sim, 15) ? mix->clients - random_below(&sim->random, 3) : 0;
        mix->connect_rate = draw_rate(sim, 15, 5, 5);
        if (sim_chance(sim, 10))
                settings->mqueue_max_bytes = 500 + random_below(&sim->random, 5000);
        law_draw(sim);
}

static void draw_settings(struct sim *sim)
{
        static struct config config;
        struct settings     *settings = &sim->settings;

        config_init(&config);
        *settings                      = config.settings;
        settings->mqueue_max_length    = 0;
        settings->mqueue_max_bytes     = 0;
        settings->await_rel_timeout_ms = 0;
        settings->connect_timeout_ms   = 3600000; /* a starved shard is late */
        settings->overload_lag_ms      = 0;       /* its clock leaps, which is no overload */
        settings->overlapping_copies   = false;
        settings->upgrade_qos          = false;
        settings->session_expiry_s     = sim->mix.v3_expiry_s;
        settings->max_session_expiry_s = FOREVER_S;
        settings->max_inflight         = 1 + random_below(&sim->random, 32);
        settings->max_awaiting_rel     = 0;
        settings->mqueue_store_qos0    = sim_chance(sim, 50);
        settings->output_high_bytes    = ONE_OF(sim, 1048576, 1048576, 256, 32);
        settings->shared_strategy      = (enum shared_strategy)random_below(&sim->random, 6);
        settings->store_linger_ms      = random_below(&sim->random, 4);
        settings->store_interval_ms    = ONE_OF(sim, 1, 20, 300);
        settings->mqueue_max_memory    = ONE_OF(sim, 0, 0, 1, 300, 2000);
        if (sim_chance(sim, 20))
                snprintf(settings->mqueue_priorities, sizeof settings->mqueue_priorities,
                         "b/x=7,a/y=3");
        if (sim_chance(sim, 15))
                settings->mqueue_max_length =
                        DROP_LENGTH_MIN + random_below(&sim->random, DROP_LENGTH_MAX);
}

void mix_draw(struct sim *sim)
{
        struct mix *mix = &sim->mix;

        mix->durability = (enum durability)ONE_OF(sim, DURABILITY_STRICT, DURABILITY_STRICT,
                                                  DURABILITY_STRICT, DURABILITY_STRICT,
                                                  DURABILITY_RELAXED, DURABILITY_MEMORY);
        mix->restarts   = mix->durability != DURABILITY_MEMORY ? 12 : 2;
        mix->shards     = 1 + random_below(&sim->random, 4);
        mix->clients    = CLIENTS_MIN + random_below(&sim->random, CLIENTS_MAX - CLIENTS_MIN + 1);
        mix->v5_percent = ONE_OF(sim, 0, 50, 50, 100);
        mix->durable_percent    = ONE_OF(sim, 30, 70, 100);
        mix->short_percent      = ONE_OF(sim, 0, 20, 50);
        mix->will_percent       = ONE_OF(sim, 0, 30, 70);
        mix->keep_alive_percent = ONE_OF(sim, 0, 20, 50);
        mix->retain_percent     = ONE_OF(sim, 0, 10, 30);
        mix->expiring_percent   = ONE_OF(sim, 0, 10, 30);
        mix->starve_percent     = ONE_OF(sim, 0, 1, 5);
        mix->tick_percent       = ONE_OF(sim, 0, 5, 20);
        mix->tick_ms            = ONE_OF(sim, 10, 50, 500);
        mix->half_percent       = ONE_OF(sim, 0, 10, 40);
        mix->ids                = ONE_OF(sim, 65535, 40);
        mix->v3_expiry_s        = ONE_OF(sim, FOREVER_S, FOREVER_S, 10);
        mix->receive_maximum    = ONE_OF(sim, 0, 0, 1, 3, 20);
        for (unsigned act = 0; act < act_count(); act++)
                mix->weights[act] = act_weight(act) * ONE_OF(sim, 0, 1, 1, 1, 1, 3) * 10;
        mix->weights[0] += 10; /* whatever happens, somebody publishes */
        draw_settings(sim);
        draw_guards(sim);
        sim->steps = 400 + random_below(&sim->random, 2001);
}
