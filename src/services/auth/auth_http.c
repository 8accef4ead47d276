#include "services/auth/auth_http.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/auth/auth_link.h"
#include "services/auth/http_form.h"
#include "services/auth/permissions.h"
#include "services/auth/text_file.h"

enum {
        ERRORS_LOGGED = 5,              /* a second and shard */
        PEM_BYTES_MAX = 1 << 20,
};

static const char *const step_names[AUTH_HTTP_STEPS] = { "auth.http.auth_req",
                                                         "auth.http.super_req",
                                                         "auth.http.acl_req" };

struct http_data {
        struct auth_data        data;
        struct auth_http_config config;
};

/* Beside the shards: whom to ask; of each shard, what it remembers. */
struct http_side {
        struct http_target *targets[AUTH_HTTP_STEPS];
        struct {
                struct auth_cache cache;
                struct log_limit  errors;
        } shards[SHARDS_MAX];
        unsigned count;
};

/* A question that is on its way. */
struct question {
        struct auth_link      *link;
        struct access_request *request;
        struct http_call      *call;
        enum auth_http_step    step;
        struct auth_digest     digest;
        struct auth_answer     so_far;          /* of auth_req, while super_req is asked */
};

/* What an answer leaves with its client. */
struct http_note {
        struct access_note  note;
        struct permissions *permissions;        /* owned */
};

static enum access_verdict ask(struct auth_link *link, struct access_request *request,
                               enum auth_http_step step,
                               const struct auth_answer *so_far) ON_SHARD;

/* ---- what is known, and what works beside the shards ----------------------------------------- */

static void http_data_free(struct auth_data *data)
{
        struct http_data *known = list_entry(data, struct http_data, data);

        OPENSSL_cleanse(&known->config, sizeof known->config);
        mem_free(known);
}

/* libcurl would say so with the first question only. Empty: there is none. */
static bool is_readable(const char *key, const char *file, char why[static AUTH_WHY_SIZE])
{
        struct buffer text  = { 0 };
        const char   *wrong = file[0] != '\0' ? text_file_read(file, PEM_BYTES_MAX, &text) : NULL;

        text_file_wipe(&text);
        if (wrong != NULL)
                snprintf(why, AUTH_WHY_SIZE, "%s: %.300s: %s", key, file, wrong);
        return wrong == NULL;
}

static struct auth_data *load(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct http_data *known = mem_zalloc(sizeof *known);

        why[0] = '\0';
        if (known == NULL || !is_readable("auth.http.ca_file", config->http.ca_file, why) ||
            !is_readable("auth.http.cert_file", config->http.cert_file, why) ||
            !is_readable("auth.http.key_file", config->http.key_file, why)) {
                mem_free(known);
                return NULL;
        }
        auth_data_init(&known->data, http_data_free);
        known->config = config->http;
        return &known->data;
}

static const char *lacks(const struct auth_config *config)
{
        for (unsigned i = 0; i < AUTH_HTTP_STEPS; i++)
                if (!http_form_params_good(str_of(config->http.requests[i].params)))
                        return "params as in clientid=%c,username=%u";
        return config->http.requests[AUTH_HTTP_AUTH].url[0] != '\0' ||
                               config->http.requests[AUTH_HTTP_ACL].url[0] != '\0'
                       ? NULL : "auth.http.auth_req = URL or auth.http.acl_req = URL";
}

static bool wants_http(const struct auth_config *config)
{
        (void)config;
        return true;
}

static const char *set_or_null(const char *text)
{
        return text[0] != '\0' ? text : NULL;
}

