/* Where configuration comes from: files, what they include, and the environment. */
#include "broker/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { INCLUDE_DEPTH_MAX = 8, FILES_MAX = 100, LINE_SIZE = 4096 };

enum line { LINE_READ, LINE_END, LINE_TOO_LONG, LINE_NOT_TEXT };

struct source {
        struct config        *config;
        struct config_errors *errors;
        const char           *path;
        unsigned              line;
        unsigned              depth;
        unsigned             *files;            /* read so far, of all */
};

static void       load_file(const struct source *from, const char *path);
static void       load_lines(struct source *source, FILE *file);
static enum line  read_line(FILE *file, char line[static LINE_SIZE]);
static void       load_line(struct source *source, char *line);
static void       include(struct source *source, struct str path);
static bool       take_value(struct str text, char to[static LINE_SIZE], struct str *value);
static struct str trim(struct str text);
static void       load_environment(struct config *config, struct config_errors *errors);
static bool       key_of_variable(struct str name, char *key, size_t size);

bool config_load(struct config *config, const char *path, struct config_errors *errors)
{
        unsigned            files  = 0, before = errors->count;
        const struct source start  = { .config = config, .errors = errors, .files = &files };

        if (path != NULL)
                load_file(&start, path);
        load_environment(config, errors);
        config_check(config, path != NULL ? path : "configuration", errors);
        return errors->count == before;
}

/* `from` is where the file was asked for: the line that includes it, or nowhere. */
static void load_file(const struct source *from, const char *path)
{
        struct source source = *from;
        FILE         *file = fopen(path, "re");

        source.path = path;
        source.line = 0;
        if (file == NULL) {
                if (from->path != NULL)
                        config_error(from->errors, "%s:%u: cannot read %s: %s", from->path,
                                     from->line, path, strerror(errno));
                else
                        config_error(from->errors, "%s: cannot read it: %s", path, strerror(errno));
                return;
        }
        load_lines(&source, file);
        fclose(file);
}

/* Until the end, or what no text has: a device would go on for ever. */
static void load_lines(struct source *source, FILE *file)
{
        char      line[LINE_SIZE];
        enum line got;

        errno = 0;
        do {
                got = read_line(file, line);
                source->line++;
                if (got == LINE_READ)
                        load_line(source, line);
                else if (got == LINE_TOO_LONG)
                        config_error(source->errors, "%s:%u: the line is longer than %d bytes",
                                     source->path, source->line, LINE_SIZE - 2);
                else if (got == LINE_NOT_TEXT)
                        config_error(source->errors, "%s:%u: a NUL byte; this is no text, and "
                                     "nothing behind it was read", source->path, source->line);
        } while (got == LINE_READ || got == LINE_TOO_LONG);
        if (ferror(file))
                config_error(source->errors, "%s: cannot read it: %s", source->path,
                             strerror(errno));
}

static enum line read_line(FILE *file, char line[static LINE_SIZE])
{
        int    letter;
        size_t len = 0;
        bool   fits = true;

        while ((letter = getc(file)) != EOF && letter != '\n') {
                if (letter == '\0')
                        return LINE_NOT_TEXT;
                fits = fits && len < LINE_SIZE - 2;
                if (fits)
                        line[len++] = (char)letter;
        }
        line[len] = '\0';
        if (!fits)
                return LINE_TOO_LONG;
        return letter == EOF && len == 0 ? LINE_END : LINE_READ;
}

static void load_line(struct source *source, char *line)
{
        struct str rest = trim(str_of(line)), key, value;
        char       bytes[LINE_SIZE], why[OPTION_WHY_SIZE];
        bool       is_include;

        if (rest.len == 0 || rest.ptr[0] == '#')
                return;
        is_include = str_starts(rest, STR("include")) && rest.len > 7 &&
                     isspace((unsigned char)rest.ptr[7]) && trim(str_skip(rest, 7)).ptr[0] != '=';
        if (is_include) {
                rest = str_skip(rest, 7);
                key  = STR("include");
        } else if (memchr(rest.ptr, '=', rest.len) != NULL) {
                str_cut(&rest, '=', &key);
                key = trim(key);
        } else {
                config_error(source->errors, "%s:%u: no '='; a line is KEY = VALUE", source->path,
                             source->line);
                return;
        }
        if (!take_value(trim(rest), bytes, &value))
                config_error(source->errors, "%s:%u: %.*s: something is wrong with the quotes",
                             source->path, source->line, STR_ARGS(key));
        else if (is_include)
                include(source, value);
        else if (!config_set(source->config, key, value, why))
                config_error(source->errors, "%s:%u: %.*s: %s", source->path, source->line,
                             STR_ARGS(key), why);
        else if (str_eq(key, STR("auth.chain")))
                snprintf(source->config->auth.chain_place, sizeof source->config->auth.chain_place,
                         "%s:%u", source->path, source->line);
}

