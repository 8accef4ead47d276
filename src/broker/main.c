/* linnetd: the daemon in the foreground. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "broker/inspection.h"
#include "broker/privilege.h"
#include "broker/reload.h"
#include "broker/server.h"
#include "broker/sources.h"
#include "broker/upkeep.h"
#include "services/sys/version.h"

enum { EXIT_USAGE = 2 };

struct arguments {
        struct sources sources;
        bool           test;
};

static void usage(FILE *out)
{
        fputs("linnetd " LINNET_VERSION ", an MQTT broker\n\n"
              "usage: linnetd [-c FILE] [-o KEY=VALUE]... [-t]\n\n"
              "  -c FILE        read options from FILE\n"
              "  -o KEY=VALUE   set one option, after the file and the environment\n"
              "  -t             check the configuration and the files that it names, and exit:\n"
              "                 0 it is good, 1 it is not\n"
              "  --reference    print the reference of all options (Markdown)\n"
              "  -V, --version\n"
              "  -h, --help\n\n"
              "SIGHUP reloads the file; SIGTERM says goodbye to all clients and stops.\n\n"
              "options:\n",
              out);
        options_help(out);
}

static bool is(const char *argument, const char *brief, const char *full)
{
        return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

static bool add_set(struct sources *out, const char *set)
{
        if (out->set_count == SETS_MAX) {
                fprintf(stderr, "linnetd: more than %d options by -o; put them into a file and "
                                "name it with -c\n", SETS_MAX);
                return false;
        }
        out->sets[out->set_count++] = str_of(set);
        return true;
}

/* False when there is nothing more to do; *code is the exit code then. */
static bool parse_arguments(int argc, char **argv, struct arguments *out, int *code)
{
        *code = EXIT_SUCCESS;
        for (int i = 1; i < argc; i++) {
                bool has_next = i + 1 < argc;

                if (is(argv[i], "-c", "--config") && has_next) {
                        out->sources.file = argv[++i];
                } else if (strcmp(argv[i], "-o") == 0 && has_next) {
                        if (!add_set(&out->sources, argv[++i])) {
                                *code = EXIT_USAGE;
                                return false;
                        }
                } else if (is(argv[i], "-t", "--test")) {
                        out->test = true;
                } else if (strcmp(argv[i], "--reference") == 0) {
                        options_reference(stdout);
                        return false;
                } else if (is(argv[i], "-V", "--version")) {
                        puts("linnetd " LINNET_VERSION);
                        return false;
                } else if (is(argv[i], "-h", "--help")) {
                        usage(stdout);
                        return false;
                } else {
                        fprintf(stderr, "linnetd: '%s' is unknown or lacks its value; see --help\n",
                                argv[i]);
                        *code = EXIT_USAGE;
                        return false;
                }
        }
        return true;
}

<<<<<<< HEAD
/* What is wrong is printed, all of it. */
static bool load(const struct sources *sources, struct config *out)
=======
/* Before there is a log they are printed; a running broker has one, which may be elsewhere. */
static void tell_errors(const struct config_errors *errors, bool running)
{
        struct str rest = buffer_str(&errors->text), line;

        if (!running)
                fprintf(stderr, "%.*s\n", STR_ARGS(rest));
        while (running && rest.len > 0 && str_cut(&rest, '\n', &line))
                LOG(ERROR, "reload.error", F_STR("why", line));
}