static bool open_beside(struct auth_link *link, const struct auth_config *config,
                        char why[static AUTH_WHY_SIZE])
{
        const struct auth_http_config  *http   = &config->http;
        struct http_side               *side   = mem_zalloc(sizeof *side);
        const struct http_target_config target = {
                .ca_file            = set_or_null(http->ca_file),
                .cert_file          = set_or_null(http->cert_file),
                .key_file           = set_or_null(http->key_file),
                .connect_timeout_ms = http->connect_timeout_ms,
                .timeout_ms         = http->timeout_ms,
                .answer_bytes_max   = HTTP_ANSWER_BYTES_MAX,
                .circuit            = { http->circuit_failures, http->circuit_window_ms,
                                        http->circuit_pause_ms },
        };

        why[0]       = '\0';
        link->beside = side;
        if (side == NULL)
                return false;
        for (; side->count < link->broker->shard_count; side->count++)
                auth_cache_init(&side->shards[side->count].cache,
                                broker_share(link->broker, http->cache_max));
        for (unsigned i = 0; i < AUTH_HTTP_STEPS; i++) {
                struct http_target_config named = target;

                named.name       = step_names[i];
                side->targets[i] = http_client_target(link->http, &named);
                if (side->targets[i] == NULL)
                        return false;
        }
        return true;
}

static void close_beside(struct auth_link *link)
{
        struct http_side *side = link->beside;

        for (unsigned i = 0; side != NULL && i < side->count; i++)
                auth_cache_deinit(&side->shards[i].cache);
        mem_free(side);
}

static const struct auth_http_config *config_of(const struct auth_link *link,
                                                const struct shard     *shard)
{
        const struct auth_data *data = auth_link_data(link, shard);

        return &list_entry(data, const struct http_data, data)->config;
}

