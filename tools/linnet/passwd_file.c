#include "passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { FILE_BYTES_MAX = 64 << 20, CHUNK = 16384 };

static bool fail(const char *path, const char *what)
{
        fprintf(stderr, "Error: %s: %s\n", path, what);
        return false;
}

static bool read_all(int from, const char *path, struct buffer *to)
{
        char    chunk[CHUNK];
        ssize_t got;

        while ((got = read(from, chunk, sizeof chunk)) > 0) {
                if (buffer_len(to) + (size_t)got > FILE_BYTES_MAX)
                        return fail(path, "it is larger than 64 MB");
                if (!buffer_append(to, str_from(chunk, (size_t)got)))
                        return fail(path, "no memory");
        }
        if (got < 0)
                return fail(path, strerror(errno));

        struct str text = buffer_str(to);

        return text.len == 0 || text.ptr[text.len - 1] == '\n' || buffer_append(to, STR("\n"));
}

static bool read_old(struct passwd_file *file)
{
        int  from = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        bool good;

        if (from < 0)
                return fail(file->path, strerror(errno));
        if (fstat(from, &file->status) != 0)
                good = fail(file->path, strerror(errno));
        else if (!S_ISREG(file->status.st_mode))
                good = fail(file->path, "it is no regular file");
        else
                good = read_all(from, file->path, &file->text);
        close(from);
        return good;
}

bool passwd_file_open(struct passwd_file *file, const char *path, bool make)
{
        char        found[PATH_MAX];
        const char *whole = realpath(path, found);

        *file = (struct passwd_file){ .is_new = whole == NULL && errno == ENOENT && make };
        if (whole == NULL && !file->is_new)
                return fail(path, errno == ENOENT ? "it is not there; -c makes it"
                                                  : strerror(errno));
        file->path = mem_dup(str_of(whole != NULL ? whole : path));
        if (file->path == NULL)
                return fail(path, "no memory");
        if (file->is_new)
                return true;
        if (!read_old(file))
                return false;
        return !make || buffer_len(&file->text) == 0 ||
               fail(path, "it is there already; leave -c out to change it");
}

void passwd_file_close(struct passwd_file *file)
{
        struct str text = buffer_str(&file->text);

        if (text.len > 0)
                explicit_bzero((char *)text.ptr, text.len);
        buffer_deinit(&file->text);
        mem_free(file->path);
}

/* Of a line with its newline: false when it names nobody. */
static bool split(struct str line, struct str *name, struct str *hash)
{
        line.len--;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
                line.len--;
        *hash = line;
        return line.len > 0 && line.ptr[0] != '#' && memchr(line.ptr, ':', line.len) != NULL &&
               str_cut(hash, ':', name);
}

static bool next_line(struct str *rest, struct str *line)
{
        const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;

        if (end == NULL)
                return false;
        *line = str_from(rest->ptr, (size_t)(end + 1 - rest->ptr));
        *rest = str_skip(*rest, line->len);
        return true;
}

static bool put(struct buffer *to, struct str name, const char *hash)
{
        return buffer_append(to, name) && buffer_append(to, STR(":")) &&
               buffer_append(to, str_of(hash)) && buffer_append(to, STR("\n"));
}

/* What becomes of one line. */
struct change {
        const char *(*hash)(void *context, struct str name, struct str old, bool *failed);
        void        *context;
        unsigned     count;
};

static const char removed[] = "";

/* Walks over the lines; the hash of a change: NULL leaves the line, `removed` takes it out. */
static bool rewrite(struct passwd_file *file, struct change *change)
{
        struct buffer fresh = { 0 };
        struct str    rest  = buffer_str(&file->text), line, name, old;
        bool          good  = true, failed = false;

        while (good && next_line(&rest, &line)) {
                const char *hash = split(line, &name, &old)
                                           ? change->hash(change->context, name, old, &failed)
                                           : NULL;

                change->count += hash != NULL;
                if (failed || (hash == NULL ? !buffer_append(&fresh, line)
                                            : hash != removed && !put(&fresh, name, hash)))
                        good = false;
        }
        if (good) {
                struct buffer stale = file->text;

                file->text = fresh;
                fresh      = stale;
        } else if (!failed) {
                fail(file->path, "no memory");
        }
        buffer_deinit(&fresh);
        return good;
}

struct one {
        struct str  name;
        const char *hash;
};

static const char *change_one(void *context, struct str name, struct str old, bool *failed)
{
        const struct one *one = context;

        (void)old;
        *failed = false;
        return str_eq(name, one->name) ? one->hash : NULL;
}

bool passwd_file_set(struct passwd_file *file, struct str name, const char *hash)
{
        struct one    one    = { name, hash };
        struct change change = { .hash = change_one, .context = &one };

        if (!rewrite(file, &change))
                return false;
        return change.count > 0 || put(&file->text, name, hash) || fail(file->path, "no memory");
}

bool passwd_file_remove(struct passwd_file *file, struct str name)
{
        struct one    one    = { name, removed };
        struct change change = { .hash = change_one, .context = &one };

        if (!rewrite(file, &change))
                return false;
        return change.count > 0 || fail(file->path, "there is no such user in it");
}

struct all {
        passwd_hash *hash;
        void        *context;
};

static const char *change_all(void *context, struct str name, struct str old, bool *failed)
{
        const struct all *all  = context;
        const char       *hash = all->hash(all->context, name, old);

        *failed = hash == NULL;
        return hash != NULL && str_eq(str_of(hash), old) ? NULL : hash;
}

int passwd_file_change(struct passwd_file *file, passwd_hash *hash, void *context)
{
        struct all    all    = { hash, context };
        struct change change = { .hash = change_all, .context = &all };

        return rewrite(file, &change) ? (int)change.count : -1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool fill(int to, const struct passwd_file *file)
{
        struct str rest = buffer_str(&file->text);

        while (rest.len > 0) {
                ssize_t put_now = write(to, rest.ptr, rest.len);

                if (put_now < 0 && errno != EINTR)
                        return false;
                rest = str_skip(rest, put_now > 0 ? (size_t)put_now : 0);
        }
        if (!file->is_new) {
                mode_t mode = file->status.st_mode & 0777;

                if (fchown(to, file->status.st_uid, file->status.st_gid) != 0 ||
                    fchmod(to, mode) != 0)
                        return false;
        }
        return fsync(to) == 0;
}

/* The name is safe, too. */
static bool sync_folder(const char *path)
{
        char *copy   = mem_dup(str_of(path));
        int   folder = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        bool  good   = folder >= 0 && fsync(folder) == 0;

        if (folder >= 0)
                close(folder);
        mem_free(copy);
        return good;
}

bool passwd_file_write(struct passwd_file *file)
{
        size_t len  = strlen(file->path);
        char  *path = mem_alloc(len + 8);
        int    to;
        bool   good;

        if (path == NULL)
                return fail(file->path, "no memory");
        memcpy(path, file->path, len);
        memcpy(path + len, ".XXXXXX", 8);
        to   = mkostemp(path, O_CLOEXEC);       /* mode 0600 */
        good = to >= 0 && fill(to, file) && rename(path, file->path) == 0 &&
               sync_folder(file->path);
        if (!good)
                fail(file->path, strerror(errno));
        if (to >= 0) {
                close(to);
                unlink(path);                   /* nothing once it was renamed */
        }
        mem_free(path);
        return good;
}
