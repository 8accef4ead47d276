#include "store.h"

#include <stdio.h>
#include <string.h>

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
        "and puts the new file in the place of the old one when it is whole. Of a file whose\n"
        "structure is damaged it keeps what can be read, and the old one as data.mdb.damaged.\n";

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

static int look(const char *command, struct engine *engine, const char *path, bool holds)
{
        if (engine->ops->begin(engine) != ENGINE_OK)
                fprintf(stderr, "Error: %s\n", engine->why);
        else if (strcmp(command, "check") == 0)
                return store_check(engine);
        else if (strcmp(command, "dump") == 0)
                return store_dump(engine);
        else
                return store_compact(engine, path, !holds);
        return STORE_FAILED;
}

/* LMDB believes what it reads: a file whose structure is damaged is not shown to it. */
static int run(const char *command, const char *path)
{
        char           why[256];
        bool           holds  = engine_lmdb_check(path, why);
        struct engine *engine = NULL;
        int            code;

        if (!holds)
                fprintf(strcmp(command, "check") == 0 ? stdout : stderr, "%s\n", why);
        engine = holds ? engine_lmdb_open(path, true, why) : engine_salvage_open(path, why);
        if (engine == NULL) {
                fprintf(stderr, "Error: %s\n", why);
                return STORE_FAILED;
        }
        code = look(command, engine, path, holds);
        engine->ops->close(engine);
        if (!holds && code == STORE_CLEAN && strcmp(command, "check") == 0)
                code = STORE_PROBLEMS;
        if (fflush(stdout) != 0) {
                perror("Error: standard output");
                code = STORE_FAILED;
        }
        return code;
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
        return run(command, path);
}
