#include "services/auth/auth_jwt.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/memory.h"
#include "services/auth/auth_link.h"
#include "services/auth/base64url.h"
#include "services/auth/json_text.h"
#include "services/auth/jwks.h"
#include "services/auth/jwt.h"
#include "services/auth/permissions.h"
#include "services/auth/template.h"
#include "services/auth/text_file.h"

/* What the configuration says, and the keys that it names; those of a key set are the actor's. */
struct jwt_data {
        struct auth_data       data;
        struct jwk_set         keys;
        struct auth_jwt_config config;
};

/* What is left of a token with its client. */
struct jwt_note {
        struct access_note  note;
        struct permissions *permissions;        /* owned; NULL: the token has none */
        char               *subject;            /* owned; NULL: it names none */
        char               *identity;           /* owned; NULL: the client's user name stays */
};

/* A token that names a key that nobody knows yet. */
struct jwt_waiter {
        struct jwks_waiter     waiter;
        struct auth_link      *link;
        struct access_request *request;
};

/* ---- what is known --------------------------------------------------------------------------- */

static void jwt_data_free(struct auth_data *data)
{
        struct jwt_data *known = list_entry(data, struct jwt_data, data);

        jwk_set_deinit(&known->keys);
        OPENSSL_cleanse(&known->config, sizeof known->config);
        mem_free(known);
}

static bool add_secret(struct jwt_data *known, char why[static JWK_WHY_SIZE])
{
        struct str    text    = str_of(known->config.secret);
        struct buffer decoded = { 0 };
        bool          good;

        if (!known->config.secret_base64)
                return jwk_add_secret(&known->keys, text, why);
        while (text.len > 0 && text.ptr[text.len - 1] == '=')   /* padded or not */
                text.len--;
        snprintf(why, JWK_WHY_SIZE, "it is no base64url");
        good = base64url_decode(text, &decoded) &&
               jwk_add_secret(&known->keys, buffer_str(&decoded), why);
        text_file_wipe(&decoded);
        return good;
}

static bool add_pubkey(struct jwt_data *known, char why[static JWK_WHY_SIZE])
{
        struct buffer text  = { 0 };
        const char   *wrong = text_file_read(known->config.pubkey, JWK_TEXT_BYTES_MAX, &text);
        bool          good  = wrong == NULL && jwk_add_pem(&known->keys, buffer_str(&text), why);

        if (wrong != NULL)
                snprintf(why, JWK_WHY_SIZE, "%s", wrong);
        buffer_deinit(&text);
        return good;
}

static struct auth_data *load(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct jwt_data *known = mem_zalloc(sizeof *known);
        char             what[JWK_WHY_SIZE];

        why[0] = '\0';
        if (known == NULL)
                return NULL;
        auth_data_init(&known->data, jwt_data_free);
        known->config = config->jwt;
        if (config->jwt.secret[0] != '\0' && !add_secret(known, what)) {
                snprintf(why, AUTH_WHY_SIZE, "auth.jwt.secret: %s", what);
        } else if (config->jwt.pubkey[0] != '\0' && !add_pubkey(known, what)) {
                snprintf(why, AUTH_WHY_SIZE, "auth.jwt.pubkey: %.300s: %s", config->jwt.pubkey,
                         what);
        } else {
                return &known->data;
        }
        auth_data_drop(&known->data);
        return NULL;
}

static bool wants_http(const struct auth_config *config)
{
        return config->jwt.jwks_url[0] != '\0';
}

static bool claims_well_formed(struct str wanted)
{
        struct str one, name;

        while (auth_chain_next(&wanted, &one))
                if (!str_cut(&one, ':', &name) || name.len == 0 || name.len >= AUTH_JWT_NAME_SIZE ||
                    one.len == 0)
                        return false;
        return true;
}

static const char *lacks(const struct auth_config *config)
{
        const struct auth_jwt_config *jwt = &config->jwt;

        if (!claims_well_formed(str_of(jwt->verify_claims)))
                return "auth.jwt.verify_claims = CLAIM:TEXT, as in username:%u, sub:%c";
        if (jwt->jwks_file[0] != '\0' && jwt->jwks_url[0] != '\0')
                return "one of auth.jwt.jwks_file and auth.jwt.jwks_url, not both";
        if (jwt->secret[0] != '\0' || jwt->pubkey[0] != '\0' || jwt->jwks_file[0] != '\0' ||
            jwt->jwks_url[0] != '\0')
                return NULL;
        return "a key: auth.jwt.secret = SECRET, auth.jwt.pubkey = FILE, auth.jwt.jwks_file = FILE "
               "or auth.jwt.jwks_url = URL";
}

