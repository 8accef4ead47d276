/* The few locks, each with a rank: a lock may be taken only while all that are held rank lower. */
#ifndef LINNET_RT_LOCK_H
#define LINNET_RT_LOCK_H

#include <pthread.h>

#include "rt/role.h"

enum lock_rank {
        LOCK_RANK_CONFIG,       /* a configuration being swapped */
        LOCK_RANK_TICKETS,      /* keys of TLS sessions: copied, no more */
        LOCK_RANK_ROUTER,       /* writers of the route index; readers take none */
        LOCK_RANK_GUARD,        /* bans and traces: once a connection, never once a message */
        LOCK_RANKS
};

struct ROLE_ATTR(capability("mutex")) lock {
        pthread_mutex_t mutex;
        enum lock_rank  rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_deinit(struct lock *lock);
void lock_take(struct lock *lock) ROLE_ATTR(acquire_capability(*lock));
void lock_release(struct lock *lock) ROLE_ATTR(release_capability(*lock));

#define GUARDED_BY(lock) ROLE_ATTR(guarded_by(lock))
#define HOLDS(lock)      ROLE_ATTR(requires_capability(lock))

#endif
