/* The rules as they lie on disk. For a thread that may wait, never a shard's. */
#ifndef LINNET_SERVICES_ACL_FILE_H
#define LINNET_SERVICES_ACL_FILE_H

#include "services/acl/rules.h"

/* What tells one state of a file from another; zeroed it is none. */
struct acl_mark {
        uint64_t device, inode, size, changed_ns;
};

struct acl_file {
        struct acl_mark read;           /* as it was when it was read */
        struct acl_mark seen;           /* at the last look */
};

/* Reads and parses it. NULL: `why` says "path: reason" or "path:line:column: what". */
struct acl_rules *acl_file_read(struct acl_file *file, const char *path, enum acl_format format,
                                char why[static ACL_WHY_SIZE]);

/* It is another than the one that was read, and has been for two looks: whoever writes it has
 * finished. A file that is gone has not changed. */
bool acl_file_changed(struct acl_file *file, const char *path);

#endif
