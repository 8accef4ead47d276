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
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        for (unsigned i = 0; i < run->worker_count; i++) {
                if (!worker_start(&run->workers[i]))
                        return false;
        }
        return true;
}

static void begin(struct run *run, struct stage stage)
{
        stage.start_us = stamp_now();
        pthread_mutex_lock(&run->mutex);
        stage.number = run->stage.number + 1;
        if (stage.kind == STAGE_PUBLISH && !stage.clearing)
                run->measure_us = stage.start_us + (uint64_t)(run->options->warmup_s * 1e6);
        stage.measure_us = run->measure_us;
        run->stage       = stage;
        atomic_store(&run->stage_number, run->stage.number);
        pthread_mutex_unlock(&run->mutex);
        for (unsigned i = 0; i < run->worker_count; i++)
                worker_wake(&run->workers[i]);
}

static void rest(struct run *run)
{
        begin(run, (struct stage){ .kind = STAGE_IDLE });
}

void run_stop(struct run *run)
{
        if (run->workers == NULL)
                return;
        begin(run, (struct stage){ .kind = STAGE_STOP });
        for (unsigned i = 0; i < run->worker_count; i++)
                worker_join(&run->workers[i]);
}

void run_close(struct run *run)
{
        run_stop(run);
        for (unsigned i = 0; run->workers != NULL && i < run->worker_count; i++)
                worker_deinit(&run->workers[i]);
        mem_free(TAKE(run->workers));
        dial_deinit(&run->dial);
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
                sum.live += tally_read(&tally->live);
                sum.cycles += tally_read(&tally->cycles);
                sum.pongs += tally_read(&tally->pongs);
                sum.cleared += tally_read(&tally->cleared);
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
        uint64_t got    = totals->delivered - totals->duplicates;
        uint64_t wanted = totals->expected + run->owed;

        if (run->options->mode == BENCH_SUB)
                return totals->skipped;
        return wanted > got ? wanted - got : 0;
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
        return (struct wait){
                .run = run, .totals = run_totals(run), .until_us = until_us,
                .moved_us = stamp_now(), .progress = progress_begin(run),
        };
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
                w->totals.foreign + w->totals.acked + w->totals.refused + w->totals.cycles +
                w->totals.pongs + w->totals.cleared;
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

void run_go_on(void)
{
        stopped = 0;
}

/* Once more around; false: it is over, as *end says. */
static bool go_on(struct wait *w, enum run_end *end)
{
        if (look(w) > timeout_us(w->run))
                *end = RUN_STALLED;
        if (stopped)
                *end = RUN_STOPPED;
        return *end == RUN_DONE;
}

static uint64_t links_of(const struct run *run, unsigned roles)
{
        return ((roles & ROLE_PUBLISHER) != 0 ? run->publishers : 0) +
               (uint64_t)((roles & ROLE_SUBSCRIBER) != 0 ? run->subscribers : 0);
}

enum run_end run_connect(struct run *run, const struct stage *stage, struct run_totals *totals)
{
        struct wait  w    = wait_of(run, 0);
        uint64_t     done = w.totals.ready + w.totals.failed + links_of(run, stage->roles);
        enum run_end end  = RUN_DONE;

        begin(run, *stage);
        while (w.totals.ready + w.totals.failed < done && go_on(&w, &end))
                continue;
        rest(run);
        *totals = w.totals;
        return w.totals.live == 0 && end == RUN_DONE ? RUN_DESERTED : end;
}

enum run_end run_leave(struct run *run, unsigned roles, struct run_totals *totals)
{
        struct wait  w    = wait_of(run, 0);
        uint64_t     left = links_of(run, (ROLE_PUBLISHER | ROLE_SUBSCRIBER) & ~roles);
        enum run_end end  = RUN_DONE;

        begin(run, (struct stage){ .kind = STAGE_CLOSE, .roles = roles });
        while (w.totals.live > left && go_on(&w, &end))
                continue;
        *totals = w.totals;
        return end;
}

enum run_end run_ping(struct run *run, struct run_totals *totals)
{
        struct wait  w    = wait_of(run, 0);
        uint64_t     done = w.totals.pongs + w.totals.live;
        enum run_end end  = RUN_DONE;

        begin(run, (struct stage){ .kind = STAGE_PING, .roles = ROLE_PUBLISHER | ROLE_SUBSCRIBER });
        while (w.totals.pongs < done && w.totals.live > 0 && go_on(&w, &end))
                continue;
        *totals = w.totals;
        return end;
}


static bool deserted(const struct run *run, const struct run_totals *t)
{
        return t->live == 0 || (run_is_live(run) && atomic_load(&run->listening) == 0);
}

static bool acknowledged(const struct run *run, const struct run_totals *t)
{
        return run->options->qos == 0 || t->acked + t->refused >= t->published + t->cleared;
}

/* All that was published is delivered, too. */
static bool settled(const struct run *run, const struct run_totals *t)
{
        return run_lost(run, t) == 0 && acknowledged(run, t);
}

/* Until all is there that is still under way, or nothing more comes: a broker that has answered
 * for all of it does not stall, it has lost what is missing. */
static enum run_end settle(struct run *run, struct wait *w)
{
        uint64_t lost_us = (uint64_t)(run->options->lost_timeout_s * 1e6);

        w->moved_us = stamp_now();
        while (!settled(run, &w->totals)) {
                uint64_t quiet_us = look(w);

                if (deserted(run, &w->totals))
                        return RUN_DESERTED;
                if (quiet_us > lost_us && (stopped || acknowledged(run, &w->totals)))
                        return RUN_DONE;
                if (quiet_us > timeout_us(run))
                        return RUN_STALLED;
        }
        return RUN_DONE;
}

static bool over(const struct wait *w, uint64_t messages)
{
        uint64_t wanted = w->run->options->messages;

        return (w->until_us > 0 && stamp_now() >= w->until_us) ||
               (wanted > 0 && messages >= wanted);
}

static uint64_t end_of(uint64_t after_us)
{
        return after_us > 0 ? stamp_now() + after_us : 0;
}

enum run_end run_publish(struct run *run, struct run_totals *totals)
{
        const struct bench_options *o = run->options;
        double       length_s = o->duration_s > 0 ? o->warmup_s + o->duration_s : 0;
        struct wait  w    = wait_of(run, end_of((uint64_t)(length_s * 1e6)));
        enum run_end end  = RUN_DONE, last;

        look_at_cost(&w);       /* at once, where there is no warm-up */
        w.measuring = o->warmup_s == 0;
        begin(run, (struct stage){ .kind = STAGE_PUBLISH, .roles = ROLE_PUBLISHER });
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
        rest(run);
        last    = end == RUN_DONE || end == RUN_STOPPED ? settle(run, &w) : end;
        *totals = run_totals(run);
        return end == RUN_DONE ? last : end;
}

enum run_end run_receive(struct run *run, const struct stage *stage, struct run_totals *totals)
{
        struct wait  w = wait_of(run, 0);
        enum run_end end;

        run->owed       = (w.totals.published - w.totals.refused) * run->subscribers;
        run->receive_us = stamp_now();
        begin(run, *stage);
        end     = settle(run, &w);
        *totals = w.totals;
        return stopped ? RUN_STOPPED : end;
}

enum run_end run_clear(struct run *run, struct run_totals *totals)
{
        struct wait  w   = wait_of(run, 0);
        enum run_end end = RUN_DONE;

        begin(run, (struct stage){
                           .kind = STAGE_PUBLISH, .roles = ROLE_PUBLISHER, .clearing = true });
        while ((w.totals.cleared < run->options->messages || !acknowledged(run, &w.totals)) &&
               go_on(&w, &end))
                continue;
        rest(run);
        *totals = w.totals;
        return end;
}

enum run_end run_hold(struct run *run, struct run_totals *totals)
{
        struct wait  w   = wait_of(run, end_of((uint64_t)(run->options->duration_s * 1e6)));
        enum run_end end = RUN_DONE;

        while (end == RUN_DONE && !over(&w, w.totals.delivered + w.totals.foreign)) {
                look(&w);
                if (w.totals.live == 0)
                        end = RUN_DESERTED;
                if (stopped)
                        end = RUN_STOPPED;
        }
        *totals = w.totals;
        return end;
}

enum run_end run_churn(struct run *run, struct run_totals *totals)
{
        struct wait  w   = wait_of(run, end_of((uint64_t)(run->options->duration_s * 1e6)));
        enum run_end end = RUN_DONE;

        begin(run, (struct stage){ .kind = STAGE_CHURN, .roles = ROLE_SUBSCRIBER });
        while (!over(&w, w.totals.cycles) && go_on(&w, &end)) {
                if (w.totals.failed + w.totals.dropped >= run->subscribers)
                        end = RUN_DESERTED;
        }
        *totals = w.totals;
        return end;
}
