/* What the kernel denies from now on, to this thread and those that it makes. NULL: it does. Else
 * why not, static or strerror()'s: the kernel lacks it, say. */
#ifndef LINNET_BROKER_SANDBOX_H
#define LINNET_BROKER_SANDBOX_H

struct config;

const char *sandbox_files(const struct config *config);         /* Landlock */
const char *sandbox_calls(void);                                /* seccomp */

#endif
