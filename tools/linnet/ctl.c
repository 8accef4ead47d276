#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/config.h"
#include "ctl_table.h"
#include "services/admin/words.h"

enum { LINE_SIZE_MAX = 8 * 1024 * 1024 };       /* of a row */

static const char help[] =
        "linnet ctl [-c FILE | --socket PATH] [--json] COMMAND...   asks a running broker\n"
        "\n"
        "  -c FILE         the broker's configuration, which says where its socket is;\n"
        "                  else ./linnet.conf and /etc/linnet/linnet.conf are looked for\n"
        "  --socket PATH   the socket itself\n"
        "  --json          an object for each row instead of tables\n"
        "\n"
        "linnet ctl help lists the commands of the running broker. The most used ones:\n"
        "  status                   the broker, its shards, listeners and alarms\n"
        "  reload [--check]         reads the configuration anew; or only says what it would do\n"
        "  config get KEY           an option as it is in force\n"
        "  bans list\n"
        "  bans add address|clientid|username VALUE [--for TIME] [--reason TEXT]\n"
        "  bans del address|clientid|username VALUE\n"
        "  clients list             and: clients show ID, clients kick ID\n"
        "\n"
        "Ends with 0; 1 when the broker says no; 2 when it could not be asked.\n";

enum { EXIT_REFUSED = 1, EXIT_UNASKED = 2 };

struct ctl {
        const char *config, *socket;
        bool        json;
        int         first;              /* of the command's words */
};

