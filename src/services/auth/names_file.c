#include "services/auth/names_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "mqtt/utf8.h"

enum { READ_BYTES = 16384, OTHERS = 0027 };     /* what none but the owner and its group may */

static const char *take_line(struct str text, names_file_take *take, void *context, unsigned line)
{
        struct str name;

        if (text.len > 0 && text.ptr[text.len - 1] == '\r')
                text.len--;
        if (text.len == 0 || text.ptr[0] == '#')
                return NULL;
        if (text.len > NAMES_FILE_LINE_MAX)
                return "it is longer than 2048 bytes";
        if (memchr(text.ptr, ':', text.len) == NULL)
                return "it has no ':'; a line is NAME:HASH";
        str_cut(&text, ':', &name);
        if (name.len == 0 || name.len > NAMES_FILE_NAME_MAX || !utf8_valid(name))
                return "its name is empty, longer than 1024 bytes, or not UTF-8";
        if (text.len == 0)
                return "there is nothing behind its ':'";
        return take(context, name, text, line);
}

bool names_file_parse(struct str bytes, const char *path, names_file_take *take, void *context,
                      char why[static AUTH_WHY_SIZE])
{
        struct str text;

        for (unsigned line = 1; bytes.len > 0 && str_cut(&bytes, '\n', &text); line++) {
                const char *wrong = take_line(text, take, context, line);

                if (wrong == NULL)
                        continue;
                if (wrong[0] == '\0')
                        why[0] = '\0';
                else
                        snprintf(why, AUTH_WHY_SIZE, "%s:%u: %s", path, line, wrong);
                return false;
        }
        return true;
}

/* NULL, or what is wrong. The room is made once, so that no copy is left behind. */
static const char *read_all(int file, off_t size, struct buffer *to)
{
        char    chunk[READ_BYTES];
        ssize_t got;

        if (size > NAMES_FILE_BYTES_MAX)
                return "it is larger than 64 MB";
        if (!buffer_reserve(to, (size_t)size))
                return "no memory";
        while ((got = read(file, chunk, sizeof chunk)) > 0) {
                if (buffer_len(to) + (size_t)got > (size_t)size)
                        return "it grows while it is read";
                if (!buffer_append(to, str_from(chunk, (size_t)got)))
                        return "no memory";
        }
        explicit_bzero(chunk, sizeof chunk);
        return got < 0 ? strerror(errno) : NULL;
}

static const char *open_and_read(const char *path, struct buffer *to)
{
        int         file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const char *wrong;
        struct stat status;

        if (file < 0)
                return strerror(errno);
        if (fstat(file, &status) != 0)
                wrong = strerror(errno);
        else if (!S_ISREG(status.st_mode))
                wrong = "it is no regular file";
        else
                wrong = read_all(file, status.st_size, to);
        if (wrong == NULL && (status.st_mode & OTHERS) != 0)
                LOG(WARNING, "auth.file_open_to_others", F_TEXT("file", path),
                    F_TEXT("hint", "chmod 600, or 640 with the broker's group"));
        close(file);
        return wrong;
}

bool names_file_read(const char *path, names_file_take *take, void *context,
                     char why[static AUTH_WHY_SIZE])
{
        struct buffer bytes = { 0 };
        const char   *wrong = open_and_read(path, &bytes);
        bool          good  = false;

        if (wrong != NULL)
                snprintf(why, AUTH_WHY_SIZE, "%s: cannot read it: %s", path, wrong);
        else
                good = names_file_parse(buffer_str(&bytes), path, take, context, why);
        if (buffer_len(&bytes) > 0)
                explicit_bzero((char *)buffer_str(&bytes).ptr, buffer_len(&bytes));
        buffer_deinit(&bytes);
        return good;
}
