/* What a start would read, read without starting: `linnetd -t`. */
#ifndef LINNET_BROKER_INSPECTION_H
#define LINNET_BROKER_INSPECTION_H

#include "broker/config.h"

/* Reads all files that the configuration names, as a start does: certificates, keys, authorities,
 * revocation lists, shared keys, access rules, passwords, key sets. Adds a line to `errors` for
 * each listener, provider or file that a start would refuse. */
void inspect(const struct config *config, struct config_errors *errors);

#endif