/* ---- beside the shards ----------------------------------------------------------------------- */

static const char *set_or_null(const char *text)
{
        return text[0] != '\0' ? text : NULL;
}

static bool blame_set(const struct auth_jwt_config *jwt, const char *what,
                      char why[static AUTH_WHY_SIZE])
{
        snprintf(why, AUTH_WHY_SIZE, "auth.jwt.jwks_file: %.300s: %s", jwt->jwks_file, what);
        return false;
}

static bool inspect(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        char what[JWK_WHY_SIZE];

        return config->jwt.jwks_file[0] == '\0' || jwks_inspect(config->jwt.jwks_file, what) ||
               blame_set(&config->jwt, what, why);
}

static bool open_beside(struct auth_link *link, const struct auth_config *config,
                        char why[static AUTH_WHY_SIZE])
{
        const struct auth_jwt_config *jwt  = &config->jwt;
        const struct jwks_config      jwks = { .file       = set_or_null(jwt->jwks_file),
                                               .url        = set_or_null(jwt->jwks_url),
                                               .ca_file    = set_or_null(jwt->jwks_ca_file),
                                               .refresh_ms = jwt->jwks_refresh_ms };
        struct loop_config            loop = { .poll = NULL };
        char                          what[JWK_WHY_SIZE] = "";

        why[0] = '\0';
        if (jwks.file == NULL && jwks.url == NULL)
                return true;
        loop.poll = poll_epoll_new();
        if (loop.poll != NULL)
                link->beside = jwks_new(link->broker, link->http, &jwks, &loop, what);
        if (link->beside != NULL)
                return true;
        poll_free(loop.poll);
        return what[0] != '\0' && blame_set(jwt, what, why);
}

static struct loop *begin_beside(struct auth_link *link)
{
        if (link->beside == NULL)
                return NULL;
        jwks_begin(link->beside);
        return jwks_loop(link->beside);
}

static void close_beside(struct auth_link *link)
{
        jwks_free(link->beside);
}

/* ---- the note -------------------------------------------------------------------------------- */

static void note_free(struct access_note *note)
{
        struct jwt_note *mine = list_entry(note, struct jwt_note, note);

        permissions_free(mine->permissions);
        mem_free(mine->subject);
        mem_free(mine->identity);
        mem_free(mine);
}

static const struct jwt_note *note_of(const struct auth_link      *link,
                                      const struct access_request *request) ON_SHARD
{
        const struct access_note *note = access_note(request, link);

        return note != NULL ? list_entry(note, struct jwt_note, note) : NULL;
}

/* ---- what a token says ----------------------------------------------------------------------- */

static bool refuse(struct access_request *request, const char *why)
{
        request->why = why;
        return false;
}

/* "name:template, …": each claim is a text, and what the template makes of the client. */
static bool verify_claims(const json_t *claims, struct str wanted, struct access_request *request)
{
        struct str one, name;

        while (auth_chain_next(&wanted, &one)) {
                struct buffer text = { 0 };
                char          claim[AUTH_JWT_NAME_SIZE];
                bool          good;

                str_cut(&one, ':', &name);
                snprintf(claim, sizeof claim, "%.*s", STR_ARGS(name));
                good = template_expand(one, request, template_plain, &text) == TEMPLATE_GOOD &&
                       json_text_str(claims, claim).ptr != NULL &&
                       str_eq(json_text_str(claims, claim), buffer_str(&text));
                buffer_deinit(&text);
                if (!good)
                        return refuse(request, "a claim of its token is not what "
                                               "auth.jwt.verify_claims wants");
        }
        return true;
}

/* Who it is for, and when. */
ON_SHARD static bool terms_good(const json_t *claims, const struct auth_jwt_config *config,
                                struct access_request *request)
{
        uint64_t now_us = request->shard->loop.now.wall_us, until_us;

