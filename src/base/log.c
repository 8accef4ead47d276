/* The log: two halves of a buffer and a thread.
 *
 * Whoever logs formats the line on its own stack and copies it into the half that is being filled.
 * The writer swaps the halves and writes one out while the other fills, whole lines at a time; when
 * that one is full before the writer returns, lines are dropped and counted. Whatever happens to
 * the file, nobody but the writer waits for it.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log_line.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STALL_POLL_MS = 100, FD_NONE = -1 };

struct half {
        char  *bytes;           /* owned; LOG_HALF_BYTES of them */
        size_t len;
};

/* What the writer alone touches. */
struct output {
        int      fd;
        size_t   write_max;     /* so much can be written without waiting, once poll() says so */
        bool     mid_line;      /* the last write that failed tore a line */
        uint64_t owed;          /* lines lost that no log.dropped has told yet */
};

static struct {
        atomic_int       level, format;
        atomic_int       next_fd;       /* what the writer is to go over to, or FD_NONE */
        _Atomic uint64_t stop_by_ms;    /* 0 while nobody waits for the end */

        pthread_mutex_t mutex;          /* a leaf: nothing else is taken or waited for under it */
        pthread_cond_t  wake;           /* the writer has something to do */
        bool            running;        /* lines are for the halves, not for standard error */
        struct half     filling, writing;       /* the second is the writer's */
        uint64_t        dropped;        /* lines that found no room since the last swap */
        log_sink       *sink;
        void           *sink_context;

        pthread_t     writer;           /* from here on: whoever starts and stops */
        char         *path;             /* owned; NULL is standard error */
        struct output output;           /* the writer's while it runs */
} state = {
        .level   = LOG_LEVEL_INFO,
        .next_fd = FD_NONE,
        .mutex   = PTHREAD_MUTEX_INITIALIZER,
        .wake    = PTHREAD_COND_INITIALIZER,
};

static bool   path_open(const char *file, char **path, int *fd);
static bool   same_path(const char *file);
static void   fd_close(int fd);
static void   fd_hand_over(int fd);
static bool   writer_start(void);
static void  *writer_run(void *none);
static bool   writer_wait(uint64_t *dropped);
static void   output_set(struct output *output, int fd);
static void   output_write(struct output *output, struct str lines);
static size_t output_bytes(struct output *output, struct str bytes);
static bool   output_ready(const struct output *output);
static void   output_tell(struct output *output);
static void   line_emit(enum log_level level, struct str line);
static void   stderr_write(struct str bytes);

bool log_start(const struct log_config *config)
{
        int fd;

        assert(!state.running);
        if (!path_open(config->file, &state.path, &fd))
                return false;

        state.filling = (struct half){ .bytes = mem_alloc(LOG_HALF_BYTES) };
        state.writing = (struct half){ .bytes = mem_alloc(LOG_HALF_BYTES) };
        state.output  = (struct output){ 0 };
        output_set(&state.output, fd);
        atomic_store(&state.stop_by_ms, 0);
        errno = ENOMEM;
        if (state.filling.bytes == NULL || state.writing.bytes == NULL || !writer_start())
                goto undo;

        atomic_store(&state.level, (int)config->level);
        atomic_store(&state.format, (int)config->format);
        pthread_mutex_lock(&state.mutex);
        state.running = true;
        pthread_mutex_unlock(&state.mutex);
        return true;

undo:
        mem_free(TAKE(state.writing.bytes));
        mem_free(TAKE(state.filling.bytes));
        mem_free(TAKE(state.path));
        fd_close(fd);
        return false;
}

void log_stop(void)
{
        pthread_mutex_lock(&state.mutex);

        bool was_running = state.running;

        state.running = false;
        if (was_running)
                atomic_store(&state.stop_by_ms, clock_read().mono_ms + LOG_STOP_MS);
        pthread_cond_signal(&state.wake);
        pthread_mutex_unlock(&state.mutex);
        if (!was_running)
                return;

        pthread_join(state.writer, NULL);
        fd_close(state.output.fd);
        fd_close(atomic_exchange(&state.next_fd, FD_NONE));
        mem_free(TAKE(state.path));
        mem_free(TAKE(state.writing.bytes));
        mem_free(TAKE(state.filling.bytes));
}