/* Defaults, file, environment, then -o. What is wrong is told, all of it. */
static bool load(const struct arguments *arguments, struct config *out, bool running)
>>>>>>> 213e3b4 (Bans taken out of the file right after a start or a reload are gone; a reload's mistakes are in the log, wherever that is)
{
        struct config_errors errors = { .count = 0 };
        bool                 good   = sources_load(sources, out, &errors);

<<<<<<< HEAD
        if (!good)
                fprintf(stderr, "%.*s", STR_ARGS(buffer_str(&errors.text)));
=======
        config_init(out);
        config_load(out, arguments->file, &errors);
        for (unsigned i = 0; i < arguments->set_count; i++) {
                struct str value = arguments->sets[i], key;
                char       why[OPTION_WHY_SIZE];

                if (!str_cut(&value, '=', &key) || value.ptr == NULL)
                        config_error(&errors, "-o %.*s: KEY=VALUE is wanted", STR_ARGS(key));
                else if (!config_set(out, key, value, why))
                        config_error(&errors, "-o %.*s: %s", STR_ARGS(key), why);
        }
        if (arguments->set_count > 0 && errors.count == 0)
                config_check(out, "-o", &errors);
        if (errors.count > 0)
                tell_errors(&errors, running);

        bool good = errors.count == 0;

>>>>>>> 213e3b4 (Bans taken out of the file right after a start or a reload are gone; a reload's mistakes are in the log, wherever that is)
        config_errors_deinit(&errors);
        return good;
}

/* The files that it names, too, as the user who is to read them. */
static int test(const struct config *config)
{
        struct config_errors errors = { .count = 0 };
        char                 why[PRIVILEGE_WHY_SIZE];
        bool                 good;

        if (privilege_become(config, why))
                inspect(config, &errors);
        else
                config_error(&errors, "%s", why);
        good = errors.count == 0;
        if (good)
                puts("the configuration is good");
        else
                fprintf(stderr, "%.*s", STR_ARGS(buffer_str(&errors.text)));
        config_errors_deinit(&errors);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* As many connections as the kernel lets this user have. */
static void raise_descriptor_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
                LOG(INFO, "limits.descriptors", F_U64("max", limit.rlim_cur));
}

<<<<<<< HEAD
=======
/* What a running broker takes of a new configuration. */
static void take_reloadable(struct config *config, const struct config *next)
{
        config->settings     = next->settings;
        config->auth         = next->auth;
        config->acl_format   = next->acl_format;
        config->acl_watch_ms = next->acl_watch_ms;
        config->log_level    = next->log_level;
        config->log_format   = next->log_format;
        memcpy(config->acl_file, next->acl_file, sizeof config->acl_file);
        memcpy(config->log_file, next->log_file, sizeof config->log_file);
        memcpy(config->listeners, next->listeners, sizeof config->listeners);
        config->listener_count = next->listener_count;
}

static void log_difference(const struct config *from, const struct config *to)
{
        struct buffer lines = { 0 };
        struct str    rest, line;

        config_diff(from, to, &lines);
        for (rest = buffer_str(&lines); rest.len > 0 && str_cut(&rest, '\n', &line);)
                LOG(INFO, "reload.change", F_STR("option", line));
        buffer_deinit(&lines);
}

/* All of it, as far as a running broker can, or nothing: a bad file, a listener that cannot be
 * opened, a log that cannot be written change nothing. */
static void reload(const struct arguments *arguments, struct config *config, struct server *server)
{
        static struct config next, then;        /* too large for a stack one likes to look at */
        struct log_config    log;

        if (!load(arguments, &next, true)) {
                LOG(ERROR, "reload.refused", F_TEXT("reason", "see the lines above"));
                return;
        }
        log_difference(config, &next);
        then = *config;
        take_reloadable(&then, &next);
        log = log_of(&then);
        if (!log_configure(&log)) {
                LOG(ERROR, "reload.refused", F_TEXT("reason", strerror(errno)),
                    F_TEXT("file", then.log_file));
                return;
        }
        if (!server_apply(server, &then)) {
                log = log_of(config);
                (void)log_configure(&log);
                LOG(ERROR, "reload.refused", F_TEXT("reason", "see the lines above"));
                return;
        }
        *config = then;
        if (!log_reopen())
                LOG(ERROR, "log.unusable", F_TEXT("file", config->log_file),
                    F_TEXT("reason", strerror(errno)));
        LOG(INFO, "reload.done");
}

/* 0: none has come in that time (0: however long it takes). */
static int wait_for_signal(const sigset_t *signals, uint32_t wait_ms)
{
        const struct timespec wait = { wait_ms / 1000, wait_ms % 1000 * 1000000l };
        int signal_number = sigtimedwait(signals, NULL, wait_ms > 0 ? &wait : NULL);

        if (signal_number > 0)
                return signal_number;
        return errno == EAGAIN || errno == EINTR ? 0 : SIGTERM;
}

enum { LOOK_MS_MAX = 2000 };            /* within which a ban is in its file */

/* The shorter of the two, unless that is 0: never. */
static uint32_t shorter(uint32_t a_ms, uint32_t b_ms)
{
        return b_ms == 0 || (a_ms != 0 && a_ms < b_ms) ? a_ms : b_ms;
}

static void look_after(struct supervisor *supervisor, struct server *server)
{
        if (supervisor->beat_ms > 0 && server_beats(server))
                supervisor_tell(supervisor, "WATCHDOG=1");
        if (!server_look(server))
                LOG(ERROR, "reload.failed", F_TEXT("reason", "out of memory"));
}

>>>>>>> 213e3b4 (Bans taken out of the file right after a start or a reload are gone; a reload's mistakes are in the log, wherever that is)
static void close_sockets(struct supervisor *supervisor)
{
        char names[SUPERVISOR_NAME_SIZE];

        supervisor_close_rest(supervisor, names, sizeof names);
        if (names[0] != '\0')
                LOG(WARNING, "supervisor.sockets_unused", F_TEXT("names", names),
                    F_TEXT("hint", "give a listener the name of the socket"));
}

static int serve(const struct sources *sources, struct config *config)
{
        static struct supervisor supervisor;
        struct server           *server;
        struct upkeep           *upkeep;
        int                      signal_number;

        supervisor_init(&supervisor);
        server = server_new(config, &supervisor);
        close_sockets(&supervisor);

        if (server == NULL)
                return EXIT_FAILURE;
        upkeep = upkeep_new(sources, config, server, &supervisor);
        if (upkeep == NULL || !server_start(server)) {
                upkeep_free(upkeep);
                server_stop(server);
                return EXIT_FAILURE;
        }
        supervisor_tell(&supervisor, "READY=1");
        signal_number = upkeep_run(upkeep);
        upkeep_free(upkeep);
        supervisor_tell(&supervisor, "STOPPING=1");
        LOG(INFO, "broker.stopping", F_TEXT("signal", strsignal(signal_number)));
        server_stop(server);
        return EXIT_SUCCESS;
}

/* Before any thread is made: all of them are to leave these to the main thread's loop. */
static void block_signals(void)
{
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
        static struct config config;
        struct arguments     arguments = { .test = false };
        struct log_config    log;
        struct confinement   confinement;
        char                 why[PRIVILEGE_WHY_SIZE];
        int                  code;

        umask(077);
        if (!parse_arguments(argc, argv, &arguments, &code))
                return code;
<<<<<<< HEAD
        if (!load(&arguments.sources, &config))
=======
        if (!load(&arguments, &config, false))
>>>>>>> 213e3b4 (Bans taken out of the file right after a start or a reload are gone; a reload's mistakes are in the log, wherever that is)
                return EXIT_FAILURE;
        if (arguments.test)
                return test(&config);
        block_signals();
        if (!privilege_drop(&config, why)) {
                fprintf(stderr, "linnetd: %s\n", why);
                return EXIT_FAILURE;
        }
        privilege_confine(&config, &confinement);
        log = log_of(&config);
        if (!log_start(&log)) {
                fprintf(stderr, "linnetd: log file %s: %s\n", config.log_file, strerror(errno));
                return EXIT_FAILURE;
        }
        privilege_log(&confinement);
        raise_descriptor_limit();
        code = serve(&arguments.sources, &config);
        log_stop();
        return code;
}
