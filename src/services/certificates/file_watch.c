#include "services/certificates/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/path.h"

enum { EVENTS_BYTES = 4096 };

/* Which of them does not matter: whoever is told looks at all the files. */
static void on_ready(struct watch *watch, unsigned events)
{
        struct file_watch *self = list_entry(watch, struct file_watch, watch);
        char               told[EVENTS_BYTES];

        (void)events;
        while (read(self->fd, told, sizeof told) > 0)
                continue;
        self->changed(self);
}

void file_watch_open(struct file_watch *watch, struct poll *poll)
{
        watch->fd    = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        watch->watch = (struct watch){ .fd = watch->fd, .ready = on_ready };
        if (watch->fd >= 0 && !poll_add(poll, &watch->watch, POLL_READ)) {
                close(watch->fd);
                watch->fd = -1;
        }
}

void file_watch_close(struct file_watch *watch)
{
        if (watch->fd < 0)
                return;
        poll_remove(&watch->watch);
        close(watch->fd);
        watch->fd = -1;
}

static void add_folder(struct file_watch *watch, const char *path)
{
        char        folder[PATH_MAX];
        const char *slash = strrchr(path, '/');

        if (slash == NULL)
                snprintf(folder, sizeof folder, ".");
        else
                snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
        (void)inotify_add_watch(watch->fd, folder,
                                IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB |
                                        IN_ONLYDIR);
}

void file_watch_add(struct file_watch *watch, const char *path)
{
        char target[PATH_MAX];

        if (watch->fd < 0)
                return;
        add_folder(watch, path);
        if (realpath(path, target) != NULL)
                add_folder(watch, target);
}

static uint64_t mix(uint64_t stamp, uint64_t value)
{
        return hash_u64(stamp ^ value) + value;
}

uint64_t file_stamp(struct str list, uint64_t seed)
{
        char        path[PATH_MAX];
        uint64_t    stamp = mix(seed, list.len);
        struct stat is;

        while (path_next(&list, path, sizeof path)) {
                if (stat(path, &is) != 0) {
                        stamp = mix(stamp, (uint64_t)errno);
                        continue;
                }
                stamp = mix(stamp, is.st_dev);
                stamp = mix(stamp, is.st_ino);
                stamp = mix(stamp, (uint64_t)is.st_size);
                stamp = mix(stamp, (uint64_t)is.st_mtim.tv_sec * 1000000000u +
                                           (uint64_t)is.st_mtim.tv_nsec);
                stamp = mix(stamp, (uint64_t)is.st_ctim.tv_sec * 1000000000u +
                                           (uint64_t)is.st_ctim.tv_nsec);
        }
        return stamp;
}
