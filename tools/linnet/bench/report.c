#include "report.h"

#include <inttypes.h>
#include <stdio.h>

double report_bytes_per_connection(const struct report *r)
{
        uint64_t idle = r->idle.rss_kb, kb = r->before.rss_kb > idle ? r->before.rss_kb - idle : 0;

        return r->connected > 0 ? (double)kb * 1024 / (double)r->connected : 0;
}

static void print_latency(const char *name, const struct histogram *h)
{
        if (h->count == 0)
                return;
        printf("%-14s p50 %" PRIu64 "  p90 %" PRIu64 "  p99 %" PRIu64 "  p99.9 %" PRIu64
               "  max %" PRIu64 " us\n",
               name, histogram_quantile(h, 0.5), histogram_quantile(h, 0.9),
               histogram_quantile(h, 0.99), histogram_quantile(h, 0.999), h->max);
}

static void print_broker(const struct report *r)
{
        uint64_t cpu_us = r->after.cpu_us - r->measured.cpu_us;

        printf("%-14s %.3f s of CPU, %.0f %% of a core", "broker", (double)cpu_us / 1e6,
               r->elapsed_s > 0 ? (double)cpu_us / 1e4 / r->elapsed_s : 0);
        if (r->totals.measured_delivered > 0)
                printf(", %.2f us a delivered message",
                       report_each(cpu_us, r->totals.measured_delivered));
        printf("\n%-14s %" PRIu64 " context switches\n", "",
               r->after.switches - r->measured.switches);
        printf("%-14s RSS %" PRIu64 " kB before, %" PRIu64 " kB connected, %" PRIu64
               " kB after, %" PRIu64 " kB at most; %.0f bytes a connection\n",
               "", r->idle.rss_kb, r->before.rss_kb, r->after.rss_kb, r->rss_peak_kb,
               report_bytes_per_connection(r));
}

static void print_messages(const struct report *r)
{
        const struct run_totals *t = &r->totals;

        if (t->published > 0)
                printf("%-14s %" PRIu64 " in %.3f s: %.0f/s\n", "published", t->measured_published,
                       r->publish_s, report_rate(t->measured_published, r->publish_s));
        if (t->acked + t->refused > 0)
                printf("%-14s %" PRIu64 "\n", "acknowledged", t->acked);
        if (t->delivered > 0)
                printf("%-14s %" PRIu64 " in %.3f s: %.0f/s\n", "delivered", t->measured_delivered,
                       r->delivery_s, report_rate(t->measured_delivered, r->delivery_s));
        if (t->expected > 0 || t->delivered > 0)
                printf("%-14s %" PRIu64 " lost, %" PRIu64 " twice, %" PRIu64 " out of order\n", "",
                       r->lost, t->duplicates, t->reordered);
        if (t->foreign > 0)
                printf("%-14s %" PRIu64 " messages that are not of this run\n", "", t->foreign);
}

void report_print(const struct report *r)
{
        uint64_t wanted = (uint64_t)r->options->publishers + r->options->subscribers;

        if (r->options->mode == BENCH_CHURN)
                wanted = r->connected + r->refused;
        printf("%-14s %" PRIu64 " of %" PRIu64 " in %.3f s: %.0f/s\n", "connected", r->connected,
               wanted, r->connect_s, report_rate(r->connected, r->connect_s));
        print_latency("  took", &r->connecting);
        print_messages(r);
        print_latency("latency", &r->latency);
        for (unsigned i = 0; i < r->phase_count; i++) {
                const struct phase *phase = &r->phases[i];

                printf("%-14s %" PRIu64 " in %.3f s: %.0f/s", phase->name, phase->messages,
                       phase->elapsed_s, report_rate(phase->messages, phase->elapsed_s));
                if (r->has_broker)
                        printf(", %.2f us of the broker's CPU each",
                               report_each(phase->cpu_us, phase->messages));
                putchar('\n');
        }
        if (r->has_broker)
                print_broker(r);
        for (unsigned i = 0; i < r->faults.kinds; i++)
                printf("%-14s %" PRIu64 " x %s\n", i == 0 ? "errors" : "", r->faults.list[i].count,
                       r->faults.list[i].what);
}
