/* Where the configuration comes from: what the daemon was started with, to be read again. */
#ifndef LINNET_BROKER_SOURCES_H
#define LINNET_BROKER_SOURCES_H

#include "broker/config.h"

enum { SETS_MAX = 64 };

struct sources {
        const char *file;               /* NULL: none */
        struct str  sets[SETS_MAX];     /* -o KEY=VALUE */
        unsigned    set_count;
};

/* Defaults, file, environment, then -o. False: something is wrong, all of which `errors` says. */
bool sources_load(const struct sources *sources, struct config *out, struct config_errors *errors);

#endif