bool log_configure(const struct log_config *config)
{
        if (state.running && !same_path(config->file)) {
                char *path;
                int   fd;

                if (!path_open(config->file, &path, &fd))
                        return false;
                mem_free(state.path);
                state.path = path;
                fd_hand_over(fd);
        }
        atomic_store(&state.level, (int)config->level);
        atomic_store(&state.format, (int)config->format);
        return true;
}

bool log_reopen(void)
{
        char *path;
        int   fd;

        if (!state.running || state.path == NULL)
                return true;
        if (!path_open(state.path, &path, &fd))
                return false;
        mem_free(state.path);
        state.path = path;
        fd_hand_over(fd);
        return true;
}

void log_set_sink(log_sink *sink, void *context)
{
        pthread_mutex_lock(&state.mutex);
        state.sink         = sink;
        state.sink_context = context;
        pthread_mutex_unlock(&state.mutex);
}

bool log_enabled(enum log_level level)
{
        return (int)level >= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               unsigned count)
{
        struct log_line line;

        if (!log_enabled(level))
                return;
        log_line_format(&line, (enum log_format)atomic_load(&state.format),
                        &(struct log_entry){ clock_read().wall_us, level, event, fields, count });
        line_emit(level, str_from(line.bytes, line.len));
}

bool log_allowed(struct log_limit *limit, uint32_t burst, uint64_t now_ms, uint32_t *skipped)
{
        if (now_ms - limit->window_ms >= 1000) {
                limit->window_ms = now_ms;
                limit->used      = 0;
        }

        bool allowed = limit->used < burst;

        if (allowed)
                limit->used++;
        else if (limit->skipped < UINT32_MAX)
                limit->skipped++;
        if (skipped != NULL)
                *skipped = limit->skipped;
        if (allowed)
                limit->skipped = 0;
        return allowed;
}

/* Opens the file, or standard error where none is named. Both results are the caller's. */
static bool path_open(const char *file, char **path, int *fd)
{
        *path = NULL;
        *fd   = STDERR_FILENO;
        if (file == NULL || file[0] == '\0')
                return true;

        errno = ENOMEM;
        *path = mem_dup(str_of(file));
        if (*path == NULL)
                return false;

        /* O_NONBLOCK: a fifo that nobody reads is refused rather than waited for. */
        *fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (*fd >= 0)
                return true;
        mem_free(TAKE(*path));
        return false;
}

static bool same_path(const char *file)
{
        bool none = file == NULL || file[0] == '\0';

        if (none || state.path == NULL)
                return none && state.path == NULL;
        return strcmp(file, state.path) == 0;
}

static void fd_close(int fd)
{
        int saved = errno;      /* callers on their way out are about to tell why */

        if (fd >= 0 && fd != STDERR_FILENO)
                close(fd);
        errno = saved;
}

static void fd_hand_over(int fd)
{
        pthread_mutex_lock(&state.mutex);

        int untaken = atomic_exchange(&state.next_fd, fd);

        pthread_cond_signal(&state.wake);
        pthread_mutex_unlock(&state.mutex);
        fd_close(untaken);
}

/* The writer takes no signals: they are the main thread's, and a SIGPIPE of a standard error that
 * was closed must end nobody. */
static bool writer_start(void)
{
        sigset_t all, before;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        errno = pthread_create(&state.writer, NULL, writer_run, NULL);

        bool started = errno == 0;

        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (started)
                pthread_setname_np(state.writer, "log");
        return started;
}

static void *writer_run(void *none)
{
        struct output *output = &state.output;
        uint64_t       dropped;

        while (writer_wait(&dropped)) {
                int fd = atomic_exchange(&state.next_fd, FD_NONE);

                if (fd != FD_NONE) {
                        fd_close(output->fd);
                        output_set(output, fd);
                }
                output_write(output, str_from(state.writing.bytes, state.writing.len));
                state.writing.len = 0;
                output->owed += dropped;        /* they came after the lines of this half */
                output_tell(output);
        }
        return none;
}

