/* Commands on clients and sessions. A shard is asked by mail and answers with a page of at most
 * ADMIN_ROWS_MAX rows, having looked at no more than CLIENTS_LOOK_MAX slots of its map; the next
 * page is asked for when the last has been taken, so a slow reader costs the shards nothing. */
#ifndef LINNET_SERVICES_ADMIN_CLIENTS_H
#define LINNET_SERVICES_ADMIN_CLIENTS_H

#include "services/admin/admin.h"

enum { CLIENTS_LOOK_MAX = 4096 };

void clients_add(struct admin *admin);  /* "clients list|show|kick", "sessions list" */

#endif
