/* Preloaded into linnetd: a disk that takes its time, or fails.
 *
 *      SLOW_DISK_MS=200        each fsync, fdatasync and msync takes that much longer
 *      SLOW_DISK_FAILS=FILE    fails with EIO for as long as FILE exists
 *      SLOW_DISK_COUNT=FILE    appends a byte for each
 *      SLOW_DISK_NO_MAP=FILE   no file is mapped beyond what LMDB begins with while FILE exists
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAP_FIRST = 64 << 20 };

int fsync(int fd);
int fdatasync(int fd);
int msync(void *at, size_t len, int flags);

static void count(const char *file)
{
        int fd = file != NULL ? open(file, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;

        if (fd < 0)
                return;
        if (write(fd, "1", 1) != 1)
                abort();
        close(fd);
}

static int is_bad(void)
{
        const char     *ms   = getenv("SLOW_DISK_MS");
        const char     *file = getenv("SLOW_DISK_FAILS");
        long            wait = ms != NULL ? strtol(ms, NULL, 10) : 0;
        struct timespec time = { wait / 1000, wait % 1000 * 1000000 };

        count(getenv("SLOW_DISK_COUNT"));
        nanosleep(&time, NULL);
        if (file == NULL || access(file, F_OK) != 0)
                return 0;
        errno = EIO;
        return 1;
}

int fsync(int fd)
{
        return is_bad() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
        return is_bad() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int msync(void *at, size_t len, int flags)
{
        return is_bad() ? -1 : (int)syscall(SYS_msync, at, len, flags);
}

static void *map(void *at, size_t len, int access_to, int flags, int fd, off_t offset)
{
        const char *file = getenv("SLOW_DISK_NO_MAP");

        if (fd >= 0 && len > MAP_FIRST && file != NULL && access(file, F_OK) == 0) {
                errno = ENOMEM;
                return MAP_FAILED;
        }
        return (void *)syscall(SYS_mmap, at, len, access_to, flags, fd, offset);
}

void *mmap(void *at, size_t len, int access_to, int flags, int fd, off_t offset)
{
        return map(at, len, access_to, flags, fd, offset);
}

void *mmap64(void *at, size_t len, int access_to, int flags, int fd, off_t offset)
{
        return map(at, len, access_to, flags, fd, offset);
}
