#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, READ_STEP = 65536 };

/* Who may not do it, and what stands in the way. */
static void explain_denied(const char *part, const char *what, char *why, size_t size)
{
        struct stat is;

        if (stat(part, &is) != 0)
                snprintf(why, size, "permission denied on %s %s", what, part);
        else
                snprintf(why, size,
                         "permission denied on %s %s (mode %04o, owner %u, group %u; this is user "
                         "%u, group %u)",
                         what, part, (unsigned)(is.st_mode & 07777), (unsigned)is.st_uid,
                         (unsigned)is.st_gid, (unsigned)geteuid(), (unsigned)getegid());
}

/* True when the directory is to blame. */
static bool explain_directory(const char *directory, char *why, size_t size)
{
        struct stat is;
        int         error;

        if (faccessat(AT_FDCWD, directory, X_OK, AT_EACCESS) == 0)
                return false;
        error = errno;
        if (error == ENOTDIR || (stat(directory, &is) == 0 && !S_ISDIR(is.st_mode)))
                snprintf(why, size, "%s is not a directory", directory);
        else if (error == EACCES)
                explain_denied(directory, "the directory", why, size);
        else if (error == ENOENT)
                snprintf(why, size, "there is no directory %s", directory);
        else
                snprintf(why, size, "%s: %s", directory, strerror(error));
        return true;
}

/* The part of the path that is to blame for the errno. */
static void explain(const char *path, int error, char *why, size_t size)
{
        char part[PATH_BYTES_MAX];

        for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
                size_t len = slash == path ? 1 : (size_t)(slash - path);

                if (len >= sizeof part)
                        break;
                memcpy(part, path, len);
                part[len] = '\0';
                if (explain_directory(part, why, size))
                        return;
        }
        if (error == EACCES)
                explain_denied(path, "the file", why, size);
        else if (error == ENOENT)
                snprintf(why, size, "there is no such file");
        else
                snprintf(why, size, "%s", strerror(error));
}

/* 0, or an errno. Makes room for all of it first, so that no copy of a secret stays behind. */
static int read_all(int fd, size_t size, size_t max, struct buffer *to)
{
        size_t start = to->len;

        if (size > max)
                return EFBIG;
        if (!buffer_reserve(to, size + 2 * READ_STEP))
                return ENOMEM;
        for (;;) {
                ssize_t got;

                if (!buffer_reserve(to, READ_STEP))
                        return ENOMEM;
                got = read(fd, to->bytes + to->len, READ_STEP);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return errno;
                if (got == 0)
                        return 0;
                to->len += (size_t)got;
                if (to->len - start > max)
                        return EFBIG;
        }
}

/* Not blocking, so that a named pipe is refused instead of waited for. */
bool path_read(const char *path, size_t max, struct buffer *to, char *why, size_t size)
{
        struct stat is;
        int         fd    = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        int         error = fd < 0 ? errno : 0;

        if (fd >= 0 && fstat(fd, &is) == 0 && S_ISREG(is.st_mode))
                error = read_all(fd, (size_t)is.st_size, max, to);
        else if (fd >= 0)
                error = EISDIR;
        if (fd >= 0)
                close(fd);
        if (error == EFBIG)
                snprintf(why, size, "it has more than %zu bytes", max);
        else if (error == EISDIR)
                snprintf(why, size, "it is not a regular file");
        else if (error != 0)
                explain(path, error, why, size);
        return error == 0;
}

bool path_next(struct str *list, char *item, size_t size)
{
        struct str part;

        if (list->len == 0 || !str_list_cut(list, &part) || part.len >= size)
                return false;
        memcpy(item, part.ptr, part.len);
        item[part.len] = '\0';
        return true;
}
