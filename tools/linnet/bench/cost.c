#include "cost.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 4096, PATH_SIZE = 512 };

__attribute__((format(printf, 2, 3)))
static bool read_text(char to[static TEXT_SIZE], const char *format, ...)
{
        char    path[PATH_SIZE];
        va_list values;
        ssize_t got;
        int     fd;

        va_start(values, format);
        vsnprintf(path, sizeof(path), format, values);
        va_end(values);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        got = read(fd, to, TEXT_SIZE - 1);
        close(fd);
        to[got > 0 ? got : 0] = '\0';
        return got > 0;
}

static uint64_t number_behind(const char *text, const char *name)
{
        const char *at    = strstr(text, name);
        uint64_t    value = 0;

        if (at != NULL)
                sscanf(at + strlen(name), " %" SCNu64, &value);
        return value;
}

/* User and system time of the whole process in ticks of 10 ms: fields 14 and 15, behind a name
 * that may have spaces. */
static uint64_t ticks_us(pid_t pid)
{
        char        text[TEXT_SIZE];
        const char *at;
        uint64_t    user = 0, system = 0;

        if (!read_text(text, "/proc/%d/stat", (int)pid) || (at = strrchr(text, ')')) == NULL)
                return 0;
        sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, &user,
               &system);
        return (user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void add_thread(pid_t pid, const char *task, uint64_t *cpu_ns, struct cost *out)
{
        char     text[TEXT_SIZE];
        uint64_t ns = 0;

        if (read_text(text, "/proc/%d/task/%s/schedstat", (int)pid, task))
                sscanf(text, "%" SCNu64, &ns);
        *cpu_ns += ns;
        if (read_text(text, "/proc/%d/task/%s/status", (int)pid, task))
                out->switches += number_behind(text, "\nvoluntary_ctxt_switches:") +
                                 number_behind(text, "\nnonvoluntary_ctxt_switches:");
}

uint64_t cost_rss_kb(pid_t pid)
{
        char text[TEXT_SIZE];

        return read_text(text, "/proc/%d/status", (int)pid) ? number_behind(text, "VmRSS:") : 0;
}

bool cost_read(pid_t pid, struct cost *out)
{
        char           path[64];
        uint64_t       cpu_ns = 0;
        struct dirent *entry;
        DIR           *tasks;

        *out = (struct cost){ .rss_kb = cost_rss_kb(pid) };
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        tasks = opendir(path);
        if (tasks == NULL)
                return false;
        while ((entry = readdir(tasks)) != NULL) {
                if (entry->d_name[0] != '.')
                        add_thread(pid, entry->d_name, &cpu_ns, out);
        }
        closedir(tasks);
        out->cpu_us = cpu_ns > 0 ? cpu_ns / 1000 : ticks_us(pid);
        return true;
}
