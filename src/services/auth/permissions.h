/* What a client may publish and subscribe to, as its token or an HTTP service says in JSON. Two
 * forms, both EMQX's:
 *
 *      { "pub": ["a/%c"], "sub": ["b/#"], "all": ["c/+"] }     whoever is in no list may not
 *
 *      [ { "permission": "allow", "action": "publish", "topic": "a/#", "qos": [0, 1],
 *          "retain": false }, … ]                              the first that matches decides
 *
 * What matches nothing is denied. "eq a/#" is that very filter, and nothing below it. A
 * subscription is allowed by a rule whose filter covers all of its own, and denied by one that has
 * any topic in common with it: what may not be read is not read through a wider filter.
 */
#ifndef LINNET_SERVICES_AUTH_PERMISSIONS_H
#define LINNET_SERVICES_AUTH_PERMISSIONS_H

#include <jansson.h>

#include "core/access.h"

enum { PERMISSIONS_MAX = 256 };

struct permissions;

/* With %c, %u, ${clientid} and ${username} in the places of this client. NULL: *why says what is
 * wrong, in static words: a rule that is not understood is no rule to be left out. */
struct permissions *permissions_new(const json_t *json, const struct access_request *request,
                                    const char **why);
void                permissions_free(struct permissions *permissions);

/* Allow or deny a PUBLISH or SUBSCRIBE. */
enum access_verdict permissions_check(const struct permissions *permissions,
                                      const struct access_request *request);

#endif
