/* A running broker takes a new configuration, by SIGHUP or by a command. */
#ifndef LINNET_BROKER_RELOAD_H
#define LINNET_BROKER_RELOAD_H

#include "broker/server.h"
#include "broker/sources.h"

/* All of it, as far as a running broker can, or nothing: a bad file, a listener that cannot be
 * opened, a log that cannot be written change nothing. What was read and differs is told to `tell`
 * (NULL: nobody) besides the log; what is wrong with it is added to `errors`. False: refused, which
 * was logged. *config is what runs. */
bool reload(const struct sources *sources, struct config *config, struct server *server,
            struct config_errors *errors, config_changed *tell, void *context);

/* The same without a change, but for what only trying would show: whether a listener can be opened,
 * and the log written. */
bool reload_check(const struct sources *sources, const struct config *config,
                  struct config_errors *errors, config_changed *tell, void *context);

struct log_config log_of(const struct config *config);

#endif