static struct auth_cache *cache_of(const struct auth_link *link, const struct shard *shard)
{
        return &((struct http_side *)link->beside)->shards[shard->loop.config.id].cache;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void note_free(struct access_note *note)
{
        struct http_note *mine = list_entry(note, struct http_note, note);

        permissions_free(mine->permissions);
        mem_free(mine);
}

/* False: `request->why` says why the client cannot be given them. */
ON_SHARD static bool keep_permissions(struct auth_link *link, struct access_request *request,
                                      const json_t *json)
{
        struct http_note *note = mem_zalloc(sizeof *note);

        request->why = "no memory";
        if (note == NULL)
                return false;
        note->note        = (struct access_note){ .owner = link, .free = note_free };
        note->permissions = permissions_new(json, request, &request->why);
        if (note->permissions == NULL) {
                mem_free(note);
                return false;
        }
        access_keep(request, &note->note);
        return true;
}

/* The verdict on a CONNECT, once all is known that is to be asked. */
ON_SHARD static enum access_verdict let_in(struct auth_link *link, struct access_request *request,
                                           const struct auth_answer *answer)
{
        if (answer->permissions != NULL && !keep_permissions(link, request, answer->permissions))
                return ACCESS_DENY;
        request->superuser = answer->superuser;
        request->until_us  = answer->until_us;
        return ACCESS_ALLOW;
}

ON_SHARD static enum access_verdict conclude(struct auth_link *link, struct access_request *request,
                                             enum auth_http_step             step,
                                             const struct auth_answer       *answer,
                                             const struct auth_answer       *so_far)
{
        const struct auth_http_config *config = config_of(link, request->shard);
        struct auth_answer             both;

        request->why = "the HTTP service does not allow it";
        switch (step) {
        case AUTH_HTTP_AUTH:
                if (answer->verdict != ACCESS_ALLOW)
                        return answer->verdict;
                if (answer->until_us > 0 && answer->until_us <= request->shard->loop.now.wall_us)
                        return ACCESS_DENY;
                if (answer->superuser || config->requests[AUTH_HTTP_SUPER].url[0] == '\0')
                        return let_in(link, request, answer);
                return ask(link, request, AUTH_HTTP_SUPER, answer);
        case AUTH_HTTP_SUPER:
                both           = *so_far;
                both.superuser = answer->verdict == ACCESS_ALLOW;
                return let_in(link, request, &both);
        case AUTH_HTTP_ACL:
        case AUTH_HTTP_STEPS:
                break;
        }
        return answer->verdict;
}

/* Nobody knows. A client that was let in is no superuser for it. */
ON_SHARD static enum access_verdict not_answered(struct auth_link *link,
                                                 struct access_request    *request,
                                                 enum auth_http_step       step,
                                                 const struct auth_answer *so_far, const char *why)
{
        struct shard     *shard   = request->shard;
        struct http_side *side    = link->beside;
        uint32_t          skipped = 0;

        metric_add(&shard->metrics.auth_http_failed, 1);
        if (log_allowed(&side->shards[shard->loop.config.id].errors, ERRORS_LOGGED,
                        shard->loop.now.mono_ms, &skipped))
                LOG(WARNING, "auth.http_failed", F_TEXT("request", step_names[step]),
                    F_STR("client", request->client_id), F_TEXT("why", why),
                    F_U64("skipped", skipped));
        if (step == AUTH_HTTP_SUPER)
                return let_in(link, request, so_far);
        if (config_of(link, shard)->on_error == AUTH_HTTP_IGNORE)
                return ACCESS_IGNORE;
        request->why    = "the HTTP service cannot be asked";
        request->reason = request->kind == ACCESS_CONNECT ? REASON_SERVER_UNAVAILABLE
                                                          : REASON_NOT_AUTHORIZED;
        return ACCESS_DENY;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void question_free(struct question *question)
{
        json_decref(question->so_far.permissions);
        mem_free(question);
}

/* Here, and by who asks about a topic, for as long. */
ON_SHARD static void remember(struct question *question, const struct auth_answer *answer)
{
        const struct shard            *shard  = question->request->shard;
        const struct auth_http_config *config = config_of(question->link, shard);
        uint32_t                       ttl_ms = answer->verdict == ACCESS_DENY
                                                        ? config->cache_negative_ttl_ms
                                                        : config->cache_ttl_ms;

        question->request->ttl_ms = ttl_ms;
        auth_cache_keep(cache_of(question->link, shard), &question->digest, answer,
                        shard->loop.now.mono_ms, ttl_ms);
}

static void on_answer(void *context, const struct http_answer *http)
{
        struct question       *question = context;
        struct access_request *request  = question->request;
        struct auth_answer     answer;
        const char            *why;
        enum access_verdict    verdict;

        on_shard(&request->shard->loop);
        request->provider_data = NULL;
        if (http->result == HTTP_TIMEOUT)
                metric_add(&request->shard->metrics.auth_http_timeout, 1);
        if (http_form_read(http, &answer, &why)) {
                remember(question, &answer);
                verdict = conclude(question->link, request, question->step, &answer,
                                   &question->so_far);
        } else {
                verdict = not_answered(question->link, request, question->step, &question->so_far,
                                       why);
        }
        json_decref(answer.permissions);
        question_free(question);
        if (verdict != ACCESS_LATER)
                access_answer(request, verdict);
}

/* NULL: nobody was asked. */
ON_SHARD static struct question *send(struct auth_link *link, struct access_request *request,
                                      enum auth_http_step step, const struct http_form *form)
{
        const struct auth_http_config *config = config_of(link, request->shard);
        const struct http_side        *side   = link->beside;
        const struct http_request      http   = http_form_request(form, &config->requests[step]);
        struct question               *question = mem_zalloc(sizeof *question);

        if (question == NULL)
                return NULL;
        question->link    = link;
        question->request = request;
        question->step    = step;
        question->call    = http_ask(side->targets[step], &http, &request->shard->loop, on_answer,
                                     question);
        if (question->call != NULL)
                return question;
        mem_free(question);
        return NULL;
}

/* False without memory: all questions would be the same one. */
static bool digest_of(const struct auth_cache *cache, enum auth_http_step step,
                      const struct http_form *form, struct auth_digest *digest)
{
        struct buffer all  = { 0 };
        char          kind = (char)('0' + step);
        bool          good;

        /* A URL has no NUL: no two questions run into one another. */
        good = buffer_append(&all, str_from(&kind, 1)) &&
               buffer_append(&all, buffer_str(&form->url)) &&
               buffer_append(&all, str_from("", 1)) &&
               buffer_append(&all, buffer_str(&form->body)) &&
               auth_cache_digest(cache, buffer_str(&all), digest);
        if (all.bytes != NULL)
                OPENSSL_cleanse(all.bytes, all.size);
        buffer_deinit(&all);
        return good;
}

/* From what is remembered, or from the service, later. */
ON_SHARD static enum access_verdict find_or_send(struct auth_link *link,
                                                 struct access_request    *request,
                                                 enum auth_http_step       step,
                                                 const struct auth_answer *so_far,
                                                 const struct http_form   *form)
{
        struct auth_cache        *cache = cache_of(link, request->shard);
        struct auth_digest        digest;
        const struct auth_answer *known;
        struct question          *question;

        request->ttl_ms = 0;                    /* but for a fresh answer */
        if (!digest_of(cache, step, form, &digest))
                return not_answered(link, request, step, so_far, "no memory");
        known = auth_cache_find(cache, &digest, request->shard->loop.now.mono_ms);
        if (known != NULL) {
                metric_add(&request->shard->metrics.auth_http_cached, 1);
                return conclude(link, request, step, known, so_far);
        }
        if (request->review) {                  /* it would not wait for the answer */
                request->unsure = true;
                return ACCESS_ALLOW;
        }
        question = send(link, request, step, form);
        if (question == NULL)
                return not_answered(link, request, step, so_far, "too many requests wait");
        metric_add(&request->shard->metrics.auth_http_asked, 1);
        question->digest = digest;
        if (so_far != NULL) {
                question->so_far = *so_far;
                json_incref(question->so_far.permissions);
        }
        request->provider_data = question;
        return ACCESS_LATER;
}

static enum access_verdict ask(struct auth_link *link, struct access_request *request,
                               enum auth_http_step step, const struct auth_answer *so_far)
{
        struct http_form    form    = { 0 };
        const char         *lacking = http_form_fill(&form, config_of(link, request->shard), step,
                                                     request);
        enum access_verdict verdict = ACCESS_DENY;

        if (lacking == NULL)
                verdict = find_or_send(link, request, step, so_far, &form);
        else
                request->why = lacking;
        http_form_wipe(&form);
        return verdict;
}

static enum access_verdict check(void *context, struct access_request *request)
{
        struct auth_link              *link = context;
        const struct auth_http_config *config;
        const struct access_note      *note;

        on_shard(&request->shard->loop);
        config = config_of(link, request->shard);
        if (request->kind == ACCESS_CONNECT) {
                if (config->requests[AUTH_HTTP_AUTH].url[0] == '\0' ||
                    (!request->has_username && !request->has_password))
                        return ACCESS_IGNORE;
                return ask(link, request, AUTH_HTTP_AUTH, NULL);
        }
        if (request->away && request->kind != ACCESS_PUBLISH) {
                request->unsure = true;         /* its permissions are gone with it */
                return ACCESS_ALLOW;
        }
        note         = access_note(request, link);
        request->why = "the HTTP service does not allow it";
        if (note != NULL)
                return permissions_check(list_entry(note, struct http_note, note)->permissions,
                                         request);
        if (config->requests[AUTH_HTTP_ACL].url[0] == '\0')
                return ACCESS_IGNORE;
        if (request->kind == ACCESS_DELIVER) {  /* the service is not asked about each message */
                request->unsure = request->unchecked;
                return request->unchecked ? ACCESS_ALLOW : ACCESS_IGNORE;
        }
        return ask(link, request, AUTH_HTTP_ACL, NULL);
}

static void cancel(void *context, struct access_request *request)
{
        struct question *question = TAKE(request->provider_data);

        (void)context;
        assert(question != NULL);
        on_shard(&request->shard->loop);
        http_cancel(question->call);
        question_free(question);
}

static bool grants(void *context, const struct access_request *request)
{
        on_shard(&request->shard->loop);
        return access_note(request, context) != NULL;
}

static bool has_rules(void *context, const struct shard *shard)
{
        return config_of(context, shard)->requests[AUTH_HTTP_ACL].url[0] != '\0';
}

/* What was answered may have been by another service. */
static void renewed(struct auth_link *link, struct shard *shard)
{
        auth_cache_clear(cache_of(link, shard));
}

const struct auth_kind auth_kind_http = {
        .word       = "http",
        .provider   = { .name      = "http",
                        .kinds     = ACCESS_CONNECTS | ACCESS_TOPICS,
                        .check     = check,
                        .cancel    = cancel,
                        .has_rules = has_rules,
                        .grants    = grants },
        .renewed    = renewed,
        .lacks      = lacks,
        .load       = load,
        .wants_http = wants_http,
        .open       = open_beside,
        .close      = close_beside,
};
