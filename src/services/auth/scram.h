/* SCRAM-SHA-256 over AUTH (MQTT 5.0, section 4.12): a password is proven, and never sent. */
#ifndef LINNET_SERVICES_AUTH_SCRAM_H
#define LINNET_SERVICES_AUTH_SCRAM_H

#include "services/auth/auth_link.h"

extern const struct auth_kind auth_kind_scram;  /* auth.scram.file */

#endif
