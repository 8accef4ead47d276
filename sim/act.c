/* What a seed does: it begins, acts at random, and comes to an end at which all is known. */
#include <stdio.h>

#include "base/memory.h"
#include "sim.h"

enum { TURNS_MAX = 6, WAIT_MS_MAX = 3000, SLEEP_STEPS_MAX = 300, COME_BACK_MS = 40 };

static bool act_publish(struct sim *sim, struct sim_client *client)
{
        return client_publish(sim, client, false);
}

static bool act_subscribe(struct sim *sim, struct sim_client *client)
{
        return client_subscribe(sim, client, random_below(&sim->random, FILTERS), false);
}

static bool act_unsubscribe(struct sim *sim, struct sim_client *client)
{
        return client_subscribe(sim, client, random_below(&sim->random, FILTERS), true);
}

static bool act_read(struct sim *sim, struct sim_client *client)
{
        unsigned moved = 0;

        return client_read(sim, client, &moved);
}

static bool act_answer(struct sim *sim, struct sim_client *client)
{
        return act_read(sim, client) &&
               (client->end == NULL || client_flush(sim, client, random_below(&sim->random, 40)));
}

static bool act_connect(struct sim *sim, struct sim_client *client)
{
        bool must_be_clean = !client->durable && client->version != MQTT_5;

        return client_connect(sim, client, must_be_clean || sim_chance(sim, 5));
}

static bool act_disconnect(struct sim *sim, struct sim_client *client)
{
        bool with_will = client->version == MQTT_5 && sim_chance(sim, 20);

        return client_disconnect(sim, client,
                                 with_will ? REASON_DISCONNECT_WITH_WILL : REASON_SUCCESS, false);
}

static bool act_cut(struct sim *sim, struct sim_client *client)
{
        bool half = sim_chance(sim, 50);
        bool fine = !half || client_publish(sim, client, true);

        client_cut(sim, client);
        return fine;
}

static bool act_ping(struct sim *sim, struct sim_client *client)
{
        return client_ping(sim, client);
}

static bool act_sleep(struct sim *sim, struct sim_client *client)
{
        client->asleep = sim->step + random_below(&sim->random, SLEEP_STEPS_MAX);
        return true;
}

/* All at once, or the shards turning meanwhile. */
static bool act_wait(struct sim *sim, struct sim_client *client)
{
        unsigned ms    = 1 + random_below(&sim->random, WAIT_MS_MAX);
        unsigned parts = sim_chance(sim, 50) ? 1 : 1 + random_below(&sim->random, 20);

        (void)client;
        for (unsigned i = 0; i < parts; i++)
                if (!sim_tick(sim, ms / parts + 1) ||
                    !sim_turns(sim, random_below(&sim->random, TURNS_MAX)))
                        return false;
        return true;
}

static bool act_settle(struct sim *sim, struct sim_client *client)
{
        (void)client;
        return sim_settle(sim);
}

static bool act_look(struct sim *sim, struct sim_client *client)
{
        (void)client;
        return check_retained(sim);
}

/* Who is not connected can only do the last ones. */
static const struct act {
        const char *name;
        unsigned    weight; /* the usual one */
        bool        connected;
        bool (*run)(struct sim *sim, struct sim_client *client);
} acts[] = {
        {"publish",      400, true,  act_publish    },
        { "subscribe",   120, true,  act_subscribe  },
        { "unsubscribe", 20,  true,  act_unsubscribe},
        { "read",        210, true,  act_read       },
        { "answer",      150, true,  act_answer     },
        { "take over",   30,  true,  act_connect    },
        { "disconnect",  20,  true,  act_disconnect },
        { "cut",         30,  true,  act_cut        },
        { "ping",        20,  true,  act_ping       },
        { "sleep",       10,  true,  act_sleep      },
        { "wait",        20,  false, act_wait       },
        { "settle",      60,  false, act_settle     },
        { "look",        5,   false, act_look       },
        { "restart",     3,   false, act_restart    },
        { "fault",       6,   false, act_fault      },
        { "reform",      12,  false, act_reform     },
};

unsigned act_count(void)
{
        return sizeof acts / sizeof acts[0];
}

unsigned act_weight(unsigned act)
{
        return acts[act].weight;
}

static const struct act *draw_act(struct sim *sim)
{
        unsigned all = 0, at = 0;

        for (unsigned i = 0; i < act_count(); i++)
                all += sim->mix.weights[i];
        all = random_below(&sim->random, all);
        while (all >= sim->mix.weights[at])
                all -= sim->mix.weights[at++];
        return &acts[at];
}

static bool act_once(struct sim *sim)
{
        struct sim_client *client = &sim->clients[random_below(&sim->random, sim->mix.clients)];
        const struct act  *act    = draw_act(sim);

        sim->act = act->name;
        if (!act->connected)
                return act->run(sim, client);
        if (client->asleep > sim->step)
                return true;
        if (client->end == NULL) {
                if (sim_chance(sim, 10))
                        return client_half_connect(sim, client);
                return sim_chance(sim, 50) || act_connect(sim, client);
        }
        if (client->connacked)
                return act->run(sim, client);
        return act_read(sim, client);
}

