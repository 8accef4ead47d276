/* `linnet store`: looks at what a stopped broker has stored, shows it, and packs it anew. */
#ifndef LINNET_TOOLS_STORE_H
#define LINNET_TOOLS_STORE_H

#include "services/store/engine.h"

enum { STORE_CLEAN = 0, STORE_PROBLEMS = 1, STORE_FAILED = 2 };

/* The command line behind `linnet store`; its exit code. */
int store_run(int argc, char **argv);

/* One table after the other, in the order in which entries lie. `see` returns false to end it.
 * False: it ended early, or cannot be read on, which has been said. */
bool store_walk(struct engine *engine, enum engine_table table,
                bool (*see)(void *context, struct str key, struct str value, bool damaged),
                void *context);

/* The three commands, within a transaction of the engine that they do not end. `keep_old`: as
 * data.mdb.damaged. */
int store_check(struct engine *engine);
int store_dump(struct engine *engine);
int store_compact(struct engine *engine, const char *path, bool keep_old);

#endif
