#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "stamp.h"

#define SECOND_US 1000000

struct progress progress_begin(const struct run *run)
{
        uint64_t now_us = stamp_now();

        return (struct progress){
                .run = run,
                .shown = !run->options->quiet && (run->options->progress || isatty(STDERR_FILENO)),
                .start_us = now_us,
                .last_us = now_us,
                .last = run_totals(run),
        };
}

void progress_show(struct progress *progress, const struct run_totals *totals, uint64_t now_us)
{
        const struct run_totals *last    = &progress->last;
        double                   seconds = (double)(now_us - progress->last_us) / SECOND_US;

        if (!progress->shown || now_us < progress->last_us + SECOND_US)
                return;
        fprintf(stderr, "%4" PRIu64 " s  connections %" PRIu64,
                (now_us - progress->start_us) / SECOND_US, totals->live);
        if (totals->failed + totals->dropped > 0)
                fprintf(stderr, "  failed %" PRIu64, totals->failed + totals->dropped);
        if (totals->cycles > 0)
                fprintf(stderr, "  cycles %.0f/s",
                        (double)(totals->cycles - last->cycles) / seconds);
        if (totals->published > 0)
                fprintf(stderr, "  published %.0f/s",
                        (double)(totals->published - last->published) / seconds);
        if (totals->delivered > 0)
                fprintf(stderr, "  delivered %.0f/s  under way %" PRIu64,
                        (double)(totals->delivered - last->delivered) / seconds,
                        run_lost(progress->run, totals));
        fputc('\n', stderr);
        progress->last    = *totals;
        progress->last_us = now_us;
}
