/* The first byte chooses a parser: tokens (read without a good signature, or with one made for what
 * came), key sets, PEM, permissions, answers of an HTTP service. What is accepted keeps to its
 * limits. */
#include <assert.h>
#include <stdint.h>

#include "mqtt/topic.h"
#include "services/auth/http_form.h"
#include "services/auth/json_text.h"
#include "services/auth/jwt.h"
#include "services/auth/permissions.h"
#include "services/auth/token_test.h"

static const struct access_request client = {
        .client_id = { "c1", 2 }, .username = { "ann", 3 }, .has_username = true
};

static struct jwk_set *keys(void)
{
        static struct jwk_set set;
        char                  why[JWK_WHY_SIZE];

        if (set.count == 0)
                assert(jwk_add_secret(&set, STR(TOKEN_SECRET), why));
        return &set;
}

/* The bytes as they are: nobody can have signed them. */
static void unsigned_token(struct str bytes)
{
        json_t     *claims;
        const char *why;

        assert(jwt_verify(keys(), NULL, bytes, &claims, &why) != JWT_GOOD);
        assert(claims == NULL && why != NULL);
}

/* The bytes as a payload that is signed. */
static void signed_claims(struct str bytes)
{
        char          text[2048];
        json_t       *claims;
        const char   *why;
        struct buffer token;
        uint64_t      until_us;

        if (bytes.len >= sizeof text || memchr(bytes.ptr, 0, bytes.len) != NULL)
                return;
        memcpy(text, bytes.ptr, bytes.len);
        text[bytes.len] = '\0';
        token = token_hs256(text);
        if (jwt_verify(keys(), NULL, buffer_str(&token), &claims, &why) == JWT_GOOD) {
                assert(json_is_object(claims));
                if (jwt_times_good(claims, 1000000, 10, &until_us, &why))
                        assert(until_us == 0 || until_us > 1000000);
                jwt_audience_is(claims, STR("mqtt"));
        }
        json_decref(claims);
        buffer_deinit(&token);
}

static void key_file(struct str bytes, bool pem)
{
        struct jwk_set set = { 0 };
        char           why[JWK_WHY_SIZE];
        bool good = pem ? jwk_add_pem(&set, bytes, why) : jwk_add_json(&set, bytes, true, why);

        assert(set.count <= JWK_KEYS_MAX && (!good || set.count > 0));
        for (unsigned i = 0; i < set.count; i++)
                assert(set.keys[i].algorithms != 0 &&
                       (set.keys[i].public != NULL) != (set.keys[i].secret != NULL));
        jwk_set_deinit(&set);
}

static void rules(struct str bytes)
{
        const char            *why;
        json_t                *json    = json_text_object(bytes, 8192, &why);
        json_t                *acl     = json_object_get(json, "acl");
        struct permissions    *made    = permissions_new(acl != NULL ? acl : json, &client, &why);
        struct access_request  request = client;

        request.topic = STR("a/b");
        for (int kind = ACCESS_PUBLISH; made != NULL && kind <= ACCESS_SUBSCRIBE; kind++) {
                request.kind = (enum access_kind)kind;
                assert(permissions_check(made, &request) != ACCESS_IGNORE);
        }
        permissions_free(made);
        json_decref(json);
}

static void answer(struct str bytes)
{
        const struct http_answer http = { .result = HTTP_ANSWERED, .status = 200, .body = bytes };
        struct auth_answer       read;
        const char              *why;
        bool                     good = http_form_read(&http, &read, &why);

        assert(good == (why == NULL) && (good || read.verdict == ACCESS_DENY));
        json_decref(read.permissions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str bytes = str_from(data + 1, size > 0 ? size - 1 : 0);

        if (size == 0)
                return 0;
        switch (data[0] % 6) {
        case 0: unsigned_token(bytes); break;
        case 1: signed_claims(bytes); break;
        case 2: key_file(bytes, false); break;
        case 3: key_file(bytes, true); break;
        case 4: rules(bytes); break;
        case 5: answer(bytes); break;
        }
        return 0;
}