/* Sleeps until there is something to do, and swaps the halves. False at the end. */
static bool writer_wait(uint64_t *dropped)
{
        pthread_mutex_lock(&state.mutex);
        assert(state.writing.len == 0);
        while (state.filling.len == 0 && atomic_load(&state.next_fd) == FD_NONE &&
               atomic_load(&state.stop_by_ms) == 0)
                pthread_cond_wait(&state.wake, &state.mutex);

        struct half filled = state.filling;
        bool        more   = filled.len > 0 || atomic_load(&state.next_fd) != FD_NONE;

        state.filling = state.writing;
        state.writing = filled;
        *dropped      = state.dropped;
        state.dropped = 0;
        pthread_mutex_unlock(&state.mutex);
        return more;
}

static void output_set(struct output *output, int fd)
{
        struct stat is;
        bool        regular = fstat(fd, &is) == 0 && S_ISREG(is.st_mode);

        output->fd        = fd;
        output->write_max = regular ? LOG_HALF_BYTES : PIPE_BUF;
        output->mid_line  = false;
}

/* Writes whole lines, or counts those that could not be written. */
static void output_write(struct output *output, struct str lines)
{
        assert(lines.len == 0 || lines.ptr[lines.len - 1] == '\n');

        size_t written = 0;

        if (output->mid_line)                   /* what was torn must not be continued */
                output->mid_line = output_bytes(output, STR("\n")) == 0;
        if (!output->mid_line)
                written = output_bytes(output, lines);
        if (written > 0)
                output->mid_line = lines.ptr[written - 1] != '\n';
        for (size_t i = written; i < lines.len; i++)
                output->owed += lines.ptr[i] == '\n';
}

/* Returns how many bytes were written: all, unless that failed or was given up. */
static size_t output_bytes(struct output *output, struct str bytes)
{
        size_t at = 0;

        while (at < bytes.len && output_ready(output)) {
                size_t  left = bytes.len - at;
                ssize_t n    = write(output->fd, bytes.ptr + at,
                                     left < output->write_max ? left : output->write_max);

                if (n > 0)
                        at += (size_t)n;
                else if (n == 0 || (errno != EINTR && errno != EAGAIN))
                        break;
        }
        return at;
}

/* Waits until the file takes bytes; false when it is time to go on without. */
static bool output_ready(const struct output *output)
{
        for (;;) {
                struct pollfd ready = { .fd = output->fd, .events = POLLOUT };

                if (poll(&ready, 1, STALL_POLL_MS) > 0)
                        return true;            /* or an error, which write() will name */

                uint64_t stop_by_ms = atomic_load(&state.stop_by_ms);

                if (stop_by_ms != 0 && clock_read().mono_ms >= stop_by_ms)
                        return false;
                if (atomic_load(&state.next_fd) != FD_NONE)
                        return false;           /* the other file is told what this one lost */
        }
}

/* Tells how many lines were lost, when there is anywhere to tell it. */
static void output_tell(struct output *output)
{
        struct log_line line;

        if (output->owed == 0)
                return;

        uint64_t         owed  = output->owed;
        struct log_entry entry = { clock_read().wall_us, LOG_LEVEL_WARNING, "log.dropped",
                                   &F_U64("count", owed), 1 };

        log_line_format(&line, (enum log_format)atomic_load(&state.format), &entry);
        output_write(output, str_from(line.bytes, line.len));
        output->owed = output->owed == owed ? 0 : owed; /* else this line was lost itself */
}

/* `line` with its newline: to the sink, the writer, or standard error. */
static void line_emit(enum log_level level, struct str line)
{
        pthread_mutex_lock(&state.mutex);
        if (state.sink == NULL && state.running) {
                if (line.len <= LOG_HALF_BYTES - state.filling.len) {
                        memcpy(state.filling.bytes + state.filling.len, line.ptr, line.len);
                        state.filling.len += line.len;
                } else {
                        state.dropped++;
                }
                pthread_cond_signal(&state.wake);
                pthread_mutex_unlock(&state.mutex);
                return;
        }

        log_sink *sink    = state.sink;
        void     *context = state.sink_context;

        pthread_mutex_unlock(&state.mutex);     /* a sink may log */
        if (sink != NULL)
                sink(context, level, str_from(line.ptr, line.len - 1));
        else
                stderr_write(line);
}

static void stderr_write(struct str bytes)
{
        while (bytes.len > 0) {
                ssize_t n = write(STDERR_FILENO, bytes.ptr, bytes.len);

                if (n > 0)
                        bytes = str_skip(bytes, (size_t)n);
                else if (errno != EINTR)
                        return;                 /* there is nowhere left to tell it */
        }
}
