#include "services/auth/credentials.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "services/auth/cache.h"
#include "services/auth/hasher.h"
#include "services/auth/names_file.h"

enum { SLOW_SAMPLES = 64 };

struct credential {
        struct secret secret;
        unsigned      line;             /* of its file */
        uint32_t      name_len;
        char          name[];
};

struct credentials {
        struct auth_data         data;
        struct map               by_name;       /* owns its rows */
        struct hash_key          key;
        const struct credential *slow[SLOW_SAMPLES];    /* some whose secret is slow to check */
        unsigned                 slow_count;
        char                     wrong[128];    /* while it is made: what is wrong with a line */
};

static struct str name_of(const void *value)
{
        const struct credential *row = value;

        return str_from(row->name, row->name_len);
}

static void credentials_free(struct auth_data *data)
{
        struct credentials *all = list_entry(data, struct credentials, data);
        struct credential  *row;
        size_t              at = 0;

        while ((row = map_next(&all->by_name, &at)) != NULL) {
                OPENSSL_cleanse(row, sizeof *row);
                mem_free(row);
        }
        map_deinit(&all->by_name);
        mem_free(all);
}

static struct credentials *credentials_new(void)
{
        struct credentials *all = mem_zalloc(sizeof *all);

        if (all == NULL)
                return NULL;
        random_secret(&all->key, sizeof all->key);
        auth_data_init(&all->data, credentials_free);
        map_init(&all->by_name, name_of, all->key);
        return all;
}

/* Copies both. */
static bool add(struct credentials *all, struct str name, const struct secret *secret,
                unsigned line)
{
        struct credential *row = mem_alloc(sizeof *row + name.len);

        if (row == NULL)
                return false;
        row->secret   = *secret;
        row->line     = line;
        row->name_len = (uint32_t)name.len;
        memcpy(row->name, name.ptr, name.len);
        if (!map_add(&all->by_name, row)) {
                mem_free(row);
                return false;
        }
        all->data.entries++;
        if (secret_is_slow(secret) && all->slow_count < SLOW_SAMPLES)
                all->slow[all->slow_count++] = row;
        return true;
}

static const struct secret *decoy(const struct auth_data *data, struct str name)
{
        const struct credentials *all = list_entry(data, struct credentials, data);

        if (all->slow_count == 0)
                return NULL;
        return &all->slow[hash_str(&all->key, name) % all->slow_count]->secret;
}

static void lost(const struct auth_data *from, const struct auth_data *to,
                 void (*tell)(void *context, struct str username), void *context)
{
        const struct credentials *before = list_entry(from, struct credentials, data);
        const struct credentials *after  = list_entry(to, struct credentials, data);
        const struct credential  *was, *is;
        size_t                    at = 0;

        while ((was = map_next(&before->by_name, &at)) != NULL) {
                is = map_find(&after->by_name, name_of(was));
                if (is == NULL || !secret_same(&was->secret, &is->secret))
                        tell(context, name_of(was));
        }
}

/* ---- the question ---------------------------------------------------------------------------- */

static struct str who(const struct auth_link *link, const struct access_request *request)
{
        return link->kind == &auth_kind_clientid ? request->client_id : request->username;
}

ON_SHARD static bool is_cached(const struct auth_link *link, struct access_request *request,
                               const struct secret *secret, bool put)
{
        struct shard    *shard = request->shard;
        struct cache    *cache = link->auth->caches[shard->loop.config.id];
        struct cache_tag tag;

        if (cache == NULL ||
            !cache_tag(cache, who(link, request), secret, request->password, &tag))
                return false;
        if (put)
                cache_put(cache, &tag, shard->loop.now.mono_ms);
        return cache_has(cache, &tag, shard->loop.now.mono_ms);
}

static enum access_verdict verdict_of(struct access_request *request, enum secret_result result)
{
        if (result == SECRET_RIGHT)
                return ACCESS_ALLOW;
        request->why = "wrong password";
        if (result == SECRET_NO_MEMORY) {
                request->reason = REASON_SERVER_BUSY;
                request->why    = "no memory to check its password";
        }
        return ACCESS_DENY;
}

static void hashed(struct hash_job *job, enum secret_result result)
{
        struct access_request *request = job->question.request;

        on_shard(job->home);
        if (result == SECRET_RIGHT)
                is_cached(job->question.context, request, job->question.secret, true);
        access_answer(request, verdict_of(request, result));
}

static enum access_verdict check(void *context, struct access_request *request)
{
        struct auth_link         *link = context;
        struct auth_data         *data = auth_link_data(link, request->shard);
        const struct credentials *all  = list_entry(data, struct credentials, data);
        struct str                name = who(link, request);
        const struct credential  *row  = name.ptr != NULL ? map_find(&all->by_name, name) : NULL;

