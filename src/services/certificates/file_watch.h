/* Tells that something may have happened to files: the kernel says so of their folders. */
#ifndef LINNET_SERVICES_CERTIFICATES_FILE_WATCH_H
#define LINNET_SERVICES_CERTIFICATES_FILE_WATCH_H

#include "base/str.h"
#include "rt/poll.h"

struct file_watch {
        struct watch watch;
        int          fd;                                /* -1: the kernel has none to give */
        void       (*changed)(struct file_watch *watch);
};

/* Without inotify it never tells, which is no error. */
void file_watch_open(struct file_watch *watch, struct poll *poll);
void file_watch_close(struct file_watch *watch);

/* The folder of this file, and that of what it links to; again, to notice those that were made
 * anew. */
void file_watch_add(struct file_watch *watch, const char *path);

/* Stands for what a list of files (separated by commas) held when it was looked at: the same again
 * unless one was changed, replaced, or became readable. */
uint64_t file_stamp(struct str list, uint64_t seed);

#endif
