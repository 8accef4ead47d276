/* The broker put together: shards on threads, listeners, services. */
#ifndef LINNET_BROKER_SERVER_H
#define LINNET_BROKER_SERVER_H

#include "broker/config.h"
#include "broker/supervisor.h"

struct admin;
struct doors;
struct guard;
struct server;

/* Everything but the threads, in the order of the start list. NULL when something failed, after
 * a log line that says what. */
struct server *server_new(const struct config *config, struct supervisor *supervisor);

bool server_start(struct server *server);       /* a thread per shard; false: said why */

/* New listeners and settings for all shards; what needs a restart is the caller's to tell. False,
 * and nothing changed: a listener could not be opened, or no memory, which was logged. */
bool server_apply(struct server *server, const struct config *config);

/* Files that are watched: applies those that have changed. False without memory. */
bool server_look(struct server *server);

/* The actor that answers operators: its loop is for the thread that starts and stops the server. */
struct admin *server_admin(struct server *server);
struct guard *server_guard(struct server *server);
struct doors *server_doors(struct server *server);

/* Whether every shard has turned since the last time this was asked. */
bool server_beats(struct server *server);

/* Stops accepting, says goodbye to all clients, waits for the threads and gives everything back. */
void server_stop(struct server *server);

#endif
