#include "services/auth/names_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

static char seen[256];

static const char *take(void *context, struct str name, struct str value, unsigned line)
{
        size_t used = strlen(seen);

        (void)context;
        snprintf(seen + used, sizeof seen - used, "%u %.*s=%.*s;", line, STR_ARGS(name),
                 STR_ARGS(value));
        return str_eq(value, STR("bad")) ? "it is bad" : NULL;
}

TEST(lines)
{
        static const struct row {
                const char *text, *seen, *why;
        } rows[] = {
                { "", "", NULL },
                { "\n# a comment: with a colon\n\na:b\nc:d:e", "4 a=b;5 c=d:e;", NULL },
                { "a:b\r\n\r\nc:d\r\n", "1 a=b;3 c=d;", NULL },
                { "a:b\nbob\n", "1 a=b;", "f:2: it has no ':'; a line is NAME:HASH" },
                { "a:\n", "", "f:1: there is nothing behind its ':'" },
                { ":b\n", "", "f:1: its name is empty, longer than 1024 bytes, or not UTF-8" },
                { "\xff:b\n", "", "f:1: its name is empty, longer than 1024 bytes, or not UTF-8" },
                { "a:bad\nc:d\n", "1 a=bad;", "f:1: it is bad" },
        };
        const struct row *row;

        EACH(rows, row)
        {
                char why[AUTH_WHY_SIZE] = "";

                seen[0] = '\0';
                EXPECT(names_file_parse(str_of(row->text), "f", take, NULL, why) ==
                       (row->why == NULL), "%s: %s", row->text, why);
                EXPECT(strcmp(seen, row->seen) == 0, "%s", seen);
                EXPECT(row->why == NULL || strcmp(why, row->why) == 0, "%s", why);
        }
}

TEST(a_long_line_is_refused)
{
        char text[NAMES_FILE_LINE_MAX + 3], why[AUTH_WHY_SIZE];

        memset(text, 'x', sizeof text);
        text[1] = ':';
        EXPECT(names_file_parse(str_from(text, NAMES_FILE_LINE_MAX), "f", take, NULL, why));
        EXPECT(!names_file_parse(str_from(text, NAMES_FILE_LINE_MAX + 1), "f", take, NULL, why));
        EXPECT(strcmp(why, "f:1: it is longer than 2048 bytes") == 0, "%s", why);
}

static unsigned warnings;

static void sink(void *context, enum log_level level, struct str line)
{
        (void)context;
        warnings += level == LOG_LEVEL_WARNING &&
                    memmem(line.ptr, line.len, "auth.file_open_to_others", 24) != NULL;
}

TEST(a_file_is_for_its_owner)
{
        static const struct row {
                mode_t   mode;
                unsigned warnings;
        } rows[] = { { 0600, 0 }, { 0640, 0 }, { 0400, 0 }, { 0644, 1 }, { 0620, 1 }, { 0660, 1 } };
        char              path[] = "/tmp/linnet-names-XXXXXX", why[AUTH_WHY_SIZE];
        int               file   = mkstemp(path);
        const struct row *row;

        EXPECT(file >= 0 && write(file, "a:b\n", 4) == 4);
        log_set_sink(sink, NULL);
        EACH(rows, row)
        {
                warnings = 0;
                EXPECT(fchmod(file, row->mode) == 0);
                EXPECT(names_file_read(path, take, NULL, why), "%s", why);
                EXPECT_EQ(warnings, row->warnings);
        }
        log_set_sink(NULL, NULL);
        close(file);
        unlink(path);
        EXPECT(!names_file_read(path, take, NULL, why));
        EXPECT(strstr(why, "cannot read it: No such file") != NULL, "%s", why);
        EXPECT(!names_file_read("/tmp", take, NULL, why));
        EXPECT(strcmp(why, "/tmp: cannot read it: it is no regular file") == 0, "%s", why);
}

SUITE(names_file, CASE(lines), CASE(a_long_line_is_refused), CASE(a_file_is_for_its_owner))
