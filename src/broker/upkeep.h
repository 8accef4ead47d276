/* What the main thread does while the shards work: it minds signals, tells the supervisor that all
 * is well, looks at files that may have changed, and answers operators. */
#ifndef LINNET_BROKER_UPKEEP_H
#define LINNET_BROKER_UPKEEP_H

#include "broker/server.h"
#include "broker/sources.h"

struct upkeep;

/* Opens the control socket, which a broker can be without: what is wrong is logged. Its commands
 * are added. What is passed stays the caller's, and outlives it. NULL, said why: no signals could
 * be had. The signals must be blocked. */
struct upkeep *upkeep_new(const struct sources *sources, struct config *config,
                          struct server *server, struct supervisor *supervisor);

/* Until SIGTERM or SIGINT, which is returned. */
int  upkeep_run(struct upkeep *upkeep);
void upkeep_free(struct upkeep *upkeep);        /* NULL is nothing */

#endif
