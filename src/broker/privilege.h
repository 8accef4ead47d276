/* As little as it needs: who the process is, and what it may still do, before there are threads. */
#ifndef LINNET_BROKER_PRIVILEGE_H
#define LINNET_BROKER_PRIVILEGE_H

#include <stdbool.h>

struct config;

enum { PRIVILEGE_WHY_SIZE = 256 };

/* Started as root: makes data_dir and the log file, gives them to the option `user`, and becomes
 * that user for good, with no capability but that for ports below 1024, if a listener has one. Not
 * root: nothing. Without the option the user is "linnet", if there is one; else it stays root.
 * False, and `why` is one sentence. */
bool privilege_drop(const struct config *config, char why[static PRIVILEGE_WHY_SIZE]);

/* The same, but nothing is made. */
bool privilege_become(const struct config *config, char why[static PRIVILEGE_WHY_SIZE]);

/* Each NULL, or why it is not so: the kernel lacks it, or `confine` is off. */
struct confinement {
        const char *no_new_privileges, *landlock, *seccomp;
};

/* From here on, for all threads to come: no program is run, nothing is written beneath other
 * folders than data_dir, the log file's and those of Unix sockets, and the system calls that only
 * who takes over a process needs fail. What may be read is a matter of the user alone. */
void privilege_confine(const struct config *config, struct confinement *out);

/* A line that says what holds; warnings say what does not, and why. */
void privilege_log(const struct confinement *confinement);

#endif
