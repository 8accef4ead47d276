/* A file of passwords while it is changed: lines "NAME:HASH", comments among them. It is written
 * anew beside its place and then put there, so that a broker never sees a half of it. */
#ifndef LINNET_TOOLS_PASSWD_FILE_H
#define LINNET_TOOLS_PASSWD_FILE_H

#include <sys/stat.h>

#include "base/buffer.h"

struct passwd_file {
        struct buffer text;             /* as it is, and as it shall be */
        char         *path;             /* owned; behind all links */
        bool          is_new;
        struct stat   status;           /* of the old one */
};

/* False: it was said on standard error. Without `make` it must be there, with `make` it must not,
 * or be empty. */
bool passwd_file_open(struct passwd_file *file, const char *path, bool make);
void passwd_file_close(struct passwd_file *file);

/* What is to be written in the place of a name's hash; in static storage, or NULL after an error
 * that was told. */
typedef const char *passwd_hash(void *context, struct str name, struct str old);

/* The lines of one name, or a new one at the end. False: it was told. */
bool passwd_file_set(struct passwd_file *file, struct str name, const char *hash);
bool passwd_file_remove(struct passwd_file *file, struct str name);     /* false: it is not there */

/* Every name's hash becomes what `hash` says; NULL leaves it. Returns how many were changed, or -1
 * after an error that was told. */
int passwd_file_change(struct passwd_file *file, passwd_hash *hash, void *context);

bool passwd_file_write(struct passwd_file *file);       /* false: it was told, the old one stays */

#endif
