/* sim --seed N --runs N: that many seeds from that one on. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "sim.h"

enum { REPLAY_EVERY = 16 }; /* seeds: one of so many is played twice */

struct outcome {
        bool     fine;
        uint64_t trace; /* of all that happened */
        char     why[WHY_SIZE + 64];
};

bool sim_fail(struct sim *sim, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        if (sim->why[0] == '\0')
                vsnprintf(sim->why, sizeof sim->why, format, args);
        va_end(args);
        return false;
}

static void silent(void *context, enum log_level level, struct str line)
{
        (void)context;
        (void)level;
        (void)line;
}

static struct outcome play(uint64_t seed)
{
        static const char *const levels[] = { "memory", "relaxed", "strict" };

        struct outcome out = { .fine = true };
        struct sim    *sim = mem_zalloc(sizeof *sim);

        if (sim == NULL) {
                snprintf(out.why, sizeof out.why, "no memory");
                out.fine = false;
                return out;
        }
        sim->seed = seed;
        random_init(&sim->random, seed);
        mix_draw(sim);
        out.fine = sim_start(sim);
        for (; out.fine && sim->step < sim->steps; sim->step++)
                out.fine = sim_act(sim);
        out.fine  = out.fine && sim_finish(sim);
        out.trace = sim->trace.k0;
        snprintf(out.why, sizeof out.why,
                 "step %u of %u (%s), %s, %u restarts, %u shards, %u clients: %s", sim->step,
                 sim->steps, sim->act != NULL ? sim->act : "draw", levels[sim->mix.durability],
                 sim->restarts, sim->mix.shards, sim->mix.clients, sim->why);
        sim_stop(sim);
        mem_free(sim);
        return out;
}

/* A seed that fails is played again: what cannot be replayed cannot be understood. */
static bool play_and_tell(uint64_t seed)
{
        struct outcome first = play(seed), second = first;

        if (!first.fine)
                printf("seed %llu, %s\n    trace %016llx; again with: make sim SEED=%llu RUNS=1\n",
                       (unsigned long long)seed, first.why, (unsigned long long)first.trace,
                       (unsigned long long)seed);
        if (!first.fine || seed % REPLAY_EVERY == 0)
                second = play(seed);
        if (second.trace != first.trace)
                printf("seed %llu does not replay: trace %016llx, then %016llx\n",
                       (unsigned long long)seed, (unsigned long long)first.trace,
                       (unsigned long long)second.trace);
        return first.fine && second.trace == first.trace;
}

/* Shared with the child that plays. */
struct progress {
        uint64_t seed; /* the next one, or the one in hand */
        uint64_t failed;
};

static pid_t play_all(struct progress *progress, uint64_t end)
{
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        for (; progress->seed < end; progress->seed++)
                progress->failed += !play_and_tell(progress->seed);
        exit(0);
}

/* An assertion or a sanitizer ends the child: its seed has failed, and the next one goes on. */
static bool play_on(struct progress *progress, uint64_t end)
{
        int   status = 0;
        pid_t pid    = play_all(progress, end);

        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
                perror("sim");
                exit(1);
        }
        if (status == 0)
                return false;
        progress->failed++;
        if (progress->seed == end) {
                printf("all seeds were played, but the end went wrong\n");
                return false;
        }
        printf("seed %llu died; again with: make sim SEED=%llu RUNS=1\n",
               (unsigned long long)progress->seed, (unsigned long long)progress->seed);
        return ++progress->seed < end;
}

int main(int argc, char **argv)
{
        struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        uint64_t         runs     = 30;

        if (progress == MAP_FAILED) {
                perror("sim");
                return 1;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        log_set_sink(silent, NULL);
        progress->seed = 1;
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--seed") == 0)
                        progress->seed = strtoull(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--runs") == 0)
                        runs = strtoull(argv[i + 1], NULL, 10);
        }
        for (uint64_t end = progress->seed + runs; play_on(progress, end);)
                continue;
        printf("%llu passed, %llu failed\n",
               (unsigned long long)(runs > progress->failed ? runs - progress->failed : 0),
               (unsigned long long)progress->failed);
        return progress->failed == 0 ? 0 : 1;
}
