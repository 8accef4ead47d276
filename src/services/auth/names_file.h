/* Files of lines "NAME:VALUE", as passwords and SCRAM verifiers are kept in. Empty lines and those
 * that begin with # are left out; a name stands there once. */
#ifndef LINNET_SERVICES_AUTH_NAMES_FILE_H
#define LINNET_SERVICES_AUTH_NAMES_FILE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "services/auth/auth_config.h"

enum {
        NAMES_FILE_BYTES_MAX = 64 << 20,
        NAMES_FILE_LINE_MAX  = 2048,
        NAMES_FILE_NAME_MAX  = 1024,
};

/* A line was read. NULL: good; otherwise what is wrong with the value (static storage), which ends
 * the reading. */
typedef const char *names_file_take(void *context, struct str name, struct str value,
                                    unsigned line);

/* False: `why` names file and line, or is empty without memory. Warns in the log of a file that
 * others may read or write. */
bool names_file_read(const char *path, names_file_take *take, void *context,
                     char why[static AUTH_WHY_SIZE]);

/* The same of bytes that were read already; `path` is for `why`. */
bool names_file_parse(struct str bytes, const char *path, names_file_take *take, void *context,
                      char why[static AUTH_WHY_SIZE]);

#endif
