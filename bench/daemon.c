#include "bench/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32, START_TRIES = 2000, TRY_MS = 5, LOG_BYTES = 16384 };

/* In the child. Its log is a file, since a pipe would have to be emptied. */
static void become(const struct daemon *daemon, const char *program, const char *const options[])
{
        const char *arguments[2 * OPTIONS_MAX + 8];
        char        folder[DAEMON_PATH_SIZE + 16], name[DAEMON_PATH_SIZE + 16];
        unsigned    count = 0;
        int         log;

        snprintf(folder, sizeof folder, "data_dir=%s", daemon->folder);
        snprintf(name, sizeof name, "%s/log", daemon->folder);
        arguments[count++] = program;
        for (unsigned i = 0; options[i] != NULL && i < OPTIONS_MAX; i++) {
                arguments[count++] = "-o";
                arguments[count++] = options[i];
        }
        arguments[count++] = "-o";
        arguments[count++] = folder;
        arguments[count++] = "-o";
        arguments[count++] = "listener.tcp.bench=127.0.0.1:0";
        arguments[count]   = NULL;
        log = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (log >= 0 && dup2(log, STDERR_FILENO) >= 0)
                execv(program, (char *const *)(uintptr_t)arguments);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(127);
}

static bool read_file(const char *name, char *to, size_t size)
{
        int     fd  = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd >= 0 ? read(fd, to, size - 1) : -1;

        if (fd >= 0)
                close(fd);
        to[got > 0 ? got : 0] = '\0';
        return got > 0;
}

/* Its log says that it listens, and where. */
static bool wait_for_start(struct daemon *daemon)
{
        const struct timespec pause = { .tv_nsec = TRY_MS * 1000000L };
        static const char     listens[] = "address=\"127.0.0.1:";
        char                  log[LOG_BYTES], name[DAEMON_PATH_SIZE + 16];
        const char           *address;

        snprintf(name, sizeof name, "%s/log", daemon->folder);
        for (unsigned i = 0; i < START_TRIES; i++) {
                if (read_file(name, log, sizeof log) && strstr(log, " broker.started ") != NULL &&
                    (address = strstr(log, listens)) != NULL) {
                        daemon->port = (uint16_t)strtoul(address + strlen(listens), NULL, 10);
                        return true;
                }
                if (waitpid(daemon->pid, NULL, WNOHANG) == daemon->pid) {
                        daemon->pid = 0;
                        break;
                }
                nanosleep(&pause, NULL);
        }
        fprintf(stderr, "linnetd does not start:\n%s", log);
        return false;
}

bool daemon_start(struct daemon *daemon, const char *program, const char *under,
                  const char *const options[])
{
        *daemon = (struct daemon){ .pid = 0 };
        snprintf(daemon->folder, sizeof daemon->folder, "%s/linnet-bench-XXXXXX", under);
        if (mkdtemp(daemon->folder) == NULL) {
                fprintf(stderr, "%s: %s\n", daemon->folder, strerror(errno));
                daemon->folder[0] = '\0';
                return false;
        }
        daemon->pid = fork();
        if (daemon->pid == 0)
                become(daemon, program, options);
        return daemon->pid > 0 && wait_for_start(daemon);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
        (void)stat;
        (void)kind;
        (void)where;
        return remove(path);
}

void daemon_stop(struct daemon *daemon)
{
        if (daemon->pid > 0) {
                kill(daemon->pid, SIGKILL);
                while (waitpid(daemon->pid, NULL, 0) < 0 && errno == EINTR)
                        continue;
        }
        if (daemon->folder[0] != '\0')
                nftw(daemon->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        *daemon = (struct daemon){ .pid = 0 };
}

bool daemon_usage(const struct daemon *daemon, struct daemon_usage *out)
{
        clockid_t       clock;
        struct timespec used;
        char            name[64], text[1024];
        const char     *written;

        snprintf(name, sizeof name, "/proc/%d/io", (int)daemon->pid);
        if (clock_getcpuclockid(daemon->pid, &clock) != 0 || clock_gettime(clock, &used) != 0 ||
            !read_file(name, text, sizeof text) ||
            (written = strstr(text, "\nwrite_bytes: ")) == NULL)
                return false;
        out->cpu_ns        = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
        out->written_bytes = strtoull(strchr(written, ' '), NULL, 10);
        return true;
}