        if (!jwt_times_good(claims, now_us, config->leeway_s * 1000000ull, &until_us,
                            &request->why))
                return false;
        if (config->require_exp && json_object_get(claims, "exp") == NULL)
                return refuse(request, "its token never expires, and auth.jwt.require_exp is on");
        if (config->issuer[0] != '\0' &&
            !str_eq(json_text_str(claims, "iss"), str_of(config->issuer)))
                return refuse(request, "its token is from another issuer");
        if (config->audience[0] != '\0' && !jwt_audience_is(claims, str_of(config->audience)))
                return refuse(request, "its token is for another audience");
        if (config->end_with_token)
                request->until_us = until_us;
        return true;
}

/* The claim that says who it is; ptr NULL: the client's user name does. */
static bool find_identity(const json_t *claims, const struct auth_jwt_config *config,
                          const struct access_request *request, struct str *identity)
{
        *identity = (struct str){ 0 };
        if (config->username_claim[0] != '\0') {
                *identity = json_text_str(claims, config->username_claim);
                return identity->len > 0;
        }
        if (config->from == AUTH_JWT_USERNAME && request->method.ptr == NULL) {
                *identity = json_text_str(claims, "sub");
                if (identity->len == 0)
                        *identity = request->client_id;
        } else if (!request->has_username) {
                *identity = json_text_str(claims, "sub");
        }
        return true;
}

static char *copy(struct str text)
{
        return text.ptr != NULL ? mem_dup(text) : NULL;
}

/* Its permissions have the client's names in them: the ones that it has from here on. */
static bool read_permissions(struct jwt_note *note, const json_t *json,
                             const struct access_request *request, struct str identity,
                             const char **why)
{
        struct access_request as = *request;

        if (json == NULL)
                return true;
        if (identity.ptr != NULL) {
                as.username     = identity;
                as.has_username = true;
        }
        note->permissions = permissions_new(json, &as, why);
        return note->permissions != NULL;
}

static struct jwt_note *note_new(const json_t *claims, const struct auth_jwt_config *config,
                                 struct access_request *request, struct str identity)
{
        struct jwt_note *note    = mem_zalloc(sizeof *note);
        struct str       subject = json_text_str(claims, "sub");
        const json_t    *acl     = config->acl_claim[0] != '\0'
                                           ? json_object_get(claims, config->acl_claim)
                                           : NULL;

        request->why = "no memory";
        if (note == NULL)
                return NULL;
        note->note.free = note_free;
        note->subject   = copy(subject);
        note->identity  = copy(identity);
        if (read_permissions(note, acl, request, identity, &request->why) &&
            (note->subject != NULL) == (subject.ptr != NULL) &&
            (note->identity != NULL) == (identity.ptr != NULL))
                return note;
        note_free(&note->note);
        return NULL;
}

/* A client that is connected does not become another by its next token. */
static bool same_subject(const struct jwt_note *old, const json_t *claims)
{
        struct str subject = json_text_str(claims, "sub");

        return old == NULL || ((old->subject != NULL) == (subject.ptr != NULL) &&
                               str_eq(subject, str_of(old->subject)));
}

ON_SHARD static bool accept(struct auth_link *link, const struct auth_jwt_config *config,
                            const json_t *claims, struct access_request *request)
{
        struct str       identity;
        struct jwt_note *note;

        if (!terms_good(claims, config, request) ||
            !verify_claims(claims, str_of(config->verify_claims), request))
                return false;
        if (!find_identity(claims, config, request, &identity))
                return refuse(request, "its token lacks the claim that auth.jwt.username_claim "
                                       "names");
        if (!same_subject(note_of(link, request), claims))
                return refuse(request, "its token is about someone else");
        note = note_new(claims, config, request, identity);
        if (note == NULL)
                return false;
        note->note.owner = link;
        if (identity.ptr != NULL)
                request->identity = str_from(note->identity, identity.len);
        if (config->superuser_claim[0] != '\0')
                request->superuser = json_is_true(json_object_get(claims, config->superuser_claim));
        request->why = NULL;
        access_keep(request, &note->note);
        return true;
}

/* ---- questions ------------------------------------------------------------------------------- */

static struct str token_of(const struct auth_jwt_config *config,
                           const struct access_request  *request)
{
        if (request->method.ptr != NULL)
                return request->data;
        if (config->from == AUTH_JWT_USERNAME)
                return request->has_username ? request->username : (struct str){ 0 };
        return request->has_password ? request->password : (struct str){ 0 };
}

static void looked(struct jwks_waiter *waiter);

