/* Commands that read what every thread may read: counters of the shards. */
#ifndef LINNET_SERVICES_ADMIN_COUNTERS_H
#define LINNET_SERVICES_ADMIN_COUNTERS_H

#include "services/admin/admin.h"

void counters_add(struct admin *admin);         /* "metrics", "shards list" */

#endif
