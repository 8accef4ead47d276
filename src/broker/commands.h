/* The commands on what only the top floor has: the configuration, listeners, bans. They run on the
 * main thread, where that is. */
#ifndef LINNET_BROKER_COMMANDS_H
#define LINNET_BROKER_COMMANDS_H

#include "broker/server.h"
#include "broker/sources.h"

struct commands;

/* Adds them to the server's admin. What is passed outlives them, *config is what runs. NULL without
 * memory. */
struct commands *commands_new(const struct sources *sources, struct config *config,
                              struct server *server);
void             commands_free(struct commands *commands);      /* NULL is nothing */

#endif
