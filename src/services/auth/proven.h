/* Lets in whose connection has proven who it is: by a certificate, a pre-shared key, or as the user
 * at the other end of a Unix socket. Others are for the next in the chain. */
#ifndef LINNET_SERVICES_AUTH_PROVEN_H
#define LINNET_SERVICES_AUTH_PROVEN_H

#include "services/auth/auth_link.h"

extern const struct auth_kind auth_kind_proven;         /* "identity" */

#endif
