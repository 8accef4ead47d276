/* A password as it is kept: plain, in the configuration alone. */
#ifndef LINNET_SERVICES_AUTH_SECRET_H
#define LINNET_SERVICES_AUTH_SECRET_H

#include <stdbool.h>

#include "base/str.h"

/* In a time that tells nothing of the kept one but its length. */
bool secret_equal(struct str kept, struct str given);

#endif
