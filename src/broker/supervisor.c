#include "broker/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { FIRST_FD = 3, BEATS = 3 };       /* before it loses patience */

/* 0 when it is not there, or no number. */
static uint64_t number_of(const char *variable)
{
        const char *text = getenv(variable);
        char       *end;
        uint64_t    number;

        if (text == NULL || *text < '0' || *text > '9')
                return 0;
        errno  = 0;
        number = strtoull(text, &end, 10);
        return *end == '\0' && errno == 0 ? number : 0;
}

/* "@name" is an abstract one. */
static void find_notify_socket(struct supervisor *s)
{
        const char *path = getenv("NOTIFY_SOCKET");
        size_t      len  = path != NULL ? strlen(path) : 0;

        if (len < 2 || len >= sizeof s->name.sun_path || (*path != '/' && *path != '@'))
                return;
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd < 0)
                return;
        s->name.sun_family = AF_UNIX;
        memcpy(s->name.sun_path, path, len);
        s->name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
        if (*path == '@')
                s->name.sun_path[0] = '\0';
}

static void find_watchdog(struct supervisor *s)
{
        uint64_t us  = number_of("WATCHDOG_USEC");
        uint64_t pid = number_of("WATCHDOG_PID");

        if (s->name.sun_family == 0 || us == 0 || (pid != 0 && pid != (uint64_t)getpid()))
                return;
        us /= 1000 * BEATS;
        s->beat_ms = us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void find_sockets(struct supervisor *s)
{
        uint64_t   count = number_of("LISTEN_FDS");
        struct str names = str_of(getenv("LISTEN_FDNAMES")), name;

        if (number_of("LISTEN_PID") != (uint64_t)getpid())
                return;
        s->socket_count = count < SUPERVISOR_SOCKETS_MAX ? (unsigned)count
                                                         : SUPERVISOR_SOCKETS_MAX;
        for (unsigned i = 0; i < s->socket_count; i++) {
                int fd = FIRST_FD + (int)i;

                s->sockets[i].fd = fd;
                (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
                (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
                if (str_cut(&names, ':', &name))
                        snprintf(s->sockets[i].name, SUPERVISOR_NAME_SIZE, "%.*s", STR_ARGS(name));
        }
}

void supervisor_init(struct supervisor *s)
{
        static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                                 "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };

        *s = (struct supervisor){ .fd = -1 };
        find_notify_socket(s);
        find_watchdog(s);
        find_sockets(s);
        for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
                unsetenv(variables[i]);
}

void supervisor_tell(const struct supervisor *s, const char *state)
{
        if (s->name.sun_family != 0)
                (void)sendto(s->fd, state, strlen(state), MSG_NOSIGNAL,
                             (const struct sockaddr *)&s->name, s->name_len);
}

/* The time tells it which reload is meant. */
void supervisor_reloading(const struct supervisor *s)
{
        struct timespec now;
        char            state[64];

        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
        supervisor_tell(s, state);
}

int supervisor_take(struct supervisor *s, const char *name)
{
        for (unsigned i = 0; i < s->socket_count; i++) {
                int fd = s->sockets[i].fd;

                if (fd < 0 || strcmp(s->sockets[i].name, name) != 0)
                        continue;
                s->sockets[i].fd = -1;
                return fd;
        }
        return -1;
}

void supervisor_close_rest(struct supervisor *s, char *names, unsigned size)
{
        size_t used = 0;

        names[0] = '\0';
        for (unsigned i = 0; i < s->socket_count; i++) {
                if (s->sockets[i].fd < 0)
                        continue;
                close(s->sockets[i].fd);
                s->sockets[i].fd = -1;
                if (used < size)
                        used += (size_t)snprintf(names + used, size - used, "%s%s",
                                                 used > 0 ? " " : "", s->sockets[i].name);
        }
}
