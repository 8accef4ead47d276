/* The certificates of listeners: read, watched, and swapped while they serve.
 *
 *      inotify, a look every minute, or a SIGHUP -> a file is not as it was read
 *      -> a new tls_context, made aside -> by mail to every shard: new connections get that
 *
 * One loop of its own, turned by one thread, since reading files waits for the disk. What does not
 * read, or does not fit together, changes nothing but raises an alarm until it does. Who is
 * connected keeps the context that the connection began with.
 */
#ifndef LINNET_SERVICES_CERTIFICATES_CERTIFICATES_H
#define LINNET_SERVICES_CERTIFICATES_CERTIFICATES_H

#include "core/shard.h"
#include "net/tls_context.h"

struct certificates;
struct certificates_slot;               /* those of one listener */

/* Takes the poll; `clock` as in struct loop_config. NULL without memory: the poll is the caller's
 * then. */
struct certificates *certificates_new(struct broker *broker,
                                      const struct loop_config *clock_and_poll);

/* Reads the files of a listener ("tls:external"), on the caller's thread, which waits for the disk.
 * No other thread knows of it before it is committed; abandoned, it is freed instead. NULL, and
 * `why` is a sentence that names key and file. */
struct certificates_slot *certificates_prepare(struct certificates *certificates, const char *name,
                                               const struct tls_config *config,
                                               char why[static TLS_WHY_SIZE]);
void certificates_abandon(struct certificates_slot *slot);

/* Its files are watched, and its days told, from now on. Whoever is to use it on a shard hears of
 * it by mail, or before the shards run. */
void certificates_commit(struct certificates_slot *slot);

/* The listener is no more: the shards give their contexts back. The slot stays until the end. */
void certificates_withdraw(struct certificates_slot *slot);

/* For a new connection on this shard; borrowed for the turn. NULL: it was withdrawn. */
struct tls_context *certificates_get(const struct certificates_slot *slot,
                                     const struct shard *shard) ON_SHARD;

struct loop *certificates_loop(struct certificates *certificates);      /* a thread turns it */

/* Any thread: reads all files anew, changed or not, and soon. */
void certificates_reload(struct certificates *certificates) ANY_THREAD;

/* When no loop runs any more; NULL is nothing. */
void certificates_free(struct certificates *certificates);

#endif
