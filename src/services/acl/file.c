#include "services/acl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

enum { READ_BYTES = 65536 };

static struct acl_mark mark_of(const struct stat *stat)
{
        return (struct acl_mark){
                .device     = stat->st_dev,
                .inode      = stat->st_ino,
                .size       = (uint64_t)stat->st_size,
                .changed_ns = (uint64_t)stat->st_ctim.tv_sec * 1000000000u +
                              (uint64_t)stat->st_ctim.tv_nsec,        /* of its rights, too */
        };
}

static bool same(const struct acl_mark *a, const struct acl_mark *b)
{
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               a->changed_ns == b->changed_ns;
}

/* The whole of it, bounded. NULL, or what is wrong. */
static const char *read_all(int fd, struct buffer *text)
{
        ssize_t got = 1;

        while (got > 0) {
                if (text->len > ACL_FILE_BYTES_MAX)
                        return "the file is larger than 16 MB";
                if (!buffer_reserve(text, READ_BYTES))
                        return "out of memory";
                got = read(fd, text->bytes + text->len, READ_BYTES);
                if (got > 0)
                        text->len += (size_t)got;
        }
        return got == 0 ? NULL : strerror(errno);
}

struct acl_rules *acl_file_read(struct acl_file *file, const char *path, enum acl_format format,
                                char why[static ACL_WHY_SIZE])
{
        struct buffer     text  = { 0 };
        struct acl_rules *rules = NULL;
        struct stat       status;
        const char       *wrong;
        int               fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
                wrong = strerror(errno);
        else if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
                wrong = "it is no file";
        else
                wrong = read_all(fd, &text);

        /* Read or not: it is looked at again when it has changed. */
        if ((fd >= 0 ? fstat(fd, &status) : stat(path, &status)) == 0)
                file->read = file->seen = mark_of(&status);
        if (wrong == NULL) {
                rules      = acl_rules_parse(path, buffer_str(&text), format, why);
        } else {
                snprintf(why, ACL_WHY_SIZE, "%.300s: %s; check acl.file", path, wrong);
        }
        if (fd >= 0)
                close(fd);
        buffer_deinit(&text);
        return rules;
}

bool acl_file_changed(struct acl_file *file, const char *path)
{
        struct stat     status;
        struct acl_mark now, before = file->seen;

        if (stat(path, &status) != 0)
                return false;
        now        = mark_of(&status);
        file->seen = now;
        return !same(&now, &file->read) && same(&now, &before);
}
