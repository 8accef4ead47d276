/* The rules of an ACL file, compiled: immutable, counted, read by all shards.
 *
 *      rule   allow or deny, for whom, which action, which topics; the first that matches decides
 *      index  rules for one user or one client are found by that name; the others are gone through
 */
#ifndef LINNET_SERVICES_ACL_RULES_H
#define LINNET_SERVICES_ACL_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/access.h"

enum acl_format { ACL_AUTO, ACL_EMQTTD, ACL_MOSQUITTO };

enum {
        ACL_FILE_BYTES_MAX = 16 << 20,
        ACL_RULES_MAX      = 1 << 20,
        ACL_TOPICS_MAX     = 4096,      /* of one rule */
        ACL_PEOPLE_MAX     = 4096,      /* conditions on who, of one rule */
        ACL_DEPTH_MAX      = 16,        /* of 'and' and 'or' within one another */
        ACL_WHY_SIZE       = 512,
};

struct acl_rules;

/* All that the text says, or NULL and "acl.conf:3:14: what is wrong; what to write instead" in
 * `why`. `name` is what the file is called there. Any thread. */
struct acl_rules *acl_rules_parse(const char *name, struct str text, enum acl_format format,
                                  char why[static ACL_WHY_SIZE]);

struct acl_rules *acl_rules_get(struct acl_rules *rules);
void              acl_rules_put(struct acl_rules *rules);       /* NULL is nothing */

uint32_t    acl_rules_count(const struct acl_rules *rules);
const char *acl_rules_format(const struct acl_rules *rules);    /* "emqttd", "mosquitto" */

/* What the rules say of PUBLISH, SUBSCRIBE or DELIVER: allow, deny or ignore. Sets request->partly
 * and ->line. Without `check_delivery` a subscription is not checked message by message, so a
 * filter must be allowed as a whole. */
enum access_verdict acl_rules_check(const struct acl_rules *rules, struct access_request *request,
                                    bool check_delivery);

#endif
