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

/* What is wrong is printed, all of it. */
static bool load(const struct sources *sources, struct config *out)
{
        struct config_errors errors = { .count = 0 };
        bool                 good   = sources_load(sources, out, &errors);

        if (!good)
                fprintf(stderr, "%.*s", STR_ARGS(buffer_str(&errors.text)));
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
        if (!load(&arguments.sources, &config))
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
