/* The access rules of a running broker: from acl.file to its shards. */
#ifndef LINNET_BROKER_RULES_H
#define LINNET_BROKER_RULES_H

#include "broker/config.h"
#include "services/acl/acl.h"
#include "services/acl/file.h"

enum { RULES_WHY_SIZE = ACL_WHY_SIZE };

struct rules {
        struct acl     *acl;
        struct acl_file file;           /* as it was last seen */
};

/* Before the shards start. False, after a log line that says why: a file that cannot be read, or
 * has a mistake in it, must not let anyone in. */
bool rules_open(struct rules *rules, struct broker *broker, const struct config *config);
void rules_close(struct rules *rules);

/* What the config names now, to all shards, behind what was mailed to them before. A bad file
 * changes nothing, raises an alarm and is logged. False without memory. */
bool rules_apply(struct rules *rules, const struct config *config);

/* The same when the file has changed. */
bool rules_look(struct rules *rules, const struct config *config);

/* Only whether the file is good; if not, `why`. */
bool rules_test(const struct config *config, char why[static RULES_WHY_SIZE]);

#endif