bool sim_act(struct sim *sim)
{
        return act_once(sim) && sim_turns(sim, random_below(&sim->random, TURNS_MAX));
}

bool sim_start(struct sim *sim)
{
        unsigned count = sim->mix.clients + 2;

        sim->clients     = mem_zalloc(count * sizeof *sim->clients);
        sim->connections = mem_zalloc(CONNECTIONS_MAX * sizeof *sim->connections);
        if (sim->clients == NULL || sim->connections == NULL)
                return sim_fail(sim, "no memory");
        for (unsigned i = 0; i < count; i++) {
                struct sim_client *client = &sim->clients[i];

                client->index   = i;
                client->version = sim_chance(sim, sim->mix.v5_percent) ? MQTT_5 : MQTT_3_1_1;
                client->durable = sim_chance(sim, sim->mix.durable_percent);
                snprintf(client->name, sizeof client->name, "c%u", i);
        }
        sim->watcher          = &sim->clients[count - 2];
        sim->watcher->role    = ROLE_WATCHER;
        sim->watcher->durable = true;
        sim->reader           = &sim->clients[count - 1];
        sim->reader->role     = ROLE_READER;
        sim->reader->durable  = false;
        sim->act = "start";
        if (sim->watcher->version != MQTT_5 && sim->mix.v3_expiry_s != FOREVER_S)
                sim->watcher->version = MQTT_5; /* its session must last */
        return begin_world(sim, 1000);
}

void sim_stop(struct sim *sim)
{
        for (unsigned i = 0; sim->clients != NULL && i < sim->mix.clients + 2; i++)
                wire_reset(&sim->clients[i]);
        for (unsigned i = 0; sim->clients != NULL && i < sim->mix.clients + 2; i++)
                if (sim->clients[i].old != NULL)
                        sim->clients[i].old->ops->free(sim->clients[i].old);
        if (sim->world != NULL && sim->why[0] != '\0')
                world_crash(sim->world);        /* some may wait for an answer, or for their rate */
        else if (sim->world != NULL)
                world_free(sim->world);
        vault_free(sim->vault);
        mem_free(sim->clients);
        mem_free(sim->connections);
}

/* Everybody comes back and takes what there is for it. */
static bool drain(struct sim *sim)
{
        unsigned moved = 1;

        while (moved > 0) {
                moved = 0;
                for (unsigned i = 0; i < sim->mix.clients; i++) {
                        struct sim_client *client = &sim->clients[i];

                        if (client->end == NULL) {
                                moved++;
                                if (!sim_tick(sim, COME_BACK_MS) || !act_connect(sim, client))
                                        return false;
                        }
                }
                if (!sim_settle(sim))
                        return false;
                for (unsigned i = 0; i < sim->mix.clients; i++) {
                        struct sim_client *client = &sim->clients[i];

                        if (!client_read(sim, client, &moved))
                                return false;
                        moved += client->ack_count;
                        moved += client->end == NULL;   /* hung up on: back in the next round */
                        if (client->end != NULL && !client_flush(sim, client, ACKS_MAX))
                                return false;
                }
        }
        return true;
}

/* Everybody goes for good; who cannot say that its session is to end begins another one first. */
static bool leave(struct sim *sim, struct sim_client *client)
{
        bool again = client->version != MQTT_5 && client->durable;

        if (!wire_arrive(sim, client))
                return false;
        while (again || client->end == NULL || client->closed) {
                if (!sim_tick(sim, COME_BACK_MS) || !client_connect(sim, client, true) ||
                    !sim_settle(sim))
                        return false;
                again = again && client->end == NULL;
        }
        return client_disconnect(sim, client, REASON_SUCCESS, true);
}

/* With nothing retained, what is still stored has been forgotten there. */
static bool clear_retained(struct sim *sim)
{
        unsigned moved = 0;

        if (!client_connect(sim, sim->reader, true) || !sim_settle(sim))
                return false;
        for (unsigned t = 0; t < TOPICS; t++)
                if (!client_clear(sim, sim->reader, t))
                        return false;
        return sim_settle(sim) && client_read(sim, sim->reader, &moved) &&
               client_disconnect(sim, sim->reader, REASON_SUCCESS, true) && sim_settle(sim);
}

bool sim_finish(struct sim *sim)
{
        sim->act                             = "finish";
        sim->world->listener.max_connections = 0;
        if (!law_end(sim) || !drain(sim) || !check_messages(sim) || !check_retained(sim))
                return false;
        for (unsigned i = 0; i <= sim->mix.clients; i++) /* the watcher is the last */
                if (!leave(sim, &sim->clients[i]) || !sim_settle(sim))
                        return false;
        return check_missing(sim) && clear_retained(sim) && check_gauges(sim) &&
               check_vault(sim, true);
}
