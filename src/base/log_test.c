#include "base/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/memory.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS = 4 };

static char     folder[32];
static unsigned fds_first;      /* open when the tests begin */

static const char *path_of(const char *name)    /* in a folder of this test; lives until the next */
{
        static char path[64];

        if (folder[0] == '\0') {
                snprintf(folder, sizeof folder, "/tmp/log_test.XXXXXX");
                EXPECT(mkdtemp(folder) != NULL);
        }
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static void start(const char *name, enum log_level level, enum log_format format)
{
        struct log_config config = { .level = level, .format = format, .file = path_of(name) };

        EXPECT(log_start(&config), "%s: %s", config.file, strerror(errno));
}

/* The whole file with a NUL behind it; the caller's. The file is gone. */
static char *take_file(const char *name)
{
        const char *path = path_of(name);
        FILE       *file = fopen(path, "r");
        struct stat is;

        EXPECT(file != NULL, "%s", path);
        EXPECT_EQ(fstat(fileno(file), &is), 0);

        char *bytes = mem_zalloc((size_t)is.st_size + 1);

        EXPECT_EQ(fread(bytes, 1, (size_t)is.st_size, file), is.st_size);
        fclose(file);
        unlink(path);
        return bytes;
}

static unsigned count_of(const char *text, const char *what)
{
        unsigned count = 0;

        for (text = strstr(text, what); text != NULL; text = strstr(text + 1, what))
                count++;
        return count;
}

/* The sum of the counts that log.dropped lines tell. */
static uint64_t dropped_in(const char *text)
{
        static const char mark[] = " warning log.dropped count=";
        uint64_t          sum    = 0;

        for (text = strstr(text, mark); text != NULL; text = strstr(text + 1, mark))
                sum += strtoull(text + strlen(mark), NULL, 10);
        return sum;
}

static unsigned fds_open(void)
{
        unsigned count = 0;

        for (int fd = 0; fd < 100; fd++)
                count += fcntl(fd, F_GETFD) != -1;
        return count;
}

struct heard {
        unsigned       count;
        enum log_level level;
        char           line[200];
};

static void hear(void *context, enum log_level level, struct str line)
{
        struct heard *heard = context;

        heard->count++;
        heard->level = level;
        snprintf(heard->line, sizeof heard->line, "%.*s", STR_ARGS(line));
}

TEST(a_sink_gets_lines_on_the_callers_thread)
{
        struct heard heard = { 0 };

        fds_first = fds_open();
        EXPECT(log_enabled(LOG_LEVEL_INFO) && !log_enabled(LOG_LEVEL_DEBUG));
        log_set_sink(hear, &heard);
        LOG(DEBUG, "unheard");
        LOG(INFO, "client.connected", F_STR("client", STR("robot")), F_U64("port", 51324));
        EXPECT_EQ(heard.count, 1);
        EXPECT_EQ(heard.level, LOG_LEVEL_INFO);
        EXPECT(strcmp(heard.line + 24, " info client.connected client=\"robot\" port=51324") == 0,
               "%s", heard.line);

        EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_ERROR, LOG_FORMAT_JSON, NULL }));
        LOG(WARNING, "unheard");
        log_event(LOG_LEVEL_WARNING, "unheard", NULL, 0);
        LOG(ERROR, "heard");
        EXPECT_EQ(heard.count, 2);
        EXPECT(strstr(heard.line, "\"level\":\"error\",\"event\":\"heard\"}") != NULL, "%s",
               heard.line);

        EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL }));
        log_set_sink(NULL, NULL);
}

