#include "services/store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNBORN_MAX = 8192 };             /* LMDB's first two pages */

/* The folder, ours alone. */
static bool prepare(struct folder *folder, const char *data_dir, bool read_only,
                    char why[static 256])
{
        struct stat stat_of;
        int         made;

        if (snprintf(folder->path, sizeof folder->path, "%s/store", data_dir) >=
            (int)sizeof folder->path) {
                snprintf(why, 256, "data_dir is too long a path");
                return false;
        }
        made = read_only ? 0 : mkdir(folder->path, 0700);
        if ((made != 0 && errno != EEXIST) || stat(folder->path, &stat_of) != 0) {
                snprintf(why, 256, "%.180s: %s", folder->path, strerror(errno));
                return false;
        }
        if (stat_of.st_uid != geteuid() && geteuid() != 0) {
                snprintf(why, 256, "%.150s belongs to user %u: run as that user, or give it to "
                                   "this one (chown)", folder->path, (unsigned)stat_of.st_uid);
                return false;
        }
        return true;
}

/* Root's helpers must not leave a file that the broker's own user cannot open. */
static void give_to_owner(int fd, const char *folder)
{
        struct stat stat_of;

        if (geteuid() == 0 && stat(folder, &stat_of) == 0 && stat_of.st_uid != 0 &&
            fchown(fd, stat_of.st_uid, stat_of.st_gid) != 0)
                return;                 /* a file system that knows no owners */
}

static bool sync_folder(const char *path)
{
        int  fd   = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool good = fd >= 0 && fsync(fd) == 0;

        if (fd >= 0)
                close(fd);
        return good;
}

/* A power cut at the very first start may leave a file of nothing but zeros. It has never held
 * anything: a larger one might have. */
static void forget_unborn(const struct folder *folder)
{
        char    name[FOLDER_PATH_SIZE + 16], bytes[UNBORN_MAX + 1];
        ssize_t len;
        int     file;

        snprintf(name, sizeof name, "%s/data.mdb", folder->path);
        file = open(name, O_RDWR | O_CLOEXEC);
        if (file < 0)
                return;
        len = pread(file, bytes, sizeof bytes, 0);
        while (len > 0 && len <= UNBORN_MAX && bytes[len - 1] == 0)
                len--;
        if (len == 0 && ftruncate(file, 0) != 0)
                len = -1;               /* opening it says what is wrong */
        close(file);
}

/* One process at a time; its pid is in the file for whoever finds it locked. */
static bool take_lock(struct folder *folder, bool read_only, char why[static 256])
{
        char    name[FOLDER_PATH_SIZE + 8], pid[32] = "";
        ssize_t got;

        snprintf(name, sizeof name, "%s/lock", folder->path);
        folder->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (folder->lock < 0 && read_only && (errno == EROFS || errno == EACCES)) {
                folder->lock = open(name, O_RDONLY | O_CLOEXEC);
                if (folder->lock < 0 && errno == ENOENT)
                        return true;    /* nobody has it open, and nobody can write here */
        }
        if (folder->lock < 0) {
                snprintf(why, 256, "%.180s: %s", name, strerror(errno));
                return false;
        }
        if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
                got = pread(folder->lock, pid, sizeof pid - 1, 0);
                snprintf(why, 256,
                         "%.150s is in use by process %.*s: stop it, or set another data_dir",
                         folder->path,
                         got > 0 ? (int)strcspn(pid, "\n") : 1, got > 0 ? pid : "?");
                close(folder->lock);
                folder->lock = -1;
                return false;
        }
        give_to_owner(folder->lock, folder->path);
        got = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
        if (ftruncate(folder->lock, 0) == 0 && pwrite(folder->lock, pid, (size_t)got, 0) != got)
                return ftruncate(folder->lock, 0) == 0;      /* a full disk: it says no pid, then */
        return true;
}


bool folder_enter(struct folder *folder, const char *data_dir, bool read_only,
                  char why[static 256])
{
        folder->lock = -1;
        if (!prepare(folder, data_dir, read_only, why) || !take_lock(folder, read_only, why))
                return false;
        if (!read_only)
                forget_unborn(folder);
        return true;
}

/* The file in its folder, that in data_dir, and that in its own. */
bool folder_sync(const struct folder *folder, const char *data_dir, char why[static 256])
{
        char above[FOLDER_PATH_SIZE + 8];

        snprintf(above, sizeof above, "%s/..", data_dir);
        if (sync_folder(folder->path) && sync_folder(data_dir) &&
            (sync_folder(above) || errno == EACCES))    /* another's: not made by us */
                return true;
        snprintf(why, 256, "%.180s: %s", folder->path, strerror(errno));
        return false;
}

void folder_leave(struct folder *folder)
{
        if (folder->lock >= 0)
                close(folder->lock);
        folder->lock = -1;
}
