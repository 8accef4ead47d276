/* Keeps what the links know up to date: reads it when it is told to, and when a file has changed,
 * on the loop of the first worker. */
#ifndef LINNET_SERVICES_AUTH_KEEPER_H
#define LINNET_SERVICES_AUTH_KEEPER_H

#include "services/auth/auth_link.h"

struct keeper;

/* Before the loops run; the links' data have just been loaded from `config`. NULL: no memory. */
struct keeper *keeper_new(struct auth *auth, const struct auth_config *config);
void           keeper_free(struct keeper *keeper);      /* when no loop runs; NULL is nothing */

/* Any thread. False without memory. */
bool keeper_reload(struct keeper *keeper, const struct auth_config *config);

#endif
