#include "net/unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool unix_socket_owner(struct unix_socket *at, const char *owner, const char *group)
{
        const struct passwd *user = *owner != '\0' ? getpwnam(owner) : NULL;
        const struct group  *many = *group != '\0' ? getgrnam(group) : NULL;

        at->owner = user != NULL ? user->pw_uid : (uid_t)-1;
        at->group = many != NULL ? many->gr_gid : (gid_t)-1;
        return (*owner == '\0' || user != NULL) && (*group == '\0' || many != NULL);
}

static int new_socket(void)
{
        return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* 0 when nothing is in the way any more. */
static int clear_stale(const struct sockaddr_un *name)
{
        struct stat found;
        int         error = 0;
        int         fd;

        if (lstat(name->sun_path, &found) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(found.st_mode))
                return -EEXIST;
        fd = new_socket();
        if (fd < 0)
                return -errno;
        /* Refused: whoever made it is gone. A full queue (EAGAIN) has an owner. */
        if (connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 || errno != ECONNREFUSED)
                error = -EADDRINUSE;
        else if (unlink(name->sun_path) < 0 && errno != ENOENT)
                error = -errno;
        close(fd);
        return error;
}

int unix_socket_set_mode(const struct unix_socket *at)
{
        bool owned = at->owner != (uid_t)-1 || at->group != (gid_t)-1;

        return (owned && lchown(at->path, at->owner, at->group) < 0) ||
                               chmod(at->path, at->mode) < 0 ? -errno : 0;
}

/* Between bind() and listen() nobody can connect, so the mode is right in time. */
static int prepare(int fd, const struct unix_socket *at, const struct sockaddr_un *name,
                   int backlog)
{
        int error;

        if (bind(fd, (const struct sockaddr *)name, sizeof *name) < 0)
                return -errno;
        error = unix_socket_set_mode(at);
        if (error == 0 && listen(fd, backlog) < 0)
                error = -errno;
        if (error != 0)
                unlink(at->path);
        return error;
}

int unix_socket_listen(const struct unix_socket *at, int backlog)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        size_t             len  = strlen(at->path);
        int                fd, error;

        if (len >= sizeof name.sun_path)
                return -ENAMETOOLONG;
        memcpy(name.sun_path, at->path, len);
        error = clear_stale(&name);
        if (error != 0)
                return error;
        fd = new_socket();
        if (fd < 0)
                return -errno;
        error = prepare(fd, at, &name, backlog);
        if (error == 0)
                return fd;
        close(fd);
        return error;
}
