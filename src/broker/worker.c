#include "broker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "broker/door.h"
#include "client/client.h"

enum { DRAIN_MS = 3000, DRAIN_LOOK_MS = 20 };

/* One thread and what runs on it. */
struct worker {
        struct shard           shard;
        struct workers        *workers;
        struct client_manager *clients;
        struct timer           drained;         /* looks whether the clients are gone */
        uint64_t               drain_until_ms;
        _Atomic bool           idle;            /* no clients, and all is safe */
        _Atomic bool           beating;         /* a pulse is on its way through the shard */
        pthread_t              thread;
        bool                   running;
};

struct workers {
        struct broker *broker;
        worker_begin  *begin;
        void          *context;
        struct doors  *doors;                   /* of workers_stop() */
        struct worker *worker[];                /* [broker->shard_count] */
};

/* ---- from nothing to a thread ---------------------------------------------------------------- */

static bool open_worker(struct workers *workers, unsigned id, const struct settings *settings)
{
        struct broker     *broker = workers->broker;
        struct worker     *worker = mem_zalloc(sizeof *worker);
        struct loop_config config = { .id    = id,
                                      .count = broker->shard_count,
                                      .peers = broker->loops };
        uint64_t           seed;

        if (worker == NULL)
                return false;
        random_secret(&seed, sizeof seed);
        config.poll = poll_epoll_new();
        if (config.poll == NULL ||
            !shard_init(&worker->shard, broker, &config, settings, seed)) {
                LOG(ERROR, "shard.failed", F_TEXT("reason", strerror(errno)));
                poll_free(config.poll);
                mem_free(worker);
                return false;
        }
        worker->workers     = workers;
        workers->worker[id] = worker;
        worker->clients     = client_manager_new(&worker->shard);
        return worker->clients != NULL;
}

struct workers *workers_new(struct broker *broker)
{
        struct workers *workers = mem_zalloc(sizeof *workers +
                                             broker->shard_count * sizeof workers->worker[0]);

        if (workers != NULL)
                workers->broker = broker;
        return workers;
}

bool workers_open(struct workers *workers, const struct settings *settings)
{
        struct broker *broker = workers->broker;

        for (unsigned i = 0; i < broker->shard_count; i++)
                if (!open_worker(workers, i, settings))
                        return false;
        for (unsigned i = 0; i < broker->shard_count; i++)
                broker->clients[i] = workers->worker[i]->clients;
        return true;
}

static void *run(void *context)
{
        struct worker *worker = context;

        role_claim(&worker->shard.loop);
        worker->workers->begin(worker->workers->context, &worker->shard);
        role_leave();
        loop_run(&worker->shard.loop);
        return NULL;
}

bool workers_start(struct workers *workers, worker_begin *begin, void *context)
{
        workers->begin   = begin;
        workers->context = context;
        for (unsigned i = 0; i < workers->broker->shard_count; i++) {
                struct worker *worker = workers->worker[i];
                int            failed = pthread_create(&worker->thread, NULL, run, worker);

                worker->running = failed == 0;
                if (failed != 0) {
                        LOG(ERROR, "thread.failed", F_TEXT("reason", strerror(failed)));
                        return false;
                }
        }
        return true;
}

/* ---- running --------------------------------------------------------------------------------- */

static void pulse_deliver(struct loop *loop, struct mail *mail)
{
        struct worker *worker = list_entry(loop, struct worker, shard.loop);

        (void)mail;
        atomic_store_explicit(&worker->beating, false, memory_order_relaxed);
}

static const struct mail_ops pulse_ops = { "pulse", pulse_deliver, NULL };

bool workers_beat(struct workers *workers)
{
        bool all = true;

        for (unsigned i = 0; i < workers->broker->shard_count; i++) {
                struct worker *worker = workers->worker[i];
                struct parcel *parcel = NULL;

                if (atomic_load_explicit(&worker->beating, memory_order_relaxed)) {
                        all = false;
                } else if (parcel_append(&parcel, &pulse_ops, sizeof(struct mail),
                                         MAIL_FROM_OUTSIDE)) {
                        atomic_store_explicit(&worker->beating, true, memory_order_relaxed);
                        loop_post(&worker->shard.loop, parcel);
                }
        }
        return all;
}

/* ---- and back -------------------------------------------------------------------------------- */

/* Only together: what one still does may be mail for another, to be kept there. */
static bool all_idle(const struct workers *workers)
{
        for (unsigned i = 0; i < workers->broker->shard_count; i++)
                if (!atomic_load_explicit(&workers->worker[i]->idle, memory_order_acquire))
                        return false;
        return true;
}

static void on_drained(struct loop *loop, struct timer *timer)
{
        struct worker *worker = list_entry(timer, struct worker, drained);

        on_shard(loop);
        bool idle = client_count(worker->clients) == 0 && journal_idle(&worker->shard.journal);

        atomic_store_explicit(&worker->idle, idle, memory_order_release);
        if (all_idle(worker->workers) || loop->now.mono_ms >= worker->drain_until_ms)
                loop_stop(loop);
        else
                loop_timer(loop, timer, DRAIN_LOOK_MS);
}

static void drain_deliver(struct loop *loop, struct mail *mail)
{
        struct worker *worker = list_entry(loop, struct worker, shard.loop);

        (void)mail;
        on_shard(loop);
        doors_close(worker->workers->doors, &worker->shard);
        client_drain(worker->clients, REASON_SERVER_SHUTTING_DOWN, DRAIN_MS);
        worker->drain_until_ms = loop->now.mono_ms + DRAIN_MS;
        worker->drained.fire   = on_drained;
        loop_timer(loop, &worker->drained, 0);
}

static const struct mail_ops drain_ops = { "drain", drain_deliver, NULL };

void workers_stop(struct workers *workers, struct doors *doors)
{
        workers->doors = doors;
        for (unsigned i = 0; i < workers->broker->shard_count; i++) {
                struct worker *worker = workers->worker[i];
                struct parcel *parcel = NULL;

                if (!worker->running)
                        continue;
                if (parcel_append(&parcel, &drain_ops, sizeof(struct mail), MAIL_FROM_OUTSIDE))
                        loop_post(&worker->shard.loop, parcel);
                else
                        loop_stop(&worker->shard.loop);
        }
        for (unsigned i = 0; i < workers->broker->shard_count; i++)
                if (workers->worker[i]->running)
                        pthread_join(workers->worker[i]->thread, NULL);
}

/* No thread runs any more: this one takes the roles in turn. */
void workers_close(struct workers *workers)
{
        unsigned count = workers->broker->shard_count;

        for (unsigned i = 0; i < count; i++) {
                if (workers->worker[i] == NULL)
                        continue;
                role_claim(&workers->worker[i]->shard.loop);
                journal_close(&workers->worker[i]->shard);
                role_leave();
        }
        for (unsigned i = 0; i < count; i++) {
                struct worker *worker = workers->worker[i];

                if (worker == NULL)
                        continue;
                client_manager_free(worker->clients);
                worker->clients = NULL;
        }
        for (unsigned i = 0; i < count; i++)
                if (workers->worker[i] != NULL)
                        shard_deinit(&workers->worker[i]->shard);
}

void workers_free(struct workers *workers)
{
        for (unsigned i = 0; workers != NULL && i < workers->broker->shard_count; i++)
                mem_free(workers->worker[i]);
        mem_free(workers);
}
