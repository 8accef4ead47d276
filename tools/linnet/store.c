#include "store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
        "linnet store check [PATH]      says what is wrong with what a broker has stored\n"
        "linnet store dump [PATH]       prints it: a JSON object for each record\n"
        "linnet store compact [PATH]    packs it anew, without what nothing refers to\n"
        "linnet store --help\n"
        "\n"
        "PATH is the broker's data_dir (./data). The broker must be stopped, or PATH be a copy.\n"
        "\n"
        "check ends with 0 when all is well; 1 with a line for each problem; 2 when it can not.\n"
        "A start goes on without records that are damaged, and sets them aside: dump shows them.\n"
        "compact sets aside what it finds damaged, counts anew how often messages are named,\n"
        "and puts the new file in the place of the old one when it is whole.\n";

bool store_walk(struct engine *engine, enum engine_table table,
                bool (*see)(void *context, struct str key, struct str value, bool damaged),
                void *context)
{
        for (bool first = true;; first = false) {
                struct str         key, value;
                enum engine_result result = engine->ops->walk(engine, table, first, &key, &value);

                if (result == ENGINE_NONE)
                        return true;
                if (result != ENGINE_OK && result != ENGINE_DAMAGED) {
                        fprintf(stderr, "Error: table %s: %s\n", engine_table_name(table),
                                engine->why);
                        return false;
                }
                if (!see(context, key, value, result == ENGINE_DAMAGED))
                        return false;
        }
}

static int run(const char *command, const char *path)
{
        char           why[256];
        struct engine *engine = engine_lmdb_open(path, true, why);
        int            code   = STORE_FAILED;

        if (engine == NULL) {
                fprintf(stderr, "Error: %s\n", why);
                return STORE_FAILED;
        }
        if (engine->ops->begin(engine) != ENGINE_OK)
                fprintf(stderr, "Error: %s\n", engine->why);
        else if (strcmp(command, "check") == 0)
                code = store_check(engine);
        else if (strcmp(command, "dump") == 0)
                code = store_dump(engine);
        else
                code = store_compact(engine, path);
        engine->ops->close(engine);
        if (fflush(stdout) != 0) {
                perror("Error: standard output");
                code = STORE_FAILED;
        }
        return code;
}

/* In a process of its own: a page that is not what it should be can end the one that looks. */
static int run_apart(const char *command, const char *path)
{
        pid_t child  = fork();
        int   status = 0;

        if (child < 0) {
                perror("Error: fork");
                return STORE_FAILED;
        }
        if (child == 0) {
                setvbuf(stdout, NULL, _IOLBF, 0);       /* what was seen before an end is out */
                exit(run(command, path));
        }
        while (waitpid(child, &status, 0) < 0)
                continue;
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        if (WTERMSIG(status) != SIGBUS && WTERMSIG(status) != SIGSEGV &&
            WTERMSIG(status) != SIGABRT) {
                fprintf(stderr, "Error: %s\n", strsignal(WTERMSIG(status)));
                return STORE_FAILED;
        }
        fprintf(stderr, "Error: %s/store is damaged in its structure and cannot be read on.\n",
                path);
        return strcmp(command, "check") == 0 ? STORE_PROBLEMS : STORE_FAILED;
}

int store_run(int argc, char **argv)
{
        const char *command = argc > 0 ? argv[0] : "";
        const char *path    = argc > 1 ? argv[1] : "data";

        if (strcmp(command, "--help") == 0 || (argc == 2 && strcmp(path, "--help") == 0))
                return fputs(help, stdout) < 0;
        if ((strcmp(command, "check") != 0 && strcmp(command, "dump") != 0 &&
             strcmp(command, "compact") != 0) || argc > 2 || path[0] == '-') {
                fputs(help, stderr);
                return STORE_FAILED;
        }
        return run_apart(command, path);
}
