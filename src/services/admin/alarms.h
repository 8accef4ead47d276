/* The alarms that are raised just now: what HOOK_ALARM tells on the shards comes here by mail. */
#ifndef LINNET_SERVICES_ADMIN_ALARMS_H
#define LINNET_SERVICES_ADMIN_ALARMS_H

#include "services/admin/admin.h"

struct alarms;

/* Adds "alarms list", and hangs on the hook; before the shards start. NULL without memory. */
struct alarms *alarms_new(struct admin *admin);
void           alarms_free(struct alarms *alarms);

#endif