ON_SHARD static enum access_verdict wait_for_key(struct auth_link      *link,
                                                 struct access_request *request)
{
        struct jwt_waiter *waiter = mem_zalloc(sizeof *waiter);

        if (waiter == NULL) {
                request->why = "no memory";
                return ACCESS_DENY;
        }
        waiter->waiter.looked  = looked;
        waiter->link           = link;
        waiter->request        = request;
        request->provider_data = waiter;
        jwks_wait(link->beside, request->shard, &waiter->waiter);
        return ACCESS_LATER;
}

ON_SHARD static enum access_verdict judge(struct auth_link *link, struct access_request *request,
                                          bool may_wait)
{
        const struct auth_data *data  = auth_link_data(link, request->shard);
        const struct jwt_data  *known = list_entry(data, struct jwt_data, data);
        struct str              token = token_of(&known->config, request);
        const struct jwk_set   *jwks  = link->beside != NULL
                                                ? jwks_keys(link->beside, request->shard) : NULL;
        json_t                 *claims = NULL;
        const char             *why    = NULL;
        enum jwt_result         result;
        bool                    good;

        if (token.ptr == NULL)
                return ACCESS_IGNORE;
        result = jwt_verify(&known->keys, jwks, token, &claims, &why);
        if (result == JWT_NONE && request->method.ptr == NULL)
                return ACCESS_IGNORE;
        if (result == JWT_UNKNOWN_KEY && may_wait && link->beside != NULL)
                return wait_for_key(link, request);
        if (request->method.ptr == NULL && known->config.from == AUTH_JWT_USERNAME)
                request->identity = STR("(a token)");   /* no log shows it */
        request->why = why;
        good = result == JWT_GOOD && accept(link, &known->config, claims, request);
        json_decref(claims);
        return good ? ACCESS_ALLOW : ACCESS_DENY;
}

/* The key set was looked at: if the key is still unknown, that is that. */
static void looked(struct jwks_waiter *waiter)
{
        struct jwt_waiter     *mine    = list_entry(waiter, struct jwt_waiter, waiter);
        struct auth_link      *link    = mine->link;
        struct access_request *request = mine->request;

        on_shard(&request->shard->loop);
        request->provider_data = NULL;
        mem_free(mine);
        access_answer(request, judge(link, request, false));
}

static enum access_verdict check(void *context, struct access_request *request)
{
        struct auth_link      *link = context;
        const struct jwt_note *note;

        on_shard(&request->shard->loop);
        if (request->kind == ACCESS_CONNECT)
                return judge(link, request, true);
        if (request->away && request->kind != ACCESS_PUBLISH) {
                request->unsure = true;         /* its token is gone with it */
                return ACCESS_ALLOW;
        }
        note = note_of(link, request);
        if (note == NULL || note->permissions == NULL)
                return ACCESS_IGNORE;
        request->why = "its token does not allow it";
        return permissions_check(note->permissions, request);
}

static bool grants(void *context, const struct access_request *request)
{
        const struct jwt_note *note;

        on_shard(&request->shard->loop);
        note = note_of(context, request);
        return note != NULL && note->permissions != NULL;
}

/* Tokens say what their clients may, unless the configuration has said that none does. */
static bool has_rules(void *context, const struct shard *shard)
{
        const struct auth_data *data = auth_link_data(context, shard);

        return list_entry(data, const struct jwt_data, data)->config.acl_claim[0] != '\0';
}

static void cancel(void *context, struct access_request *request)
{
        struct jwt_waiter *waiter = TAKE(request->provider_data);

        (void)context;
        assert(waiter != NULL);
        jwks_cancel(&waiter->waiter);
        mem_free(waiter);
}

const struct auth_kind auth_kind_jwt = {
        .word     = "jwt",
        .provider = { .name      = "jwt",
                      .kinds     = ACCESS_CONNECTS | ACCESS_TOPICS,
                      .check     = check,
                      .cancel    = cancel,
                      .has_rules = has_rules,
                      .grants    = grants },
        .exchange = { .name   = "jwt",
                      .kinds  = ACCESS_CONNECTS,
                      .method = { "JWT", 3 },
                      .check  = check,
                      .cancel = cancel },
        .lacks    = lacks,
        .load     = load,
        .wants_http = wants_http,
        .open     = open_beside,
        .inspect  = inspect,
        .begin    = begin_beside,
        .close    = close_beside,
};
