/* sim --seed N --runs N: that many seeds from that one on. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "broker/config.h"
#include "sim.h"

enum { DRAIN_ROUNDS = 10000 };

bool sim_fail(struct sim *sim, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        if (sim->why[0] == '\0')
                vsnprintf(sim->why, sizeof sim->why, format, args);
        va_end(args);
        return false;
}

bool sim_run(struct sim *sim)
{
        return world_run(sim->world) || sim_fail(sim, "loops that never rest");
}

static void silent(void *context, enum log_level level, struct str line)
{
        (void)context;
        (void)level;
        (void)line;
}

static bool sim_begin(struct sim *sim, uint64_t seed)
{
        static struct config config;
        struct settings     *settings = &config.settings;

        random_init(&sim->random, seed);
        config_init(&config);
        settings->mqueue_max_length    = 0;
        settings->mqueue_max_bytes     = 0;
        settings->max_awaiting_rel     = 0;
        settings->await_rel_timeout_ms = 0;
        settings->overlapping_copies   = false;
        settings->session_expiry_s     = UINT32_MAX;
        settings->max_session_expiry_s = UINT32_MAX;
        settings->max_inflight         = 1 + random_below(&sim->random, 32);
        settings->mqueue_store_qos0    = random_below(&sim->random, 2) == 0;
        settings->shared_strategy = (enum shared_strategy)random_below(&sim->random, 6);
        sim->world   = world_new(1 + random_below(&sim->random, 4), settings);
        sim->count   = 8 + random_below(&sim->random, CLIENTS_MAX - 8 + 1);
        sim->clients = mem_zalloc(sim->count * sizeof *sim->clients);
        if (sim->world == NULL || sim->clients == NULL)
                return sim_fail(sim, "no memory");
        for (unsigned i = 0; i < sim->count; i++) {
                struct sim_client *client = &sim->clients[i];

                client->index   = i;
                client->version = random_below(&sim->random, 2) ? MQTT_5 : MQTT_3_1_1;
                client->durable = random_below(&sim->random, 3) != 0;
                snprintf(client->name, sizeof client->name, "c%u", i);
        }
        return true;
}

static bool sim_act(struct sim *sim, struct sim_client *client)
{
        unsigned dice = random_below(&sim->random, 100), packets = 0;
        bool     clean = !client->durable || random_below(&sim->random, 20) == 0;

        if (client->end == NULL)
                return dice > 50 || client_connect(sim, client, clean);
        if (dice < 40)
                return client_publish(sim, client, false);
        if (dice < 52)
                return client_subscribe(sim, client, false);
        if (dice < 54)
                return client_subscribe(sim, client, true);
        if (dice < 75)
                return client_read(sim, client, &packets);
        if (dice < 90)
                return client_read(sim, client, &packets) &&
                       client_flush(sim, client, random_below(&sim->random, 40));
        if (dice < 93)
                return client_connect(sim, client, clean); /* a takeover */
        if (dice < 95)
                return client_disconnect(sim, client);
        if (dice < 97) {
                bool fine = client_publish(sim, client, true);

                client_cut(client);
                return fine;
        }
        if (dice < 98)
                return world_advance(sim->world, random_below(&sim->random, 3000));
        client_cut(client);
        return true;
}

static bool sim_drain(struct sim *sim)
{
        unsigned moved = 1;

        for (unsigned i = 0; i < sim->count; i++) {
                struct sim_client *client = &sim->clients[i];

                if (!client_connect(sim, client, !client->durable))
                        return false;
        }
        for (unsigned round = 0; moved > 0; round++) {
                if (round == DRAIN_ROUNDS)
                        return sim_fail(sim, "it never ends");
                moved = 0;
                if (!sim_run(sim))
                        return false;
                for (unsigned i = 0; i < sim->count; i++) {
                        if (!client_read(sim, &sim->clients[i], &moved))
                                return false;
                        moved += sim->clients[i].ack_count;
                        if (!client_flush(sim, &sim->clients[i], ACKS_MAX))
                                return false;
                }
        }
        return true;
}

static bool sim_seed(uint64_t seed)
{
        struct sim *sim  = mem_zalloc(sizeof *sim);
        bool        fine = sim != NULL && sim_begin(sim, seed);
        unsigned    steps;

        if (sim == NULL)
                return false;
        steps = 500 + random_below(&sim->random, 1501);
        for (; fine && sim->step < steps; sim->step++) {
                fine = sim_act(sim, &sim->clients[random_below(&sim->random, sim->count)]);
                if (fine && random_below(&sim->random, 3) > 0)
                        fine = sim_run(sim);
                if (!fine)
                        break;
        }
        fine = fine && sim_drain(sim) && check_end(sim);
        if (!fine)
                printf("seed %llu, step %u of %u, %u shards: %s\n", (unsigned long long)seed,
                       sim->step, steps, sim->world ? sim->world->broker.shard_count : 0,
                       sim->why[0] != '\0' ? sim->why : "the world does not advance");
        for (unsigned i = 0; sim->clients != NULL && i < sim->count; i++)
                client_cut(&sim->clients[i]);
        if (sim->world != NULL)
                world_free(sim->world);
        mem_free(sim->clients);
        mem_free(sim);
        return fine;
}

int main(int argc, char **argv)
{
        unsigned long long seed = 1, runs = 30, failed = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        log_set_sink(silent, NULL);
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--seed") == 0)
                        seed = strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--runs") == 0)
                        runs = strtoull(argv[i + 1], NULL, 10);
        }
        for (unsigned long long i = 0; i < runs; i++)
                failed += !sim_seed(seed + i);
        printf("%llu passed, %llu failed\n", runs - failed, failed);
        return failed == 0 ? 0 : 1;
}
