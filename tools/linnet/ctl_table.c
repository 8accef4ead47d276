#include "ctl_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mqtt/utf8.h"

enum { COLUMNS_MAX = 16, CELL_SIZE = 256, ROWS_GATHERED_MAX = 1000 };

/* Shown one above the other, since there is one of it. */
static bool is_single(const char *kind)
{
        return strcmp(kind, "broker") == 0 || strcmp(kind, "session_shown") == 0;
}

static const char *kind_of(const json_t *row)
{
        const char *kind = json_string_value(json_object_get(row, "is"));

        return kind != NULL ? kind : "";
}

static bool ends(const char *text, const char *end)
{
        size_t len = strlen(text), end_len = strlen(end);

        return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Nothing of a client's name may move the cursor or colour the rest. */
static void clean(char *to, size_t size, const char *text)
{
        size_t at = 0;

        for (; *text != '\0' && at + 5 < size; text++) {
                unsigned char c = (unsigned char)*text;

                if (c < ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0))
                        at += (size_t)snprintf(to + at, size - at, "\\x%02x", c);
                else
                        to[at++] = (char)c;
        }
        to[at] = '\0';
}

static void show_time(char *to, size_t size, const char *name, int64_t seconds)
{
        time_t    time = (time_t)seconds;
        struct tm parts;

        if (seconds == 0)
                snprintf(to, size, strcmp(name, "until_s") == 0 ? "for good" : "-");
        else if (gmtime_r(&time, &parts) == NULL ||
                 strftime(to, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
                snprintf(to, size, "%" PRId64, seconds);
}

static void show_span(char *to, size_t size, int64_t seconds)
{
        snprintf(to, size, "%" PRId64 "d %02d:%02d:%02d", seconds / 86400,
                 (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60));
}

/* A moment is called ..._s and so is a span: those have their names here. */
static bool is_moment(const char *name)
{
        static const char *const names[] = { "since_s", "until_s", "raised_s", "created_s",
                                             "away_since_s" };

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

static void show(char to[static CELL_SIZE], const char *name, const json_t *value)
{
        if (json_is_string(value))
                clean(to, CELL_SIZE, json_string_value(value));
        else if (!json_is_integer(value))
                snprintf(to, CELL_SIZE, "-");
        else if (is_moment(name))
                show_time(to, CELL_SIZE, name, json_integer_value(value));
        else if (strcmp(name, "uptime_s") == 0)
                show_span(to, CELL_SIZE, json_integer_value(value));
        else
                snprintf(to, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void show_name(char to[static CELL_SIZE], const char *name)
{
        size_t len = strlen(name) - (ends(name, "_s") ? 2 : 0);

        snprintf(to, CELL_SIZE, "%.*s", (int)len, name);
}

/* How many places the text takes on a line: its characters. */
static int width_of(const char *text)
{
        int width = 0;

        for (; *text != '\0'; text++)
                width += ((unsigned char)*text & 0xc0) != 0x80;
        return width;
}

static void print_cell(const char *text, int width, bool last)
{
        fputs(text, stdout);
        for (int i = width_of(text); i < width && !last; i++)
                putchar(' ');
        fputs(last ? "\n" : "  ", stdout);
}

static void print_single(json_t *row)
{
        const char *name;
        json_t     *value;
        char        cell[CELL_SIZE], head[CELL_SIZE];

        json_object_foreach(row, name, value) {
                if (strcmp(name, "is") == 0)
                        continue;
                show(cell, name, value);
                show_name(head, name);
                printf("%-16s %s\n", head, cell);
        }
}

/* "~ log.level  info -> debug  (live)" */
static void print_change(const json_t *row)
{
        static const char *const names[] = { "sign", "key", "from", "to", "applied" };
        char                     cells[5][CELL_SIZE];

        for (int i = 0; i < 5; i++)
                show(cells[i], names[i], json_object_get(row, names[i]));
        if (cells[0][0] == '~')
                printf("~ %s %s -> %s (%s)\n", cells[1], cells[2], cells[3], cells[4]);
        else
                printf("%s %s %s%s (%s)\n", cells[0], cells[1], cells[2], cells[3], cells[4]);
}

static unsigned columns_of(json_t *row, const char *names[static COLUMNS_MAX])
{
        const char *name;
        json_t     *value;
        unsigned    count = 0;

        json_object_foreach(row, name, value)
                if (strcmp(name, "is") != 0 && count < COLUMNS_MAX)
                        names[count++] = name;
        return count;
}

static void print_table(json_t *rows)
{
        const char *names[COLUMNS_MAX];
        int         widths[COLUMNS_MAX];
        unsigned    count = columns_of(json_array_get(rows, 0), names);
        size_t      at;
        json_t     *row;
        char        cell[CELL_SIZE];

        for (unsigned i = 0; i < count; i++) {
                show_name(cell, names[i]);
                widths[i] = width_of(cell);
                json_array_foreach(rows, at, row) {
                        show(cell, names[i], json_object_get(row, names[i]));
                        if (width_of(cell) > widths[i])
                                widths[i] = width_of(cell);
                }
        }
        for (unsigned i = 0; i < count; i++) {
                show_name(cell, names[i]);
                print_cell(cell, widths[i], i + 1 == count);
        }
        json_array_foreach(rows, at, row) {
                for (unsigned i = 0; i < count; i++) {
                        show(cell, names[i], json_object_get(row, names[i]));
                        print_cell(cell, widths[i], i + 1 == count);
                }
        }
}

void ctl_table_end(struct ctl_table *table)
{
        json_t     *first = json_array_get(table->rows, 0);
        const char *kind  = kind_of(first);
        size_t      at;
        json_t     *row;

        if (first == NULL)
                return;
        if (table->any)
                putchar('\n');
        table->any = true;
        if (is_single(kind))
                print_single(first);
        else if (strcmp(kind, "change") == 0)
                json_array_foreach(table->rows, at, row)
                        print_change(row);
        else if (strcmp(kind, "option") == 0 || strcmp(kind, "problem") == 0)
                json_array_foreach(table->rows, at, row)
                        puts(json_string_value(json_object_get(row, kind[0] == 'o' ? "value"
                                                                                   : "what")));
        else
                print_table(table->rows);
        json_array_clear(table->rows);
}

void ctl_table_add(struct ctl_table *table, json_t *row)
{
        const json_t *first = json_array_get(table->rows, 0);

        if (first != NULL && (strcmp(kind_of(first), kind_of(row)) != 0 ||
                              json_array_size(table->rows) == ROWS_GATHERED_MAX))
                ctl_table_end(table);
        json_array_append(table->rows, row);
}
