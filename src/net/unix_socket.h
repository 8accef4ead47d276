/* A listening Unix socket: a file in a folder, which outlives whoever made it. */
#ifndef LINNET_NET_UNIX_SOCKET_H
#define LINNET_NET_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct unix_socket {
        const char *path;               /* absolute */
        mode_t      mode;               /* of the file: who may connect */
        uid_t       owner;              /* (uid_t)-1: this process's */
        gid_t       group;              /* (gid_t)-1 */
};

/* Sets owner and group by their names; empty: left to this process. False when one is not known.
 * Asks whoever knows the users of this machine: not on a shard. */
bool unix_socket_owner(struct unix_socket *at, const char *owner, const char *group);

/* Binds and listens; the file has its owner and mode before anyone can connect. A socket that is
 * there already is replaced when nobody listens on it; any other file is left alone (-EEXIST), as
 * is a socket in use (-EADDRINUSE). The descriptor, or -errno. Looks at the disk: not on a
 * shard. */
int unix_socket_listen(const struct unix_socket *at, int backlog);

/* The file gets its owner and mode anew. 0, or -errno. */
int unix_socket_set_mode(const struct unix_socket *at);

#endif
