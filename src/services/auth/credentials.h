/* Who may come in by a table of names and secrets: user names or client identifiers. */
#ifndef LINNET_SERVICES_AUTH_CREDENTIALS_H
#define LINNET_SERVICES_AUTH_CREDENTIALS_H

#include "services/auth/auth_link.h"

extern const struct auth_kind auth_kind_password_file;  /* auth.password_file */
extern const struct auth_kind auth_kind_username;       /* auth.user.N */
extern const struct auth_kind auth_kind_clientid;       /* auth.client.N */

#endif
