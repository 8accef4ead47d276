/* The version of this build, as it is told to users. */
#ifndef LINNET_SERVICES_SYS_VERSION_H
#define LINNET_SERVICES_SYS_VERSION_H

#define LINNET_VERSION "0.1.0"

#endif