        on_shard(&request->shard->loop);
        if (row == NULL)
                return ACCESS_IGNORE;
        request->id_is_its |= link->kind == &auth_kind_clientid;        /* or it is denied */
        if (!request->has_password) {
                request->why = "no password";
                return ACCESS_DENY;
        }
        if (!secret_is_slow(&row->secret))
                return verdict_of(request, secret_check(&row->secret, request->password));
        if (is_cached(link, request, &row->secret, false)) {
                metric_add(&request->shard->metrics.auth_cached, 1);
                return ACCESS_ALLOW;
        }
        return hasher_ask(link->auth->hasher, &(struct hash_question){ .request = request,
                                                                       .data    = data,
                                                                       .secret  = &row->secret,
                                                                       .context = link,
                                                                       .done    = hashed });
}

static void cancel(void *context, struct access_request *request)
{
        (void)context;
        on_shard(&request->shard->loop);
        hasher_cancel(request);
}

/* ---- auth.user.N and auth.client.N ----------------------------------------------------------- */

static struct auth_data *load_rows(const struct auth_rows *rows, const char *table,
                                   char why[static AUTH_WHY_SIZE])
{
        struct credentials *all = credentials_new();

        why[0] = '\0';
        for (unsigned i = 0; all != NULL && i < rows->count; i++) {
                const struct auth_row *row = &rows->rows[i];
                struct secret          secret;
                const char            *wrong = secret_parse(str_of(row->secret), &secret);

                if (wrong == NULL && add(all, str_of(row->name), &secret, 0))
                        continue;
                if (wrong != NULL)
                        snprintf(why, AUTH_WHY_SIZE, "auth.%s.%u.password: %s", table, row->number,
                                 wrong);
                auth_data_drop(&all->data);
                return NULL;
        }
        return all != NULL ? &all->data : NULL;
}

static const char *username_lacks(const struct auth_config *config)
{
        return config->users.count > 0
                       ? NULL : "auth.user.1.username = NAME and auth.user.1.password = PASSWORD";
}

static struct auth_data *load_users(const struct auth_config *config,
                                    char why[static AUTH_WHY_SIZE])
{
        return load_rows(&config->users, "user", why);
}

static const char *clientid_lacks(const struct auth_config *config)
{
        return config->clients.count > 0
                       ? NULL : "auth.client.1.clientid = ID and auth.client.1.password = PASSWORD";
}

static struct auth_data *load_clients(const struct auth_config *config,
                                      char why[static AUTH_WHY_SIZE])
{
        return load_rows(&config->clients, "client", why);
}

/* ---- auth.password_file ---------------------------------------------------------------------- */

static const char *take_line(void *context, struct str name, struct str value, unsigned line)
{
        struct credentials      *all = context;
        const struct credential *row = map_find(&all->by_name, name);
        struct secret            secret;
        const char              *wrong = secret_parse(value, &secret);

        if (row != NULL) {
                snprintf(all->wrong, sizeof all->wrong, "its name stands in line %u already",
                         row->line);
                return all->wrong;
        }
        if (str_starts(value, STR("SCRAM-SHA-256$")))
                return "it is a SCRAM verifier, which belongs in auth.scram.file";
        if (wrong == NULL && secret.kind == SECRET_PLAIN)
                return "its password is not hashed; 'linnet passwd -U FILE' hashes them all";
        if (wrong != NULL) {
                snprintf(all->wrong, sizeof all->wrong, "its hash is no good: %s", wrong);
                return all->wrong;
        }
        return add(all, name, &secret, line) ? NULL : "";
}

static struct auth_data *load_file(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct credentials *all = credentials_new();

        why[0] = '\0';
        if (all == NULL)
                return NULL;
        if (names_file_read(config->password_file, take_line, all, why))
                return &all->data;
        auth_data_drop(&all->data);
        return NULL;
}

static const char *file_lacks(const struct auth_config *config)
{
        return config->password_file[0] != '\0' ? NULL : "auth.password_file = FILE";
}

static const char *file_path(const struct auth_config *config)
{
        return config->password_file;
}

/* ---- the kinds ------------------------------------------------------------------------------- */

#define PROVIDER(word)                                                                             \
        { .name = (word), .kinds = ACCESS_CONNECTS, .check = check, .cancel = cancel }

const struct auth_kind auth_kind_password_file = {
        .word     = "password_file",
        .provider = PROVIDER("password_file"),
        .lacks    = file_lacks,
        .load     = load_file,
        .file     = file_path,
        .lost     = lost,
        .decoy    = decoy,
};

const struct auth_kind auth_kind_username = {
        .word     = "username",
        .provider = PROVIDER("username"),
        .lacks    = username_lacks,
        .load     = load_users,
        .lost     = lost,
        .decoy    = decoy,
};

const struct auth_kind auth_kind_clientid = {
        .word     = "clientid",
        .provider = PROVIDER("clientid"),
        .lacks    = clientid_lacks,
        .load     = load_clients,
        .decoy    = decoy,
};
