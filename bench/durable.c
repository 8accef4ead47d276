/* What durability costs: the real daemon, publishers of QoS 1, and a durable subscriber that is
 * away (all must be written) or acknowledges at once (what it has is not written any more).
 *
 *      durable [--rounds N] [--cell-ms N] [--only TEXT]... [--set KEY=VALUE]... [LINNETD]
 *
 * LINNETD is the program, else the environment's, else build/linnetd. --only leaves out the cells
 * whose name has not all these texts in it, as in "strict absent 100x1 1000B shards=2". --set hands
 * the daemon an option. Data lie under $TMPDIR, which should be on the disk in question. With
 * several rounds the table has medians. The levels of a cell run one after the other, so that
 * ratios to `memory` are of one time. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/daemon.h"
#include "bench/load.h"

enum { ROUNDS_MAX = 15, TEXTS_MAX = 8, WARM_MS = 150 };

enum { MEMORY, RELAXED, STRICT, LEVELS };

enum figure {
        RATE,                   /* acknowledged messages a second */
        P50_MS, P99_MS,
        CPU_US,                 /* of the broker, a message */
        CPU_RATIO,              /* to memory's in the same round */
        RECORDS,                /* written, a commit */
        COMMITS,                /* a second */
        COMMIT_MS,
        WRITTEN,                /* bytes to the disk, a byte of payload */
        FIGURES
};

static const char *const level_names[LEVELS] = { "memory", "relaxed", "strict" };

static const struct {
        unsigned publishers, window;
} loads[] = { { 1, 1 }, { 100, 1 }, { 100, 100 } };

static const unsigned payloads[] = { 100, 1000 };

enum {
        LOADS    = sizeof loads / sizeof loads[0],
        PAYLOADS = sizeof payloads / sizeof payloads[0],
        ROWS     = 2 * 2 * LOADS * PAYLOADS
};

/* A row's number holds it all. */
struct row {
        unsigned shards, publishers, window, payload;
        bool     absent;
};

static struct {
        const char *program, *under;
        unsigned    rounds, cell_ms;
        const char *only[TEXTS_MAX], *set[TEXTS_MAX];
        unsigned    only_count, set_count;
} plan = { .rounds = 1, .cell_ms = 900 };

/* Negative: not measured. */
static double results[ROWS][LEVELS][FIGURES][ROUNDS_MAX];

static struct row row_of(unsigned number)
{
        struct row row;

        row.publishers = loads[number % LOADS].publishers;
        row.window     = loads[number % LOADS].window;
        number /= LOADS;
        row.payload = payloads[number % PAYLOADS];
        number /= PAYLOADS;
        row.absent = number % 2 == 0;
        row.shards = number / 2 + 1;
        return row;
}

static bool wanted(const struct row *row, unsigned level)
{
        char name[96];

        snprintf(name, sizeof name, "%s %s %ux%u %uB shards=%u", level_names[level],
                 row->absent ? "absent" : "present", row->publishers, row->window, row->payload,
                 row->shards);
        for (unsigned i = 0; i < plan.only_count; i++)
                if (strstr(name, plan.only[i]) == NULL)
                        return false;
        return true;
}

/* ---- one cell -------------------------------------------------------------------------------- */

/* Queues and windows that do not bound what is measured; batches and $SYS several times a second,
 * so that a cell has some. */
static bool start(struct daemon *daemon, const struct row *row, unsigned level)
{
        char        durability[32], shards[32];
        const char *options[TEXTS_MAX + 16] = {
                durability,
                shards,
                "store.interval=200ms",
                "mqtt.mqueue.max_length=0",
                "mqtt.mqueue.max_bytes=0",
                "mqtt.session.max_inflight=20000",
                "mqtt.broker.sys_interval=100ms",
                "log.level=info",
        };
        unsigned count = 8;

        snprintf(durability, sizeof durability, "durability=%s", level_names[level]);
        snprintf(shards, sizeof shards, "shards=%u", row->shards);
        for (unsigned i = 0; i < plan.set_count; i++)
                options[count++] = plan.set[i];
        return daemon_start(daemon, plan.program, plan.under, options);
}

static uint64_t heard(const struct load_counts *counts, enum load_figure figure)
{
        return counts->last[figure] - counts->first[figure];
}

static void reckon(const struct load_counts *counts, const struct daemon_usage used[2],
                   unsigned payload, double figures[FIGURES])
{
        double messages = (double)counts->acknowledged, seconds = (double)counts->ns / 1e9;
        double commits  = (double)heard(counts, LOAD_COMMITS);
        double cpu_us   = (double)(used[1].cpu_ns - used[0].cpu_ns) / 1000;
        double written  = (double)(used[1].written_bytes - used[0].written_bytes);

        figures[RATE]   = messages / seconds;
        figures[P50_MS] = load_latency_ms(counts, 0.5);
        figures[P99_MS] = load_latency_ms(counts, 0.99);
        if (messages > 0) {
                figures[CPU_US]  = cpu_us / messages;
                figures[WRITTEN] = written / messages / payload;
        }
        if (commits == 0)
                return;
        figures[RECORDS]   = (double)heard(counts, LOAD_RECORDS) / commits;
        figures[COMMIT_MS] = (double)heard(counts, LOAD_COMMIT_US) / commits / 1000;
        figures[COMMITS]   = commits * 1e9 / (double)(counts->heard_ns[1] - counts->heard_ns[0]);
}

