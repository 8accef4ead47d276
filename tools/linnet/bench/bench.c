#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "help.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "stamp.h"
#include "worker.h"

struct bench {
        struct run    run;
        struct report report;
        bool          failed;           /* the exit code is 1 */
};

static void say(struct bench *bench, const char *what)
{
        fprintf(stderr, "linnet bench: %s\n", what);
        bench->failed = true;
}

static void note_end(struct bench *bench, enum run_end end)
{
        char text[160];

        switch (end) {
        case RUN_DONE:
                break;
        case RUN_STOPPED:
                fputs("linnet bench: stopped\n", stderr);
                break;
        case RUN_STALLED:
                snprintf(text, sizeof(text),
                         "the broker stalls: nothing has come for %g s (--timeout)",
                         bench->run.options->timeout_s);
                say(bench, text);
                break;
        case RUN_DESERTED:
                say(bench, "no connection is left that could go on");
                break;
        }
}

static void read_cost(const struct bench *bench, struct cost *out)
{
        if (bench->report.has_broker)
                cost_read((pid_t)bench->run.options->pid, out);
}

static double seconds_between(uint64_t from_us, uint64_t to_us)
{
        return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* Adds a phase that began with this cost of the broker. */
static void add_phase(struct bench *bench, struct phase phase, const struct cost *before)
{
        struct cost after = { 0 };

        read_cost(bench, &after);
        phase.cpu_us = after.cpu_us - before->cpu_us;
        if (bench->report.phase_count < PHASES_MAX)
                bench->report.phases[bench->report.phase_count++] = phase;
}

/* ---- modes ----------------------------------------------------------------------------------- */

static enum run_end connect_all(struct bench *bench)
{
        struct report     *r        = &bench->report;
        uint64_t           start_us = stamp_now();
        const struct stage stage    = {
                   .kind  = STAGE_CONNECT,
                   .roles = ROLE_PUBLISHER | ROLE_SUBSCRIBER,
        };
        enum run_end end = run_connect(&bench->run, &stage, &r->totals);

        r->connect_s = seconds_between(start_us, r->totals.last_ready_us);
        r->connected = r->totals.ready;
        r->refused   = r->totals.failed;
        read_cost(bench, &r->before);
        r->after = r->before;
        return end;
}

static enum run_end hold_connections(struct bench *bench)
{
        struct report *r        = &bench->report;
        uint64_t       start_us = stamp_now();
        struct cost    before   = r->before;
        enum run_end   end;

        add_phase(bench, (struct phase){ .name = "connect", .messages = r->totals.ready,
                                         .elapsed_s = r->connect_s }, &r->idle);
        if (!bench->run.options->quiet)
                fputs("linnet bench: connected\n", stderr);
        end = run_hold(&bench->run, &r->totals);
        add_phase(bench, (struct phase){ .name = "hold", .messages = r->totals.ready,
                                         .elapsed_s = seconds_between(start_us, stamp_now()) },
                  &before);
        return end;
}

static enum run_end publish_messages(struct bench *bench)
{
        return run_publish(&bench->run, &bench->report.totals);
}

static enum run_end listen_for_messages(struct bench *bench)
{
        if (!bench->run.options->quiet)
                fputs("linnet bench: subscribed\n", stderr);
        return run_hold(&bench->run, &bench->report.totals);
}

/* ---- what is stored, and taken up later ------------------------------------------------------ */

/* At QoS 0 nothing but an answer to what was sent behind it says that it has arrived. */
static enum run_end store_messages(struct bench *bench, const char *name)
{
        struct report *r        = &bench->report;
        uint64_t       start_us = stamp_now();
        uint64_t       end_us;
        enum run_end   end = run_publish(&bench->run, &r->totals);

        if (end == RUN_DONE && r->options->qos == 0)
                end = run_ping(&bench->run, &r->totals);
        end_us = r->options->qos == 0 ? stamp_now() : r->totals.last_ack_us;
        add_phase(bench, (struct phase){ .name = name, .messages = r->totals.published,
                                         .elapsed_s = seconds_between(start_us, end_us) },
                  &bench->run.measured);
        return end;
}

static enum run_end take_messages(struct bench *bench, const char *name, const struct stage *stage)
{
        struct report *r = &bench->report;
        struct cost    before;
        enum run_end   end;

        read_cost(bench, &before);
        end = run_receive(&bench->run, stage, &r->totals);
        add_phase(bench, (struct phase){ .name = name, .messages = r->totals.delivered,
                                         .elapsed_s = seconds_between(bench->run.receive_us,
                                                                      r->totals.last_delivery_us) },
                  &before);
        return end;
}

static enum run_end retain_messages(struct bench *bench)
{
        const struct stage subscribe = { .kind = STAGE_SUBSCRIBE, .roles = ROLE_SUBSCRIBER };
        enum run_end       end       = store_messages(bench, "store");

        return end == RUN_DONE ? take_messages(bench, "replay", &subscribe) : end;
}

static void clear_messages(struct bench *bench)
{
        struct run_totals totals;

        if (run_leave(&bench->run, ROLE_SUBSCRIBER, &totals) == RUN_DONE)
                run_clear(&bench->run, &totals);
}

static enum run_end queue_messages(struct bench *bench)
{
        const struct stage resume = {
                .kind = STAGE_CONNECT, .roles = ROLE_SUBSCRIBER, .resumed = true,
        };
        struct run_totals totals;
        enum run_end      end = run_leave(&bench->run, ROLE_SUBSCRIBER, &totals);

        if (end == RUN_DONE)
                end = store_messages(bench, "queue");
        return end == RUN_DONE ? take_messages(bench, "drain", &resume) : end;
}

/* A clean session takes the place of the one that was kept, and ends. */
static void remove_sessions(struct bench *bench)
{
        const struct stage afresh = {
                .kind = STAGE_CONNECT, .roles = ROLE_SUBSCRIBER, .afresh = true,
        };
        struct run_totals totals;

        if (run_leave(&bench->run, ROLE_SUBSCRIBER, &totals) == RUN_DONE)
                run_connect(&bench->run, &afresh, &totals);
}

static enum run_end churn_connections(struct bench *bench)
{
        struct report *r        = &bench->report;
        uint64_t       start_us = stamp_now();
        enum run_end   end      = run_churn(&bench->run, &r->totals);

        r->connect_s = seconds_between(start_us, stamp_now());
        r->connected = r->totals.ready;
        r->refused   = r->totals.failed;
        add_phase(bench, (struct phase){ .name = "churn", .messages = r->totals.cycles,
                                         .elapsed_s = r->connect_s }, &r->idle);
        return run_leave(&bench->run, ROLE_SUBSCRIBER, &r->totals) == RUN_DONE ? end : RUN_STALLED;
}

static const struct {
        enum run_end (*run)(struct bench *bench);
        void (*clean)(struct bench *bench);     /* NULL: nothing is left behind */
} modes[BENCH_MODES] = {
        [BENCH_CONN]    = { hold_connections, NULL },
        [BENCH_PUB]     = { publish_messages, NULL },
        [BENCH_SUB]     = { listen_for_messages, NULL },
        [BENCH_PAIR]    = { publish_messages, NULL },
        [BENCH_FANIN]   = { publish_messages, NULL },
        [BENCH_FANOUT]  = { publish_messages, NULL },
        [BENCH_SHARED]  = { publish_messages, NULL },
        [BENCH_RETAIN]  = { retain_messages, clear_messages },
        [BENCH_OFFLINE] = { queue_messages, remove_sessions },
        [BENCH_CHURN]   = { churn_connections, NULL },
};

/* ---- the whole ------------------------------------------------------------------------------- */

/* Of what the threads counted, once they have ended. */
static void collect(struct bench *bench, uint64_t from_us)
{
        struct report           *r = &bench->report;
        const struct run        *run = &bench->run;
        const struct run_totals *t = &r->totals;
        uint64_t                 end_us = t->last_delivery_us;

        for (unsigned i = 0; i < run->worker_count; i++) {
                histogram_add(&r->connecting, &run->workers[i].connecting);
                histogram_add(&r->latency, &run->workers[i].latency);
                faults_add(&r->faults, &run->workers[i].faults);
        }
        if (run->measure_us > from_us)
                from_us = run->measure_us;
        else if (t->first_delivery_us > from_us)
                from_us = t->first_delivery_us;         /* of somebody else's messages */
        if (end_us < t->last_ack_us)
                end_us = t->last_ack_us;
        if (end_us < t->last_publish_us)
                end_us = t->last_publish_us;
        r->publish_s   = seconds_between(from_us, t->last_publish_us);
        r->delivery_s  = seconds_between(run->receive_us > 0 ? run->receive_us : from_us,
                                         t->last_delivery_us);
        r->elapsed_s   = end_us > from_us ? seconds_between(from_us, end_us)
                                          : seconds_between(from_us, stamp_now());
        r->connections = t->live;
        r->lost        = run_lost(run, t);
        r->rss_peak_kb = run->rss_peak_kb > r->after.rss_kb ? run->rss_peak_kb : r->after.rss_kb;
}

static void judge(struct bench *bench)
{
        const struct report *r = &bench->report;

        if (r->totals.failed + r->totals.dropped > 0)
                say(bench, "connections were refused or lost");
        if (r->lost > 0 && r->options->qos > 0)
                say(bench, "messages were lost");
}

static void go(struct bench *bench)
{
        const struct bench_options *options = bench->run.options;
        struct report              *r       = &bench->report;
        uint64_t                    from_us;
        enum run_end                end = RUN_DONE;

        read_cost(bench, &r->idle);
        r->before = r->measured = r->idle;
        if (options->mode != BENCH_CHURN)
                end = connect_all(bench);
        from_us = stamp_now();
        if (end == RUN_DONE) {
                end = modes[options->mode].run(bench);
                read_cost(bench, &r->after);
                r->measured = bench->run.measure_us > 0 ? bench->run.measured : r->before;
        }
        note_end(bench, end);
        run_go_on();
        if (modes[options->mode].clean != NULL)
                modes[options->mode].clean(bench);
        run_stop(&bench->run);
        collect(bench, from_us);
        judge(bench);
        if (!options->quiet && (options->json == NULL || options->json[0] != '-'))
                report_print(r);
        if (options->json != NULL && !report_json(r))
                bench->failed = true;
}

int bench_run(int argc, char **argv)
{
        struct bench_options options;
        struct bench        *bench;
        bool                 failed = true;

        if (!bench_options_parse(&options, argc, argv))
                return EXIT_FAILURE;
        if (options.help)
                return help_print(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
        bench = mem_zalloc(sizeof(*bench));
        if (bench == NULL)
                return EXIT_FAILURE;
        bench->report = (struct report){ .options = &options, .has_broker = options.pid > 0 };
        if (options.pid > 0 && !cost_read((pid_t)options.pid, &bench->report.idle)) {
                fprintf(stderr, "Error: --pid %" PRIu32 ": there is no such process.\n",
                        options.pid);
        } else if (run_open(&bench->run, &options)) {
                go(bench);
                failed = bench->failed;
        }
        run_close(&bench->run);
        mem_free(bench);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
