/* Access rules from a file (emqttd_acl_internal): a provider at the end of the access chain. The
 * rules are a snapshot that all shards read, each through a pointer of its own, and that a reload
 * replaces by mail; each shard then looks at its subscriptions again (core/review). */
#ifndef LINNET_SERVICES_ACL_ACL_H
#define LINNET_SERVICES_ACL_ACL_H

#include "core/shard.h"
#include "services/acl/rules.h"

struct acl;

/* Joins the chain, without rules; before the shards start. NULL without memory. */
struct acl *acl_new(struct broker *broker);
void        acl_free(struct acl *acl);          /* after the shards */

/* Rules (taken; NULL: none) from now on; before the shards start. */
void acl_begin(struct acl *acl, struct acl_rules *rules);

/* The same while they run: each shard gets them by mail. Any one thread. False without memory, and
 * some shards may still have the old ones. */
bool acl_apply(struct acl *acl, struct acl_rules *rules);

/* The file as it is now is bad, and the rules before it stay: raises the alarm "acl_file" (clears
 * it when `why` is NULL; words of static storage). Any thread. */
void acl_alarm(struct acl *acl, const char *why);

#endif
