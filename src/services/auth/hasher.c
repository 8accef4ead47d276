#include "services/auth/hasher.h"

#include <assert.h>
#include <openssl/crypto.h>

#include "base/memory.h"

struct worker {
        struct loop      loop;
        struct loop     *self[1];
        _Atomic uint32_t jobs;          /* that it has not answered */
};

struct hasher {
        unsigned       count;
        uint32_t       queue_max;
        struct worker *workers[];       /* [count] */
};

struct job_mail {
        struct mail      mail;
        struct hash_job *job;           /* owned */
};

struct hasher *hasher_new(unsigned workers, uint32_t queue_max, const struct hasher_host *host)
{
        static const struct hasher_host machine = { .poll_new = poll_epoll_new };
        struct hasher                  *hasher  =
                mem_zalloc(sizeof *hasher + workers * sizeof hasher->workers[0]);

        if (hasher == NULL)
                return NULL;
        if (host == NULL)
                host = &machine;
        hasher->queue_max = queue_max;
        for (unsigned i = 0; i < workers; i++) {
                struct worker     *worker = mem_zalloc(sizeof *worker);
                struct poll       *poll   = host->poll_new();
                struct loop_config config = { .count         = 1,
                                              .poll          = poll,
                                              .clock         = host->clock,
                                              .clock_context = host->context };

                if (worker == NULL || poll == NULL) {
                        mem_free(worker);
                        poll_free(poll);
                        hasher_free(hasher);
                        return NULL;
                }
                worker->self[0] = &worker->loop;
                config.peers    = worker->self;
                loop_init(&worker->loop, &config);
                hasher->workers[hasher->count++] = worker;
        }
        return hasher;
}

void hasher_free(struct hasher *hasher)
{
        if (hasher == NULL)
                return;
        for (unsigned i = 0; i < hasher->count; i++) {
                loop_deinit(&hasher->workers[i]->loop);
                mem_free(hasher->workers[i]);
        }
        mem_free(hasher);
}

unsigned hasher_workers(const struct hasher *hasher)
{
        return hasher->count;
}

struct loop *hasher_loop(struct hasher *hasher, unsigned worker)
{
        assert(worker < hasher->count);
        return &hasher->workers[worker]->loop;
}

static void job_free(struct hash_job *job)
{
        parcel_drop(job->answer);
        auth_data_drop(job->question.data);
        OPENSSL_cleanse(job->password, job->password_len);
        mem_free(job);
}

static void job_drop(struct mail *mail)
{
        struct hash_job *job = ((struct job_mail *)(void *)mail)->job;

        if (job != NULL)        /* the answer that lies in the job itself has none yet */
                job_free(job);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void answer_deliver(struct loop *loop, struct mail *mail)
{
        struct hash_job       *job     = ((struct job_mail *)(void *)mail)->job;
        struct access_request *request = job->question.request;

        on_shard(loop);
        if (request != NULL) {
                assert(request->provider_data == job);
                request->provider_data = NULL;
                job->question.done(job, job->result);
        }
        job_free(job);
}

static const struct mail_ops answer_ops = { "hash answer", answer_deliver, job_drop };

/* ---- the work -------------------------------------------------------------------------------- */

static void job_deliver(struct loop *loop, struct mail *mail)
{
        struct hash_job *job    = ((struct job_mail *)(void *)mail)->job;
        struct worker   *worker = list_entry(loop, struct worker, loop);
        struct parcel   *answer = TAKE(job->answer);
        struct loop     *home   = job->home;
        uint32_t         at     = 0;

        if (!atomic_load_explicit(&job->cancelled, memory_order_relaxed))
                job->result = secret_check(job->question.secret,
                                           str_from(job->password, job->password_len));
        ((struct job_mail *)(void *)parcel_next(answer, &at))->job = job;
        atomic_fetch_sub_explicit(&worker->jobs, 1, memory_order_relaxed);
        loop_post(home, answer);
}

static const struct mail_ops job_ops = { "hash job", job_deliver, job_drop };

/* The one with the fewest jobs, or NULL when there are too many. */
static struct worker *choose(const struct hasher *hasher)
{
        struct worker *least = NULL;
        uint32_t       fewest = UINT32_MAX, sum = 0;

        for (unsigned i = 0; i < hasher->count; i++) {
                uint32_t jobs = atomic_load_explicit(&hasher->workers[i]->jobs,
                                                     memory_order_relaxed);

                sum += jobs;
                if (jobs >= fewest)
                        continue;
                fewest = jobs;
                least  = hasher->workers[i];
        }
        return sum < hasher->queue_max ? least : NULL;
}

static struct hash_job *job_new(const struct hash_question *question)
{
        struct str       password = question->request->password;
        struct hash_job *job      = mem_zalloc(sizeof *job + password.len);

        if (job == NULL || parcel_append(&job->answer, &answer_ops, sizeof(struct job_mail),
                                         MAIL_FROM_OUTSIDE) == NULL) {
                mem_free(job);
                return NULL;
        }
        job->question      = *question;
        job->question.data = auth_data_take(question->data);
        job->home          = &question->request->shard->loop;
        job->password_len  = (uint32_t)password.len;
        if (password.len > 0)
                memcpy(job->password, password.ptr, password.len);
        return job;
}

enum access_verdict hasher_ask(struct hasher *hasher, const struct hash_question *question)
{
        struct access_request *request = question->request;
        struct worker         *worker  = choose(hasher);
        struct hash_job       *job     = worker != NULL ? job_new(question) : NULL;
        struct parcel         *parcel  = NULL;
        struct job_mail       *mail    = NULL;

        if (job != NULL)
                mail = (struct job_mail *)(void *)parcel_append(&parcel, &job_ops, sizeof *mail,
                                                                MAIL_FROM_OUTSIDE);
        if (mail == NULL) {
                if (job != NULL)
                        job_free(job);
                request->reason = REASON_SERVER_BUSY;
                request->why    = worker != NULL ? "no memory"
                                                 : "auth.queue: too many passwords wait for checks";
                return ACCESS_DENY;
        }
        mail->job              = job;
        request->provider_data = job;
        atomic_fetch_add_explicit(&worker->jobs, 1, memory_order_relaxed);
        loop_post(&worker->loop, parcel);
        return ACCESS_LATER;
}

void hasher_cancel(struct access_request *request)
{
        struct hash_job *job = TAKE(request->provider_data);

        assert(job->question.request == request);
        job->question.request = NULL;
        atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
}
