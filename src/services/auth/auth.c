#include "services/auth/auth.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "services/auth/auth_link.h"
#include "services/auth/cache.h"
#include "services/auth/keeper.h"

static enum access_verdict nobody_check(void *context, struct access_request *request);
static void                nobody_cancel(void *context, struct access_request *request);

/* The end of the chain: for who is known to none of it, a hash is computed all the same, so that
 * the time of an answer does not tell which names there are. It lets nobody in. */
static const struct access_provider nobody = {
        .name = "none", .kinds = ACCESS_CONNECTS, .check = nobody_check, .cancel = nobody_cancel,
};

/* ---- what links know ------------------------------------------------------------------------- */

void auth_data_init(struct auth_data *data, void (*release)(struct auth_data *data))
{
        atomic_init(&data->refs, 1);
        data->free = release;
}

struct auth_data *auth_data_take(struct auth_data *data)
{
        atomic_fetch_add_explicit(&data->refs, 1, memory_order_relaxed);
        return data;
}

void auth_data_drop(struct auth_data *data)
{
        if (data == NULL)
                return;

        uint32_t before = atomic_fetch_sub_explicit(&data->refs, 1, memory_order_acq_rel);

        assert(before > 0);
        if (before == 1)
                data->free(data);
}

/* ---- making the chain ------------------------------------------------------------------------ */

static bool add_link(struct auth *auth, const struct auth_kind *kind,
                     const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct auth_link *link = &auth->links[auth->count];
        struct auth_data *data = kind->load(config, why);

        if (data == NULL)
                return false;
        *link = (struct auth_link){ .kind   = kind,
                                    .auth   = auth,
                                    .broker = auth->broker,
                                    .http   = auth->http };
        for (unsigned i = 0; i < auth->broker->shard_count; i++)
                link->data[i] = auth_data_take(data);
        LOG(INFO, "auth.loaded", F_TEXT("provider", kind->word), F_U64("entries", data->entries));
        auth_data_drop(data);
        auth->count++;
        return (kind->open == NULL || kind->open(link, config, why)) &&
               access_add(auth->broker->access, &kind->provider, link) &&
               (kind->exchange.check == NULL ||
                access_add(auth->broker->access, &kind->exchange, link));
}

bool auth_wants_http(const struct auth_config *config)
{
        struct str rest = str_of(config->chain), word;

        while (auth_chain_next(&rest, &word))
                if (auth_kind_find(word)->wants_http != NULL &&
                    auth_kind_find(word)->wants_http(config))
                        return true;
        return false;
}

static bool add_links(struct auth *auth, const struct auth_config *config,
                      char why[static AUTH_WHY_SIZE])
{
        struct str rest = str_of(config->chain), word;

        while (auth_chain_next(&rest, &word)) {
                const struct auth_kind *kind = auth_kind_find(word);

                assert(kind != NULL && auth->count < AUTH_CHAIN_MAX);
                if (!add_link(auth, kind, config, why))
                        return false;
        }
        return auth->count == 0 || access_add(auth->broker->access, &nobody, auth);
}

static bool add_caches(struct auth *auth, const struct auth_config *config)
{
        uint8_t  key[CACHE_TAG_SIZE];
        uint32_t entries = broker_share(auth->broker, config->cache_entries);
        bool     good = true;

        random_secret(key, sizeof key);
        for (unsigned i = 0; i < auth->broker->shard_count && entries > 0 && good; i++) {
                auth->caches[i] = cache_new(entries, config->cache_ttl_ms, key);
                good            = auth->caches[i] != NULL;
        }
        OPENSSL_cleanse(key, sizeof key);
        return good;
}

struct auth *auth_new(struct broker *broker, struct http_client *http,
                      const struct auth_config *config, const struct hasher_host *host,
                      char why[static AUTH_WHY_SIZE])
{
        struct auth *auth = mem_zalloc(sizeof *auth);
        bool         good = auth != NULL;

        why[0] = '\0';
        if (good) {
                auth->broker = broker;
                auth->http   = http;
                good         = add_links(auth, config, why);
        }
        if (good && auth->count > 0) {
                auth->hasher = hasher_new(config->workers, config->queue_max, host);
                if (auth->hasher != NULL)
                        auth->keeper = keeper_new(auth, config);
                good = auth->keeper != NULL && add_caches(auth, config);
        }
        if (good)
                return auth;
        auth_free(auth);
        return NULL;
}