/* Before the start, with no file named, and after the end. */
TEST(without_a_file_it_is_standard_error)
{
        int kept = dup(STDERR_FILENO);
        int file = open(path_of("stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        EXPECT(kept >= 0 && file >= 0);
        dup2(file, STDERR_FILENO);
        LOG(INFO, "before");

        bool started = log_start(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "" });

        LOG(INFO, "while");

        bool reopened = log_reopen();           /* nothing to reopen */

        log_stop();
        LOG(INFO, "after");
        dup2(kept, STDERR_FILENO);
        close(kept);
        close(file);

        char *text = take_file("stderr");

        EXPECT(started && reopened);
        EXPECT_EQ(count_of(text, "\n"), 3);
        EXPECT(strstr(text, " info before\n") < strstr(text, " info while\n"), "%s", text);
        EXPECT(strstr(text, " info while\n") < strstr(text, " info after\n"), "%s", text);
        EXPECT(strstr(text, " info before\n") != NULL, "%s", text);
        mem_free(text);
}

TEST(lines_reach_the_file_in_order)
{
        start("order", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < 3000; i++)
                LOG(DEBUG, "n", F_U64("i", i));
        log_stop();
        log_stop();                             /* once more is nothing */

        struct stat is;

        EXPECT_EQ(stat(path_of("order"), &is), 0);
        EXPECT_EQ(is.st_mode & 0777, 0600);

        char *text = take_file("order"), *at = text;

        for (unsigned i = 0; i < 3000; i++) {
                char wanted[32];

                snprintf(wanted, sizeof wanted, " debug n i=%u\n", i);
                EXPECT(strncmp(at + 24, wanted, strlen(wanted)) == 0, "%u: %.60s", i, at);
                at += 24 + strlen(wanted);
        }
        EXPECT(*at == '\0');
        mem_free(text);
}

static void *log_many(void *name)
{
        for (unsigned i = 0; i < 2000; i++)
                LOG(INFO, "many", F_TEXT("thread", name), F_U64("i", i));
        return NULL;
}

/* While the file is rotated and the configuration changed, every line is in one place, whole. */
TEST(threads_may_log_while_files_change)
{
        static char names[THREADS][2] = { "a", "b", "c", "d" };
        pthread_t   thread[THREADS];
        unsigned    count = 0;
        uint64_t    lost  = 0;
        char        moved[64];

        start("many", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < THREADS; i++)
                EXPECT_EQ(pthread_create(&thread[i], NULL, log_many, names[i]), 0);
        for (unsigned i = 0; i < 10; i++) {
                snprintf(moved, sizeof moved, "%s/many.%u", folder, i);
                EXPECT_EQ(rename(path_of("many"), moved), 0);
                EXPECT(log_reopen());
                EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT,
                                                           path_of("many") }));
                usleep(1000);
        }
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(thread[i], NULL);
        log_stop();

        for (unsigned i = 0; i <= 10; i++) {
                snprintf(moved, sizeof moved, i < 10 ? "many.%u" : "many", i);

                char *text = take_file(moved);

                count += count_of(text, " info many thread=\"");
                lost += dropped_in(text);
                EXPECT_EQ(count_of(text, "\n"), count_of(text, "Z info many thread=\"") +
                                                        count_of(text, "Z warning log.dropped"));
                mem_free(text);
        }
        EXPECT_EQ(count + lost, THREADS * 2000);
}

static int fifo_open(const char *name)          /* for reading; so the log may write to it */
{
        EXPECT_EQ(mkfifo(path_of(name), 0600), 0);

        int fd = open(path_of(name), O_RDONLY | O_NONBLOCK);

        EXPECT(fd >= 0);
        return fd;
}

static void *read_slowly(void *fd)
{
        enum { SIZE = 8 << 20 };

        char   *bytes = mem_zalloc(SIZE);
        size_t  len   = 0;
        ssize_t n;

        fcntl(*(int *)fd, F_SETFL, 0);          /* blocks until there is something or an end */
        while ((n = read(*(int *)fd, bytes + len, SIZE - 1 - len)) > 0)
                len += (size_t)n;
        return bytes;
}

/* Nobody reads: callers are not held up, and what finds no room is told when there is some. */
TEST(a_stalled_reader_costs_lines_not_time)
{
        enum { LINES = 40000 };

        int       fd = fifo_open("stalled");
        pthread_t reader;
        void     *text;

        start("stalled", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < LINES; i++)
                LOG(INFO, "n", F_U64("i", i), F_TEXT("pad", "0123456789012345678901234567890123"));
        EXPECT_EQ(pthread_create(&reader, NULL, read_slowly, &fd), 0);
        log_stop();
        pthread_join(reader, &text);
        close(fd);
        unlink(path_of("stalled"));

        unsigned whole = count_of(text, "90123\"\n"), dropped = (unsigned)dropped_in(text);

        EXPECT(whole > LOG_HALF_BYTES / 100, "%u", whole);      /* the writer sits on the other */
        EXPECT(dropped > 0);
        EXPECT_EQ(whole + dropped, LINES);
        mem_free(text);
}

/* Nobody ever reads: the end comes all the same. */
TEST(a_stalled_reader_does_not_stop_the_end)
{
        int      fd    = fifo_open("never");
        uint64_t begun = clock_read().mono_ms, took;

        start("never", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < 3000; i++)
                LOG(INFO, "n", F_U64("i", i));
        log_stop();
        took = clock_read().mono_ms - begun;
        EXPECT(took >= LOG_STOP_MS - 100, "%u ms", (unsigned)took);
        close(fd);
        unlink(path_of("never"));
}

/* Waits, as long as it may take on a busy machine, for what the writer does by itself. */
static void wait_for_size(const char *name, off_t size)
{
        struct stat is = { 0 };

        for (unsigned i = 0; i < 3000 && is.st_size < size; i++) {
                usleep(10000);
                EXPECT_EQ(stat(path_of(name), &is), 0);
        }
        EXPECT(is.st_size >= size, "%s has %d bytes", name, (int)is.st_size);
}

