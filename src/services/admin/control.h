/* The control socket: a Unix socket on which the commands of admin.h may be given, a line each.
 * Only root and the daemon's own user get an answer, whatever the file's mode says. Its peers are
 * bounded in number, in the length of their lines and in what waits for them; one that neither asks
 * nor reads for a minute is closed. */
#ifndef LINNET_SERVICES_ADMIN_CONTROL_H
#define LINNET_SERVICES_ADMIN_CONTROL_H

#include "services/admin/admin.h"

enum {
        CONTROL_PEERS_MAX  = 16,
        CONTROL_LINE_MAX   = 16384,
        CONTROL_OUT_HIGH   = 65536,     /* no further rows above it */
        CONTROL_IDLE_MS    = 60000,
};

struct control;

/* Listens at that path, whose folder nobody else may write to; what a broker that is gone has left
 * there is replaced. Looks at the disk. NULL: `why` says so. */
enum { CONTROL_WHY_SIZE = 256 };
struct control *control_open(struct admin *admin, const char *path,
                             char why[static CONTROL_WHY_SIZE]);

void control_start(struct control *control) ON_SHARD;   /* answers from now on */

/* When the loop does not run any more; removes the file. NULL is nothing. */
void control_close(struct control *control);

#endif
