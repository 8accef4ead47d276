/* Password hashes, computed on threads of their own: each worker is a loop that gets its jobs by
 * mail and answers by mail.
 *
 *      shard ─ job ─> worker: secret_check() ─ job ─> the same shard: done()
 *
 * A job comes back whatever happens; a request that was cancelled meanwhile is not touched, and its
 * hash is not computed if it has not begun. */
#ifndef LINNET_SERVICES_AUTH_HASHER_H
#define LINNET_SERVICES_AUTH_HASHER_H

#include "core/shard.h"
#include "services/auth/auth_link.h"
#include "services/auth/secret.h"

struct hasher;
struct hash_job;

/* On the shard, the job's last moment; not after a cancel. */
typedef void hash_done(struct hash_job *job, enum secret_result result);

struct hash_question {
        struct access_request *request;         /* its password is copied */
        struct auth_data      *data;            /* keeps the secret; a reference is taken */
        const struct secret   *secret;
        void                  *context;
        hash_done             *done;
};

struct hash_job {
        struct hash_question question;          /* request NULL: cancelled */
        struct loop         *home;              /* of the shard */
        struct parcel       *answer;            /* until it is sent: nothing can fail on the way */
        _Atomic bool         cancelled;
        enum secret_result   result;
        uint32_t             password_len;
        char                 password[];        /* wiped */
};

/* How the workers' loops wait and tell the time (clock NULL: the machine's). */
struct hasher_host {
        struct poll *(*poll_new)(void);
        struct clock_time (*clock)(void *context);
        void              *context;
};

/* `queue_max`: jobs that wait or are computed; `host` NULL: as the machine does. NULL without
 * memory or descriptors. */
struct hasher *hasher_new(unsigned workers, uint32_t queue_max, const struct hasher_host *host);
void           hasher_free(struct hasher *hasher);      /* when no loop runs; NULL is nothing */

unsigned     hasher_workers(const struct hasher *hasher);
struct loop *hasher_loop(struct hasher *hasher, unsigned worker);       /* for a thread each */

/* ACCESS_LATER, and request->provider_data is the job; or ACCESS_DENY, with reason and why, when
 * the queue is full. */
enum access_verdict hasher_ask(struct hasher *hasher, const struct hash_question *question)
        ON_SHARD;
void hasher_cancel(struct access_request *request) ON_SHARD;

#endif