void auth_inspect(const struct auth_config *config,
                  void (*tell)(void *context, const char *provider, const char *why),
                  void *context)
{
        struct str rest = str_of(config->chain), word;
        char       why[AUTH_WHY_SIZE];

        while (auth_chain_next(&rest, &word)) {
                const struct auth_kind *kind = auth_kind_find(word);
                struct auth_data       *data = kind->load(config, why);

                if (data == NULL || (kind->inspect != NULL && !kind->inspect(config, why)))
                        tell(context, kind->word, why[0] != '\0' ? why : "no memory");
                auth_data_drop(data);
        }
}

void auth_free(struct auth *auth)
{
        if (auth == NULL)
                return;
        for (unsigned at = 0; at < auth->count; at++)
                if (auth->links[at].kind->close != NULL)
                        auth->links[at].kind->close(&auth->links[at]);
        keeper_free(auth->keeper);
        hasher_free(auth->hasher);
        for (unsigned i = 0; i < auth->broker->shard_count; i++) {
                cache_free(auth->caches[i]);
                for (unsigned at = 0; at < auth->count; at++)
                        auth_data_drop(auth->links[at].data[i]);
        }
        mem_free(auth);
}

bool auth_reload(struct auth *auth, const struct auth_config *config)
{
        return auth->keeper == NULL || keeper_reload(auth->keeper, config);
}

/* ---- threads --------------------------------------------------------------------------------- */

unsigned auth_loops(const struct auth *auth)
{
        return auth->hasher != NULL ? hasher_workers(auth->hasher) : 0;
}

struct loop *auth_loop(struct auth *auth, unsigned at)
{
        return hasher_loop(auth->hasher, at);
}

static void *run(void *loop)
{
        loop_run(loop);
        return NULL;
}

static bool make_thread(pthread_t *thread, struct loop *loop)
{
        int failed = pthread_create(thread, NULL, run, loop);

        if (failed != 0)
                LOG(ERROR, "thread.failed", F_TEXT("reason", strerror(failed)));
        return failed == 0;
}

bool auth_start(struct auth *auth)
{
        for (; auth->running < auth_loops(auth); auth->running++)
                if (!make_thread(&auth->threads[auth->running], auth_loop(auth, auth->running)))
                        return false;
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];
                struct loop      *loop = link->kind->begin != NULL ? link->kind->begin(link) : NULL;

                if (loop == NULL)
                        continue;
                if (!make_thread(&link->thread, loop))
                        return false;
                link->loop = loop;
        }
        return true;
}

void auth_stop(struct auth *auth)
{
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];

                if (link->loop == NULL)
                        continue;
                loop_stop(link->loop);
                pthread_join(link->thread, NULL);
                link->loop = NULL;
        }
        for (unsigned i = 0; i < auth->running; i++)
                loop_stop(auth_loop(auth, i));
        while (auth->running > 0)
                pthread_join(auth->threads[--auth->running], NULL);
}

/* ---- who is known to nobody ------------------------------------------------------------------ */

static void nobody_done(struct hash_job *job, enum secret_result result)
{
        struct access_request *request = job->question.request;

        (void)result;
        on_shard(job->home);
        access_answer(request, ACCESS_IGNORE);
}

static enum access_verdict nobody_check(void *context, struct access_request *request)
{
        struct auth *auth = context;

        on_shard(&request->shard->loop);
        if (!request->has_password)
                return ACCESS_IGNORE;
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link    *link = &auth->links[at];
                struct auth_data    *data = auth_link_data(link, request->shard);
                struct str           name = request->has_username ? request->username
                                                                  : request->client_id;
                const struct secret *decoy = link->kind->decoy != NULL
                                                     ? link->kind->decoy(data, name) : NULL;

                if (decoy != NULL)
                        return hasher_ask(auth->hasher, &(struct hash_question){
                                .request = request, .data = data, .secret = decoy,
                                .done = nobody_done });
        }
        return ACCESS_IGNORE;
}

static void nobody_cancel(void *context, struct access_request *request)
{
        (void)context;
        on_shard(&request->shard->loop);
        hasher_cancel(request);
}