static bool read_options(int argc, char **argv, struct ctl *out)
{
        int at = 0;

        for (; at < argc && argv[at][0] == '-'; at++) {
                bool has_next = at + 1 < argc;

                if (strcmp(argv[at], "--json") == 0) {
                        out->json = true;
                } else if (strcmp(argv[at], "-c") == 0 && has_next) {
                        out->config = argv[++at];
                } else if (strcmp(argv[at], "--socket") == 0 && has_next) {
                        out->socket = argv[++at];
                } else {
                        fprintf(stderr, "Error: '%s' is unknown or lacks its value; see linnet ctl "
                                        "--help\n", argv[at]);
                        return false;
                }
        }
        out->first = at;
        return true;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* What a configuration says; of one with mistakes in it what can be read. */
static bool find_socket(const struct ctl *ctl, char path[static CONFIG_PATH_SIZE])
{
        static const char *const places[] = { "linnet.conf", "/etc/linnet/linnet.conf" };
        static struct config     config;
        struct config_errors     errors = { .count = 0 };
        const char              *file   = ctl->config;

        if (ctl->socket != NULL) {
                snprintf(path, CONFIG_PATH_SIZE, "%s", ctl->socket);
                return true;
        }
        for (size_t i = 0; i < sizeof places / sizeof places[0] && file == NULL; i++)
                if (access(places[i], F_OK) == 0)
                        file = places[i];
        if (ctl->config != NULL && access(ctl->config, R_OK) != 0) {
                fprintf(stderr, "Error: %s: %s\n", ctl->config, strerror(errno));
                return false;
        }
        config_init(&config);
        config_load(&config, file, &errors);
        config_errors_deinit(&errors);
        if (config_control(&config, path))
                return true;
        fputs("Error: control.socket = off: this broker cannot be asked\n", stderr);
        return false;
}

static void explain(const char *path)
{
        int error = errno;

        fprintf(stderr, "Error: %s: %s", path, strerror(error));
        if (error == ENOENT || error == ECONNREFUSED)
                fputs("; is linnetd running, and its socket there? -c FILE or --socket PATH says "
                      "where", stderr);
        else if (error == EACCES || error == EPERM)
                fputs("; only root and the user that linnetd runs as may ask", stderr);
        fputc('\n', stderr);
}

static int connect_to(const char *path)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int                fd;

        if (strlen(path) >= sizeof name.sun_path) {
                errno = ENAMETOOLONG;
                explain(path);
                return -1;
        }
        memcpy(name.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
                return fd;
        explain(path);
        if (fd >= 0)
                close(fd);
        return -1;
}

static bool send_words(int fd, int count, char **words)
{
        struct buffer line = { 0 };
        struct str    rest;
        bool          good = true;

        for (int i = 0; i < count; i++)
                good &= words_write(&line, str_of(words[i]));
        good &= buffer_append(&line, STR("\n"));
        for (rest = buffer_str(&line); good && rest.len > 0;) {
                ssize_t sent = send(fd, rest.ptr, rest.len, MSG_NOSIGNAL);

                if (sent < 0 && errno == EPIPE)
                        break;          /* it has turned us away, and said why */
                good = sent > 0 || (sent < 0 && errno == EINTR);
                if (sent > 0)
                        rest = str_skip(rest, (size_t)sent);
        }
        buffer_deinit(&line);
        return good;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* True: that was the last row, and *code says how it went. */
static bool take_row(const struct ctl *ctl, struct ctl_table *table, const char *line, size_t len,
                     int *code)
{
        json_t     *row  = json_loadb(line, len, 0, NULL);
        const char *kind = json_string_value(json_object_get(row, "is"));
        bool        last = false;

        if (kind != NULL && strcmp(kind, "done") == 0) {
                *code = EXIT_SUCCESS;
                last  = true;
        } else if (kind != NULL && strcmp(kind, "failed") == 0) {
                ctl_table_end(table);
                fprintf(stderr, "Error: %s\n", json_string_value(json_object_get(row, "error")));
                *code = EXIT_REFUSED;
                last  = true;
        } else if (kind != NULL && !ctl->json) {
                ctl_table_add(table, row);
        }
        if (ctl->json)
                printf("%.*s\n", (int)len, line);
        json_decref(row);
        return last;
}

/* The lines that are whole; true: the last row was among them. */
static bool take_rows(const struct ctl *ctl, struct ctl_table *table, struct buffer *in, int *code)
{
        bool last = false;

        while (!last) {
                struct str  bytes = buffer_str(in);
                const char *end   = bytes.len > 0 ? memchr(bytes.ptr, '\n', bytes.len) : NULL;

                if (end == NULL)
                        break;
                last = take_row(ctl, table, bytes.ptr, (size_t)(end - bytes.ptr), code);
                buffer_consume(in, (size_t)(end - bytes.ptr) + 1);
        }
        return last;
}

static int print_answer(const struct ctl *ctl, int fd)
{
        struct ctl_table table = { .rows = json_array() };
        struct buffer    in    = { 0 };
        char             part[65536];
        ssize_t          count;
        int              code = EXIT_UNASKED;
        bool             last = false;

        while (!last && buffer_len(&in) < LINE_SIZE_MAX &&
               (count = read(fd, part, sizeof part)) > 0 &&
               buffer_append(&in, str_from(part, (size_t)count)))
                last = take_rows(ctl, &table, &in, &code);
        ctl_table_end(&table);
        json_decref(table.rows);
        buffer_deinit(&in);
        close(fd);
        if (!last)
                fputs("Error: the broker closed the connection before its answer was whole\n",
                      stderr);
        return code;
}

int ctl_run(int argc, char **argv)
{
        struct ctl ctl = { .json = false };
        char       path[CONFIG_PATH_SIZE];
        int        fd;

        if (argc == 1 && strcmp(argv[0], "--help") == 0)
                return fputs(help, stdout) < 0;
        if (!read_options(argc, argv, &ctl))
                return EXIT_UNASKED;
        if (ctl.first == argc) {
                fputs(help, stderr);
                return EXIT_UNASKED;
        }
        if (!find_socket(&ctl, path) || (fd = connect_to(path)) < 0)
                return EXIT_UNASKED;
        if (!send_words(fd, argc - ctl.first, argv + ctl.first)) {
                close(fd);
                explain(path);
                return EXIT_UNASKED;
        }
        return print_answer(&ctl, fd);
}
