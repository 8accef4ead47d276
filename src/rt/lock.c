#include "rt/lock.h"

#include <assert.h>
#include <stddef.h>

static _Thread_local unsigned held_ranks;       /* a bit per rank */

static_assert(LOCK_RANKS <= 32, "held_ranks keeps a bit per rank");

void lock_init(struct lock *lock, enum lock_rank rank)
{
        assert((unsigned)rank < LOCK_RANKS);
        lock->rank = rank;

        int failed = pthread_mutex_init(&lock->mutex, NULL);

        assert(!failed);
}

void lock_deinit(struct lock *lock)
{
        int failed = pthread_mutex_destroy(&lock->mutex);

        assert(!failed);                /* somebody holds it */
}

/* The compiler cannot see that a pthread mutex is what the capability stands for. */
void lock_take(struct lock *lock) UNCHECKED
{
        /* An order of taking that all threads keep cannot lock up; asserted before it would. */
        assert(held_ranks < 1u << lock->rank);

        int failed = pthread_mutex_lock(&lock->mutex);

        assert(!failed);
        held_ranks |= 1u << lock->rank;
}

void lock_release(struct lock *lock) UNCHECKED
{
        assert(held_ranks & 1u << lock->rank);
        held_ranks &= ~(1u << lock->rank);

        int failed = pthread_mutex_unlock(&lock->mutex);

        assert(!failed);
}
