/* The mountpoint of a listener (emqttd's): what stands before every topic of its clients, who do
 * not see it. "dev/%c/" gives each client a branch of its own; %c is its client identifier, %u its
 * username. Access rules, hooks and other clients see the whole topic.
 *
 *      a/b  <->  dev/robot/a/b          $share/g/a/#  ->  $share/g/dev/robot/a/#
 */
#ifndef LINNET_CLIENT_MOUNT_H
#define LINNET_CLIENT_MOUNT_H

#include "base/str.h"
#include "rt/role.h"

struct client;

enum { MOUNTPOINT_SIZE = 256 };         /* of the pattern, with the NUL */

/* Whole levels that can stand before a topic: "/" at the end, no wildcard, no "$" in front. */
bool mount_pattern_valid(struct str pattern);

/* Fills the pattern of the client's listener with its names. False: a name would lead out of its
 * branch, or there is none, or no memory; the client was told. */
bool mount_make(struct client *c) ON_SHARD;

/* What the client names, as the broker knows it: `topic` itself without a mountpoint, else valid
 * until the next mounted one. Special prefixes stay in front. ptr NULL: too long, too deep, or no
 * memory. */
struct str mount_topic(struct client *c, struct str topic) ON_SHARD;
struct str mount_filter(struct client *c, struct str filter) ON_SHARD;

/* And the way back, by a mountpoint that is not empty. */
struct str mount_strip(struct str mount, struct str topic);

#endif