/* Relative to the file that includes it. */
static void include(struct source *source, struct str path)
{
        struct source inner = *source;
        const char   *slash = strrchr(source->path, '/');
        int           folder;
        char          full[CONFIG_PATH_SIZE];

        folder = path.len > 0 && path.ptr[0] != '/' && slash != NULL
                         ? (int)(slash - source->path) + 1 : 0;
        if ((size_t)snprintf(full, sizeof(full), "%.*s%.*s", folder, source->path, STR_ARGS(path))
            >= sizeof(full)) {
                config_error(source->errors, "%s:%u: include: the path is too long", source->path,
                             source->line);
                return;
        }
        inner.depth++;
        if (inner.depth > INCLUDE_DEPTH_MAX)
                config_error(source->errors, "%s:%u: include: more than %d files deep; %s",
                             source->path, source->line, INCLUDE_DEPTH_MAX,
                             "does one include itself?");
        else if (++*source->files >= FILES_MAX)
                config_error(source->errors, "%s:%u: include: more than %d files; %s", source->path,
                             source->line, FILES_MAX, "do some include each other?");
        else
                load_file(&inner, full);
}

/* Takes the quotes off, with \" and \\ inside them, or the comment behind a bare value. */
static bool take_value(struct str text, char to[static LINE_SIZE], struct str *value)
{
        size_t i = 0, len = 0;

        if (text.len == 0 || text.ptr[0] != '"') {
                while (i < text.len &&
                       (text.ptr[i] != '#' || (i > 0 && !isspace((unsigned char)text.ptr[i - 1]))))
                        i++;
                *value = trim(str_from(text.ptr, i));
                return true;
        }
        for (i = 1; i < text.len && text.ptr[i] != '"'; i++) {
                if (text.ptr[i] == '\\' && i + 1 < text.len && strchr("\"\\", text.ptr[i + 1]))
                        i++;
                to[len++] = text.ptr[i];
        }
        if (i == text.len)
                return false;
        *value = str_from(to, len);
        text   = trim(str_skip(text, i + 1));
        return text.len == 0 || text.ptr[0] == '#';
}

static struct str trim(struct str text)
{
        while (text.len > 0 && isspace((unsigned char)text.ptr[0]))
                text = str_skip(text, 1);
        while (text.len > 0 && isspace((unsigned char)text.ptr[text.len - 1]))
                text.len--;
        return text;
}

/* Variables with "__" are meant as options, so a wrong one is an error; others are not ours. */
static void load_environment(struct config *config, struct config_errors *errors)
{
        struct str name, value;
        char       key[128], why[OPTION_WHY_SIZE];

        for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
                value = str_of(*variable);
                if (!str_cut(&value, '=', &name) || !key_of_variable(name, key, sizeof(key)))
                        continue;
                if (!config_set(config, str_of(key), value, why))
                        config_error(errors, "environment: %.*s: %s", STR_ARGS(name), why);
        }
}

/* LINNET_MQTT__SESSION__MAX_INFLIGHT is mqtt.session.max_inflight. */
static bool key_of_variable(struct str name, char *key, size_t size)
{
        struct str prefix = STR("LINNET_");
        size_t     len = 0;
        bool       has_dot = false;

        if (!str_starts(name, prefix))
                return false;
        name = str_skip(name, prefix.len);
        if (name.len >= size)
                return false;
        while (name.len > 0) {
                bool is_dot = str_starts(name, STR("__"));

                key[len++] = is_dot ? '.' : (char)tolower((unsigned char)name.ptr[0]);
                has_dot    = has_dot || is_dot;
                name       = str_skip(name, is_dot ? 2 : 1);
        }
        key[len] = '\0';
        return has_dot;
}