/* A stalled file can be left for another, which tells what was lost. */
TEST(a_stalled_file_can_be_left)
{
        int fd = fifo_open("left");

        start("left", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        for (unsigned i = 0; i < 3000; i++)
                LOG(INFO, "n", F_U64("i", i));
        usleep(10000);                          /* so that the writer is in the middle of it */
        EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT,
                                                   path_of("between") }));
        EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT,
                                                   path_of("instead") }));
        LOG(INFO, "last");
        wait_for_size("instead", 1);            /* it need not be stopped for that */
        log_stop();

        char *bytes = read_slowly(&fd), *between = take_file("between"),
             *text = take_file("instead");

        EXPECT_EQ(count_of(bytes, "\n") + count_of(between, " info ") + dropped_in(between) +
                          count_of(text, " info ") + dropped_in(text),
                  3001);
        EXPECT_EQ(count_of(text, " info last\n"), 1);
        mem_free(bytes);
        mem_free(between);
        mem_free(text);
        close(fd);
        unlink(path_of("left"));
}

TEST(a_full_disk_is_told_when_it_is_not)
{
        EXPECT(log_start(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "/dev/full" }));
        for (unsigned i = 0; i < 100; i++)
                LOG(INFO, "n", F_U64("i", i));
        usleep(20000);
        EXPECT(log_configure(&(struct log_config){ LOG_LEVEL_INFO, LOG_FORMAT_TEXT,
                                                   path_of("room") }));
        log_stop();

        char *text = take_file("room");

        EXPECT_EQ(count_of(text, " info n i=") + dropped_in(text), 100);
        mem_free(text);
}

/* A write that fails in the middle of a line must not glue the next one to it. */
TEST(a_torn_line_is_ended)
{
        enum { SIZE_MAX_THEN = 1000 };

        struct rlimit before, small;

        EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = (struct rlimit){ SIZE_MAX_THEN, before.rlim_max };
        start("torn", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
        for (unsigned i = 0; i < 100; i++)
                LOG(INFO, "n", F_U64("i", i), F_TEXT("end", "!"));
        wait_for_size("torn", SIZE_MAX_THEN);
        usleep(20000);                          /* now it fails */
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
        LOG(INFO, "n", F_U64("i", 100), F_TEXT("end", "!"));
        log_stop();

        char *text = take_file("torn"), *last = strstr(text, " info n i=100 ");

        EXPECT(last != NULL && last - text > 25 && last[-25] == '\n', "%s", text + 900);
        EXPECT_EQ(count_of(text, " end=\"!\"\n") + dropped_in(text), 101);
        EXPECT_EQ(count_of(text, "\n"), count_of(text, "\n20") + 1);
        mem_free(text);
}

TEST(a_file_that_cannot_be_opened_changes_nothing)
{
        struct log_config bad = { LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "/nonexistent/log" };

        errno = 0;
        EXPECT(!log_start(&bad));
        EXPECT_EQ(errno, ENOENT);
        EXPECT(log_enabled(LOG_LEVEL_INFO));

        start("good", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        errno = 0;
        EXPECT(!log_configure(&bad));
        EXPECT_EQ(errno, ENOENT);
        LOG(INFO, "still");
        log_stop();

        char *text = take_file("good");

        EXPECT(count_of(text, " info still\n") == 1);
        mem_free(text);
}

TEST(without_memory_it_does_not_start)
{
        struct log_config config = { LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path_of("none") };

        for (unsigned n = 0; n < 3; n++) {      /* the path and the two halves */
                mem_fail_after(n);
                errno = 0;
                EXPECT(!log_start(&config));
                mem_fail_after(-1);
                EXPECT_EQ(errno, ENOMEM);
        }
        EXPECT(log_start(&config));
        log_stop();
        unlink(config.file);
}

TEST(a_budget_refills_every_second)
{
        static const struct row {
                uint64_t now_ms;
                bool     allowed;
                unsigned skipped;
        } rows[] = {
                { 5000, true, 0 },  { 5001, true, 0 },  { 5002, false, 1 }, { 5999, false, 2 },
                { 6000, true, 2 },  { 6001, true, 0 },  { 6002, false, 1 }, { 9000, true, 1 },
                { 9999, true, 0 },  { 9999, false, 1 },
        };
        const struct row *row;
        struct log_limit  limit = { 0 };

        EACH(rows, row) {
                uint32_t skipped = 99;

                EXPECT(log_allowed(&limit, 2, row->now_ms, &skipped) == row->allowed, "row %td",
                       row - rows);
                EXPECT_EQ(skipped, row->skipped);
        }
        EXPECT(!log_allowed(&limit, 2, 9999, NULL));
}

TEST(nothing_is_left_behind)
{
        EXPECT_EQ(fds_open(), fds_first);
        EXPECT_EQ(rmdir(folder), 0);
}

SUITE(log, CASE(a_sink_gets_lines_on_the_callers_thread),
      CASE(without_a_file_it_is_standard_error), CASE(lines_reach_the_file_in_order),
      CASE(threads_may_log_while_files_change), CASE(a_stalled_reader_costs_lines_not_time),
      CASE(a_stalled_reader_does_not_stop_the_end), CASE(a_stalled_file_can_be_left),
      CASE(a_full_disk_is_told_when_it_is_not), CASE(a_torn_line_is_ended),
      CASE(a_file_that_cannot_be_opened_changes_nothing), CASE(without_memory_it_does_not_start),
      CASE(a_budget_refills_every_second), CASE(nothing_is_left_behind))