static bool measure(const struct row *row, unsigned level, double figures[FIGURES])
{
        static struct load  load;
        struct load_plan    load_plan = { .publishers = row->publishers, .window = row->window,
                                          .payload = row->payload, .absent = row->absent };
        struct daemon       daemon;
        struct daemon_usage used[2];
        bool                good = start(&daemon, row, level);

        if (good) {
                load_plan.port = daemon.port;
                good = load_open(&load, &load_plan) && load_run(&load, WARM_MS) &&
                       daemon_usage(&daemon, &used[0]);
                load_reset(&load);
                good = good && load_run(&load, plan.cell_ms) && daemon_usage(&daemon, &used[1]);
                load_close(&load);
        }
        daemon_stop(&daemon);
        if (good)
                reckon(&load.counts, used, row->payload, figures);
        return good;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool run_round(unsigned round)
{
        double figures[LEVELS][FIGURES];

        for (unsigned r = 0; r < ROWS; r++) {
                struct row row = row_of(r);

                for (unsigned level = 0; level < LEVELS; level++) {
                        double *f = figures[level];

                        for (unsigned i = 0; i < FIGURES; i++)
                                f[i] = -1;
                        if (wanted(&row, level) && !measure(&row, level, f))
                                return false;
                        if (f[CPU_US] > 0 && figures[MEMORY][CPU_US] > 0)
                                f[CPU_RATIO] = f[CPU_US] / figures[MEMORY][CPU_US];
                        for (unsigned i = 0; i < FIGURES; i++)
                                results[r][level][i][round] = f[i];
                }
        }
        return true;
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void print_median(double values[ROUNDS_MAX], int decimals)
{
        qsort(values, plan.rounds, sizeof values[0], compare);
        if (values[plan.rounds / 2] < 0)
                printf(" - |");
        else
                printf(" %.*f |", decimals, values[plan.rounds / 2]);
}

static void print_table(void)
{
        static const int decimals[FIGURES] = { 0, 2, 2, 1, 2, 0, 0, 2, 1 };

        puts("| shards | clients x window | payload | subscriber | durability | msg/s | p50 ms "
             "| p99 ms | CPU us/msg | to memory | records/commit | commits/s | commit ms "
             "| bytes written/payload |\n"
             "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        for (unsigned r = 0; r < ROWS; r++) {
                struct row row = row_of(r);

                for (unsigned level = 0; level < LEVELS; level++) {
                        if (!wanted(&row, level))
                                continue;
                        printf("| %u | %u x %u | %u B | %s | %s |", row.shards, row.publishers,
                               row.window, row.payload, row.absent ? "absent" : "present",
                               level_names[level]);
                        for (unsigned i = 0; i < FIGURES; i++)
                                print_median(results[r][level][i], decimals[i]);
                        puts("");
                }
        }
}

static bool read_number(const char *text, unsigned least, unsigned most, unsigned *to)
{
        char         *end;
        unsigned long number = strtoul(text, &end, 10);

        *to = (unsigned)number;
        return *end == '\0' && number >= least && number <= most;
}

static bool read_arguments(int count, char **arguments)
{
        static const struct option options[] = {
                { "rounds", required_argument, NULL, 'r' },
                { "cell-ms", required_argument, NULL, 'c' },
                { "only", required_argument, NULL, 'o' },
                { "set", required_argument, NULL, 's' },
                { NULL, 0, NULL, 0 },
        };
        int  letter;
        bool good = true;

        while (good && (letter = getopt_long(count, arguments, "", options, NULL)) != -1) {
                if (letter == 'r')
                        good = read_number(optarg, 1, ROUNDS_MAX, &plan.rounds);
                else if (letter == 'c')
                        good = read_number(optarg, 100, 60000, &plan.cell_ms);
                else if (letter == 'o' && plan.only_count < TEXTS_MAX)
                        plan.only[plan.only_count++] = optarg;
                else if (letter == 's' && plan.set_count < TEXTS_MAX)
                        plan.set[plan.set_count++] = optarg;
                else
                        good = false;
        }
        plan.program = optind < count ? arguments[optind] : getenv("LINNETD");
        plan.under   = getenv("TMPDIR");
        if (plan.program == NULL)
                plan.program = "build/linnetd";
        if (plan.under == NULL)
                plan.under = "/tmp";
        return good && optind + 1 >= count;
}

int main(int count, char **arguments)
{
        if (!read_arguments(count, arguments)) {
                fputs("usage: durable [--rounds N] [--cell-ms N] [--only TEXT]... "
                      "[--set KEY=VALUE]... [LINNETD]\n", stderr);
                return 2;
        }
        for (unsigned round = 0; round < plan.rounds; round++)
                if (!run_round(round))
                        return 1;
        print_table();
        return 0;
}
