#include "services/auth/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *read_all(int fd, size_t bytes_max, struct buffer *to)
{
        size_t before = buffer_len(to);

        for (;;) {
                ssize_t got;

                if (!buffer_reserve(to, 4096))
                        return "no memory";
                got = read(fd, to->bytes + to->len, 4096);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return got == 0 ? NULL : strerror(errno);
                to->len += (size_t)got;
                if (buffer_len(to) - before > bytes_max)
                        return "it is too large";
        }
}

const char *text_file_read(const char *path, size_t bytes_max, struct buffer *to)
{
        int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat stat;
        const char *wrong;

        if (fd < 0)
                return strerror(errno);
        wrong = fstat(fd, &stat) != 0          ? strerror(errno)
                : S_ISREG(stat.st_mode) == 0   ? "it is no regular file"
                                               : read_all(fd, bytes_max, to);
        close(fd);
        return wrong;
}

void text_file_wipe(struct buffer *text)
{
        if (text->bytes != NULL)
                explicit_bzero(text->bytes, text->size);
        buffer_deinit(text);
}
