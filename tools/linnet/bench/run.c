#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "base/random.h"
#include "names.h"
#include "progress.h"
#include "stamp.h"
#include "worker.h"

enum { LOOK_MS = 5, LOOKS_RSS = 20, DESCRIPTORS_SPARE = 64 };

static volatile sig_atomic_t stopped;

/* A second one ends the process. */
static void on_signal(int number)
{
        stopped = 1;
        signal(number, SIG_DFL);
}

void run_client_id(const struct run *run, enum role role, uint32_t number, char *to)
{
        snprintf(to, CLIENT_ID_SIZE, "%s-%c%u", run->prefix, role == ROLE_PUBLISHER ? 'p' : 's',
                 number);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static bool make_descriptors(uint64_t wanted)
{
        struct rlimit limit;

        wanted += DESCRIPTORS_SPARE;
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
                return true;
        if (limit.rlim_max < wanted)
                limit.rlim_max = wanted;        /* which the superuser may */
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
                return true;
        getrlimit(RLIMIT_NOFILE, &limit);
        fprintf(stderr,
                "Error: %llu descriptors are needed and %llu are allowed: ulimit -n %llu as root, "
                "LimitNOFILE= in the unit, or fewer connections (-c).\n",
                (unsigned long long)wanted, (unsigned long long)limit.rlim_max,
                (unsigned long long)wanted);
        return false;
}

bool run_open(struct run *run, const struct bench_options *options)
{
        uint32_t secret;

        random_secret(&secret, sizeof(secret));
        *run = (struct run){
                .options      = options,
                .id           = (uint8_t)secret,
                .publishers   = options->publishers,
                .subscribers  = options->subscribers,
                .worker_count = options->threads,
                .mutex        = PTHREAD_MUTEX_INITIALIZER,
        };
        stamp_now();
        if (options->prefix != NULL)
                snprintf(run->prefix, sizeof(run->prefix), "%s", options->prefix);
        else
                snprintf(run->prefix, sizeof(run->prefix), "bench-%06x", secret >> 8);
        if (!dial_init(&run->dial, options) ||
            !make_descriptors((uint64_t)run->publishers + run->subscribers + 2 * options->threads))
                return false;
        run->workers = mem_zalloc(run->worker_count * sizeof(*run->workers));
        if (run->workers == NULL) {
                fputs("Error: there is no memory.\n", stderr);
                return false;
        }
        for (unsigned i = 0; i < run->worker_count; i++) {
                if (!worker_prepare(&run->workers[i], run, i))
                        return false;
        }
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        for (unsigned i = 0; i < run->worker_count; i++) {
                if (!worker_start(&run->workers[i]))
                        return false;
        }
        return true;
}

static void begin(struct run *run, enum stage_kind kind)
{
        uint64_t now_us = stamp_now();

        pthread_mutex_lock(&run->mutex);
        run->stage.number++;
        run->stage.kind       = kind;
        run->stage.start_us   = now_us;
        run->stage.measure_us = now_us;
        if (kind == STAGE_PUBLISH)
                run->stage.measure_us += (uint64_t)(run->options->warmup_s * 1e6);
        else if (kind == STAGE_IDLE && run->measure_us > 0)
                run->stage.measure_us = run->measure_us;
        if (kind == STAGE_PUBLISH)
                run->measure_us = run->stage.measure_us;
        atomic_store(&run->stage_number, run->stage.number);
        pthread_mutex_unlock(&run->mutex);
        for (unsigned i = 0; i < run->worker_count; i++)
                worker_wake(&run->workers[i]);
}

void run_stop(struct run *run)
{
        if (run->workers == NULL)
                return;
        begin(run, STAGE_STOP);
        for (unsigned i = 0; i < run->worker_count; i++)
                worker_join(&run->workers[i]);
}

void run_close(struct run *run)
{
        run_stop(run);
        for (unsigned i = 0; run->workers != NULL && i < run->worker_count; i++)
                worker_deinit(&run->workers[i]);
        mem_free(TAKE(run->workers));
}

/* ---- counting -------------------------------------------------------------------------------- */

static void add_latest(uint64_t *to, const _Atomic uint64_t *from)
{
        uint64_t value = tally_read(from);

        if (value > *to)
                *to = value;
}

static void add_first(uint64_t *to, const _Atomic uint64_t *from)
{
        uint64_t value = tally_read(from);

        if (value > 0 && (*to == 0 || value < *to))
                *to = value;
}

struct run_totals run_totals(const struct run *run)
{
        struct run_totals sum = { 0 };

        for (unsigned i = 0; i < run->worker_count; i++) {
                const struct tally *tally = &run->workers[i].tally;

                sum.ready += tally_read(&tally->ready);
                sum.failed += tally_read(&tally->failed);
                sum.dropped += tally_read(&tally->dropped);
                sum.published += tally_read(&tally->published);
                sum.acked += tally_read(&tally->acked);
                sum.delivered += tally_read(&tally->delivered);
                sum.duplicates += tally_read(&tally->duplicates);
                sum.reordered += tally_read(&tally->reordered);
                sum.foreign += tally_read(&tally->foreign);
                sum.expected += tally_read(&tally->expected);
                sum.refused += tally_read(&tally->refused);
                sum.skipped += tally_read(&tally->skipped);
                sum.measured_published += tally_read(&tally->measured_published);
                sum.measured_delivered += tally_read(&tally->measured_delivered);
                add_first(&sum.first_delivery_us, &tally->first_delivery_us);
                add_latest(&sum.last_publish_us, &tally->last_publish_us);
                add_latest(&sum.last_delivery_us, &tally->last_delivery_us);
                add_latest(&sum.last_ack_us, &tally->last_ack_us);
                add_latest(&sum.last_ready_us, &tally->last_ready_us);
        }
        return sum;
}

uint64_t run_lost(const struct run *run, const struct run_totals *totals)
{
        uint64_t got = totals->delivered - totals->duplicates;

        if (run->options->mode == BENCH_SUB)
                return totals->skipped;
        return totals->expected > got ? totals->expected - got : 0;
}

/* ---- stages ---------------------------------------------------------------------------------- */

/* A stage, as the thread that leads the run waits for its end. */
struct wait {
        struct run       *run;
        struct run_totals totals;
        uint64_t          until_us;     /* 0: no end */
        uint64_t          moved, moved_us;      /* what was last counted, and since when */
        unsigned          looks;
        bool              measuring;
        struct progress   progress;
};

static struct wait wait_of(struct run *run, uint64_t until_us)
{
        return (struct wait){ .run = run, .until_us = until_us, .moved_us = stamp_now(),
                              .progress = progress_begin(run) };
}

static void look_at_memory(struct run *run)
{
        uint64_t kb = run->options->pid > 0 ? cost_rss_kb((pid_t)run->options->pid) : 0;

        if (kb > run->rss_peak_kb)
                run->rss_peak_kb = kb;
}

/* The warm-up is over: what the broker has cost until now is not measured. */
static void look_at_cost(struct wait *w)
{
        struct run *run = w->run;

        if (w->measuring || stamp_now() < run->measure_us)
                return;
        w->measuring = true;
        if (run->options->pid > 0)
                cost_read((pid_t)run->options->pid, &run->measured);
}

/* Sleeps a little and counts; for how long nothing has moved. */
static uint64_t look(struct wait *w)
{
        uint64_t now_us, moved;

        poll(NULL, 0, LOOK_MS);
        now_us    = stamp_now();
        w->totals = run_totals(w->run);
        moved     = w->totals.ready + w->totals.failed + w->totals.dropped + w->totals.delivered +
                w->totals.foreign + w->totals.acked + w->totals.refused;
        if (moved != w->moved)
                w->moved_us = now_us;
        w->moved = moved;
        if (++w->looks % LOOKS_RSS == 0)
                look_at_memory(w->run);
        progress_show(&w->progress, &w->totals, now_us);
        return now_us - w->moved_us;
}

static uint64_t timeout_us(const struct run *run)
{
        return (uint64_t)(run->options->timeout_s * 1e6);
}

enum run_end run_connect(struct run *run, struct run_totals *totals)
{
        struct wait  w   = wait_of(run, 0);
        uint64_t     all = (uint64_t)run->publishers + run->subscribers;
        enum run_end end = RUN_DONE;

        begin(run, STAGE_CONNECT);
        while (end == RUN_DONE && w.totals.ready + w.totals.failed < all) {
                if (look(&w) > timeout_us(run))
                        end = RUN_STALLED;
                if (stopped)
                        end = RUN_STOPPED;
        }
        begin(run, STAGE_IDLE);
        *totals = w.totals;
        return w.totals.ready == 0 && end == RUN_DONE ? RUN_DESERTED : end;
}

/* All that was published is acknowledged and delivered. */
static bool settled(const struct run *run, const struct run_totals *t)
{
        return run_lost(run, t) == 0 &&
               (run->options->qos == 0 || t->acked + t->refused >= t->published);
}

static bool deserted(const struct run *run, const struct run_totals *t)
{
        return t->ready <= t->dropped ||
               (run->subscribers > 0 && atomic_load(&run->listening) == 0);
}

/* Until all is there that is still under way, or nothing more comes. */
static enum run_end settle(struct run *run, struct wait *w)
{
        bool     brief       = run->options->qos == 0 || stopped;
        uint64_t patience_us = brief ? (uint64_t)(run->options->lost_timeout_s * 1e6)
                                     : timeout_us(run);

        begin(run, STAGE_IDLE);
        w->moved_us = stamp_now();
        while (!settled(run, &w->totals)) {
                uint64_t quiet_us = look(w);

                if (deserted(run, &w->totals))
                        return RUN_DESERTED;
                if (quiet_us > patience_us)
                        return brief ? RUN_DONE : RUN_STALLED;
        }
        return RUN_DONE;
}

static bool over(const struct wait *w, uint64_t messages)
{
        uint64_t wanted = w->run->options->messages;

        return (w->until_us > 0 && stamp_now() >= w->until_us) ||
               (wanted > 0 && messages >= wanted);
}

enum run_end run_publish(struct run *run, struct run_totals *totals)
{
        const struct bench_options *o = run->options;
        uint64_t     length_us        = (uint64_t)((o->warmup_s + o->duration_s) * 1e6);
        struct wait  w    = wait_of(run, o->duration_s > 0 ? stamp_now() + length_us : 0);
        enum run_end end  = RUN_DONE, last;

        look_at_cost(&w);       /* at once, where there is no warm-up */
        w.measuring = o->warmup_s == 0;
        begin(run, STAGE_PUBLISH);
        while (end == RUN_DONE && !over(&w, w.totals.published)) {
                uint64_t quiet_us = look(&w);

                look_at_cost(&w);
                /* Messages may be due less often than --timeout: what is under way can stall. */
                if (quiet_us > timeout_us(run) && !settled(run, &w.totals))
                        end = RUN_STALLED;
                if (deserted(run, &w.totals))
                        end = RUN_DESERTED;
                if (stopped)
                        end = RUN_STOPPED;
        }
        last = end == RUN_DONE || end == RUN_STOPPED ? settle(run, &w) : end;
        begin(run, STAGE_IDLE);
        *totals = run_totals(run);
        return end == RUN_DONE ? last : end;
}

enum run_end run_hold(struct run *run, struct run_totals *totals)
{
        uint64_t     length_us = (uint64_t)(run->options->duration_s * 1e6);
        struct wait  w   = wait_of(run, length_us > 0 ? stamp_now() + length_us : 0);
        enum run_end end = RUN_DONE;

        while (end == RUN_DONE && !over(&w, w.totals.delivered + w.totals.foreign)) {
                look(&w);
                if (w.totals.ready <= w.totals.dropped)
                        end = RUN_DESERTED;
                if (stopped)
                        end = RUN_STOPPED;
        }
        *totals = w.totals;
        return end;
}
