#include "services/auth/jwt.h"

#include <openssl/pem.h>

#include "services/auth/token_test.h"
#include "unit.h"

/* RFC 7515, A.1 to A.3: the same header and payload in each but for the algorithm. */
#define RFC_CLAIMS                                                                                 \
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
        "cnVlfQ"
#define RFC_N                                                                                      \
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt" \
        "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX" \
        "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5" \
        "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"

static const struct rfc {
        const char *jwk, *token;
} rfc[] = {
        { "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3"
          "Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
          "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_CLAIMS
          ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },
        { "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\"}",
          "eyJhbGciOiJSUzI1NiJ9." RFC_CLAIMS
          ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O"
          "8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPv"
          "kSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phC"
          "nvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
          "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
          "eyJhbGciOiJFUzI1NiJ9." RFC_CLAIMS
          ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU"
          "1Q" },
};

/* RFC 8037, A.4, whose payload is no JSON: it must fail for that alone. */
static const char edwards_jwk[]   = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                                    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
static const char edwards_token[] =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PG"
        "cvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static void add_jwk(struct jwk_set *keys, const char *jwk)
{
        char text[4096], why[JWK_WHY_SIZE];

        snprintf(text, sizeof text, "{\"keys\":[%s]}", jwk);
        EXPECT(jwk_add_json(keys, str_of(text), true, why), "%s: %s", jwk, why);
}

static enum jwt_result verify(const struct jwk_set *keys, struct str token)
{
        json_t         *claims = NULL;
        const char     *why    = NULL;
        enum jwt_result result = jwt_verify(keys, NULL, token, &claims, &why);

        EXPECT((claims != NULL) == (result == JWT_GOOD));
        EXPECT(result == JWT_GOOD || why != NULL);
        json_decref(claims);
        return result;
}

TEST(the_vectors_of_the_rfcs_are_good)
{
        const struct rfc *row;

        EACH(rfc, row)
        {
                struct jwk_set keys = { 0 };
                char           text[2048];

                add_jwk(&keys, row->jwk);
                EXPECT_EQ(verify(&keys, str_of(row->token)), JWT_GOOD);
                for (size_t i = 0; row->token[i] != '\0'; i++) {        /* any letter matters */
                        snprintf(text, sizeof text, "%s", row->token);
                        text[i] = text[i] == 'x' ? 'y' : 'x';
                        EXPECT(verify(&keys, str_of(text)) != JWT_GOOD, "%zu of %s", i, row->token);
                }
                jwk_set_deinit(&keys);
        }
}

TEST(edwards_curves_sign_too)
{
        struct jwk_set keys = { 0 };
        json_t        *claims;
        const char    *why;

        add_jwk(&keys, edwards_jwk);
        EXPECT_EQ(jwt_verify(&keys, NULL, STR(edwards_token), &claims, &why), JWT_BAD);
        EXPECT(strstr(why, "JSON") != NULL, "%s", why);
        jwk_set_deinit(&keys);
}

/* ---- keys of our own ------------------------------------------------------------------------- */

enum key_kind { SECRET, RSA_KEY, P256, P384, P521, EDWARDS, KEY_KINDS };

static EVP_PKEY *own[KEY_KINDS];

static void make_keys(void)
{
        if (own[RSA_KEY] != NULL)
                return;
        own[RSA_KEY] = EVP_RSA_gen(2048);
        own[P256]    = EVP_EC_gen("P-256");
        own[P384]    = EVP_EC_gen("P-384");
        own[P521]    = EVP_EC_gen("P-521");
        own[EDWARDS] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static struct buffer pem_of(EVP_PKEY *key)
{
        BIO          *bio = BIO_new(BIO_s_mem());
        struct buffer pem = { 0 };
        char         *text;

        EXPECT(PEM_write_bio_PUBKEY(bio, key) == 1);

        long len = BIO_get_mem_data(bio, &text);

        EXPECT(buffer_append(&pem, str_from(text, (size_t)len)));
        BIO_free(bio);
        return pem;
}

static struct jwk_set set_of(enum key_kind kind)
{
        struct jwk_set keys = { 0 };
        char           why[JWK_WHY_SIZE];

        make_keys();
        if (kind == SECRET) {
                EXPECT(jwk_add_secret(&keys, STR(TOKEN_SECRET), why));
        } else {
                struct buffer pem = pem_of(own[kind]);

                EXPECT(jwk_add_pem(&keys, buffer_str(&pem), why), "%s", why);
                buffer_deinit(&pem);
        }
        return keys;
}

/* A token signed by one key, as its header says or otherwise, is good for that key's kind only. */
TEST(a_key_is_used_for_its_own_algorithms_only)
{
        static const struct row {
                const char   *alg;
                enum key_kind kind;
        } rows[] = {
                { "HS256", SECRET }, { "HS384", SECRET }, { "HS512", SECRET },
                { "RS256", RSA_KEY }, { "RS384", RSA_KEY }, { "RS512", RSA_KEY },
                { "ES256", P256 }, { "ES384", P384 }, { "ES512", P521 }, { "EdDSA", EDWARDS },
        };
        const struct row *row, *other;

        make_keys();
        EACH(rows, row)
        {
                char          header[64];
                struct buffer token;

                snprintf(header, sizeof header, "{\"alg\":\"%s\"}", row->alg);
                token = token_of(header, "{}", row->alg, own[row->kind], STR(TOKEN_SECRET));
                EACH(rows, other)
                {
                        struct jwk_set  keys   = set_of(other->kind);
                        enum jwt_result result = verify(&keys, buffer_str(&token));

                        EXPECT_EQ(result, other->kind == row->kind ? JWT_GOOD : JWT_UNKNOWN_KEY);
                        jwk_set_deinit(&keys);
                }
                buffer_deinit(&token);
        }
}

TEST(padding_of_probability_must_be_named_by_the_key)
{
        struct jwk_set keys  = set_of(RSA_KEY);
        struct buffer  token = token_of("{\"alg\":\"PS256\"}", "{}", "PS256", own[RSA_KEY],
                                        (struct str){ 0 });

        EXPECT_EQ(verify(&keys, buffer_str(&token)), JWT_UNKNOWN_KEY);
        keys.keys[0].algorithms = 1u << JWT_PS256;
        EXPECT_EQ(verify(&keys, buffer_str(&token)), JWT_GOOD);
        keys.keys[0].algorithms = 1u << JWT_PS512;
        EXPECT_EQ(verify(&keys, buffer_str(&token)), JWT_UNKNOWN_KEY);
        jwk_set_deinit(&keys);
        buffer_deinit(&token);
}

/* CVE-2015-9235 and its like: the public key, which everybody has, as an HMAC secret. */
TEST(a_public_key_is_no_secret)
{
        static const enum key_kind kinds[] = { RSA_KEY, P256, EDWARDS };
        const enum key_kind       *kind;

        make_keys();
        EACH(kinds, kind)
        {
                struct jwk_set keys  = set_of(*kind);
                struct buffer  pem   = pem_of(own[*kind]);
                struct buffer  token = token_of("{\"alg\":\"HS256\"}", "{}", "HS256", NULL,
                                                buffer_str(&pem));

                EXPECT_EQ(verify(&keys, buffer_str(&token)), JWT_UNKNOWN_KEY);
                jwk_set_deinit(&keys);
                buffer_deinit(&token);
                buffer_deinit(&pem);
        }
}

TEST(forged_tokens_are_refused)
{
        static const struct row {
                const char     *header, *payload;
                enum jwt_result result;
        } rows[] = {
                { "{\"alg\":\"HS256\"}", "{}", JWT_GOOD },
                { "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jwk\":{},\"jku\":\"http://x\"}", "{}",
                  JWT_GOOD },
                { "{\"alg\":\"none\"}", "{}", JWT_BAD },
                { "{\"alg\":\"None\"}", "{}", JWT_BAD },
                { "{\"alg\":\"\"}", "{}", JWT_BAD },
                { "{\"alg\":\"hs256\"}", "{}", JWT_BAD },
                { "{\"alg\":\"HS257\"}", "{}", JWT_BAD },
                { "{\"alg\":256}", "{}", JWT_BAD },
                { "{\"alg\":\"RS256\"}", "{}", JWT_UNKNOWN_KEY },
                { "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{}", JWT_BAD },
                { "{\"alg\":\"HS256\",\"kid\":1}", "{}", JWT_BAD },
                { "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{}", JWT_NONE },
                { "{\"typ\":\"JWT\"}", "{}", JWT_NONE },
                { "[]", "{}", JWT_NONE },
                { "{\"alg\":\"HS256\"}", "[]", JWT_BAD },
                { "{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"sub\":\"b\"}", JWT_BAD },
                { "{\"alg\":\"HS256\"}", "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", JWT_BAD },
                { "{\"alg\":\"HS256\",\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", "{}",
                  JWT_NONE },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct jwk_set keys  = set_of(SECRET);
                struct buffer  token = token_of(row->header, row->payload, "HS256", NULL,
                                                STR(TOKEN_SECRET));

                EXPECT_EQ(verify(&keys, buffer_str(&token)), row->result);
                jwk_set_deinit(&keys);
                buffer_deinit(&token);
        }
}

TEST(what_has_not_the_form_is_no_token)
{
        static const struct row {
                const char     *token;
                enum jwt_result result;
        } rows[] = {
                { "", JWT_NONE }, { "secret", JWT_NONE }, { "..", JWT_NONE }, { "a.b.c", JWT_NONE },
                { "eyJhbGciOiJIUzI1NiJ9", JWT_NONE }, { "eyJhbGciOiJIUzI1NiJ9.e30", JWT_NONE },
                { "eyJhbGciOiJIUzI1NiJ9..e30", JWT_NONE },
                { "eyJhbGciOiJIUzI1NiJ9.e30.", JWT_BAD },
                { "eyJhbGciOiJub25lIn0.e30.", JWT_BAD },
                { "eyJhbGciOiJIUzI1NiJ9.e30.AA==", JWT_BAD },
                { "eyJhbGciOiJIUzI1NiJ9.e30.AAAA.AAAA", JWT_NONE },
                { "eyJhbGciOiJIUzI1NiJ9.e30.AAAA.", JWT_NONE },
                { "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", JWT_BAD },
        };
        struct jwk_set    keys = set_of(SECRET);
        struct buffer     huge = { 0 };
        const struct row *row;

        EACH(rows, row)
                EXPECT_EQ(verify(&keys, str_of(row->token)), row->result);
        EXPECT(buffer_append(&huge, STR("eyJhbGciOiJIUzI1NiJ9.")));
        while (buffer_len(&huge) < JWT_BYTES_MAX)
                EXPECT(buffer_append(&huge, STR("AAAAAAAAAAAAAAAA")));
        EXPECT(buffer_append(&huge, STR(".AAAA")));
        EXPECT_EQ(verify(&keys, buffer_str(&huge)), JWT_NONE);
        buffer_deinit(&huge);
        jwk_set_deinit(&keys);
}

/* ---- which key ------------------------------------------------------------------------------- */

TEST(a_token_that_names_its_key_means_that_one)
{
        static const struct row {
                const char     *header;
                unsigned        named;          /* keys that have a name, before ours */
                const char     *ours;           /* its name */
                enum jwt_result result;
        } rows[] = {
                { "{\"alg\":\"HS256\",\"kid\":\"b\"}", 1, "b", JWT_GOOD },
                { "{\"alg\":\"HS256\",\"kid\":\"k0\"}", 1, "b", JWT_BAD },
                { "{\"alg\":\"HS256\",\"kid\":\"c\"}", 1, "b", JWT_UNKNOWN_KEY },
                { "{\"alg\":\"HS256\",\"kid\":\"\"}", 1, "b", JWT_UNKNOWN_KEY },
                { "{\"alg\":\"HS256\",\"kid\":\"c\"}", 1, NULL, JWT_GOOD },
                { "{\"alg\":\"HS256\"}", 1, "b", JWT_GOOD },
                { "{\"alg\":\"HS256\"}", JWT_TRIES_MAX - 1, "b", JWT_GOOD },
                { "{\"alg\":\"HS256\"}", JWT_TRIES_MAX, "b", JWT_BAD },
                { "{\"alg\":\"HS256\",\"kid\":\"b\"}", JWT_TRIES_MAX, "b", JWT_GOOD },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct jwk_set keys = { 0 };
                struct buffer  jwk  = { 0 };
                struct buffer  token = token_of(row->header, "{}", "HS256", NULL,
                                                STR(TOKEN_SECRET));
                char           other[256];

                for (unsigned i = 0; i < row->named; i++) {
                        snprintf(other, sizeof other,
                                 "{\"kty\":\"oct\",\"kid\":\"k%u\",\"k\":"
                                 "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%04u\"}",
                                 i, i);
                        add_jwk(&keys, other);
                }
                EXPECT(buffer_append(&jwk, STR("{\"kty\":\"oct\",\"k\":\"")));
                token_part(&jwk, STR(TOKEN_SECRET));
                EXPECT(row->ours != NULL ? buffer_printf(&jwk, "\",\"kid\":\"%s\"}%c", row->ours, 0)
                                         : buffer_printf(&jwk, "\"}%c", 0));
                add_jwk(&keys, buffer_str(&jwk).ptr);
                EXPECT_EQ(verify(&keys, buffer_str(&token)), row->result);
                jwk_set_deinit(&keys);
                buffer_deinit(&jwk);
                buffer_deinit(&token);
        }
}

/* A token without a name is tried with both sets' keys, but the dear ones count for all. */
TEST(a_forged_token_costs_one_dear_check)
{
        static const struct row {
                enum key_kind   kind;
                const char     *curve, *how;
                enum jwt_result behind_another;
        } rows[] = {
                { P256, "P-256", "ES256", JWT_GOOD },
                { P384, "P-384", "ES384", JWT_BAD },
                { P521, "P-521", "ES512", JWT_BAD },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct jwk_set mine   = set_of(row->kind), others = { 0 };
                EVP_PKEY      *other  = EVP_EC_gen(row->curve);
                struct buffer  pem    = pem_of(other), token;
                char           header[32], why[JWK_WHY_SIZE];
                json_t        *claims;
                const char    *said;

                EXPECT(jwk_add_pem(&others, buffer_str(&pem), why), "%s", why);
                snprintf(header, sizeof header, "{\"alg\":\"%s\"}", row->how);
                token = token_of(header, "{}", row->how, own[row->kind], (struct str){ 0 });
                EXPECT_EQ(jwt_verify(&mine, &others, buffer_str(&token), &claims, &said), JWT_GOOD);
                json_decref(claims);
                EXPECT_EQ(jwt_verify(&others, &mine, buffer_str(&token), &claims, &said),
                          row->behind_another);
                json_decref(claims);
                jwk_set_deinit(&mine);
                jwk_set_deinit(&others);
                buffer_deinit(&pem);
                buffer_deinit(&token);
                EVP_PKEY_free(other);
        }
}

/* ---- claims ---------------------------------------------------------------------------------- */

TEST(a_token_has_its_time)
{
        static const struct row {
                const char *claims;
                uint64_t    now_s, until_s;     /* until 0: forever */
                bool        good;
        } rows[] = {
                { "{}", 1000, 0, true },
                { "{\"exp\":1000}", 990, 1010, true },
                { "{\"exp\":1000}", 1009, 1010, true },
                { "{\"exp\":1000}", 1010, 0, false },
                { "{\"exp\":1000.5}", 1010, 0, true },          /* until 1010.5 */
                { "{\"exp\":\"1000\"}", 900, 0, false },
                { "{\"exp\":null}", 900, 0, false },
                { "{\"exp\":-1}", 900, 0, false },
                { "{\"exp\":1e300}", 900, 0, true },
                { "{\"exp\":9223372036854775807}", 900, 0, true },
                { "{\"nbf\":1000}", 990, 0, true },
                { "{\"nbf\":1000}", 989, 0, false },
                { "{\"nbf\":true}", 1000, 0, false },
                { "{\"iat\":1000}", 990, 0, true },
                { "{\"iat\":1000}", 989, 0, false },
        };
        const struct row *row;

        EACH(rows, row)
        {
                json_t     *claims = json_loads(row->claims, 0, NULL);
                uint64_t    until_us;
                const char *why;

                EXPECT_EQ(jwt_times_good(claims, row->now_s * 1000000, 10000000, &until_us, &why),
                          row->good);
                EXPECT((why == NULL) == row->good);
                if (row->until_s > 0)
                        EXPECT_EQ(until_us, row->until_s * 1000000);
                json_decref(claims);
        }
}

TEST(an_audience_is_one_or_a_list)
{
        static const struct row {
                const char *claims;
                bool        good;
        } rows[] = {
                { "{}", false },
                { "{\"aud\":\"mqtt\"}", true },
                { "{\"aud\":\"mqtt2\"}", false },
                { "{\"aud\":[\"a\",\"mqtt\"]}", true },
                { "{\"aud\":[\"a\",1]}", false },
                { "{\"aud\":[]}", false },
                { "{\"aud\":1}", false },
        };
        const struct row *row;

        EACH(rows, row)
        {
                json_t *claims = json_loads(row->claims, 0, NULL);

                EXPECT_EQ(jwt_audience_is(claims, STR("mqtt")), row->good);
                json_decref(claims);
        }
}

/* ---- key sets -------------------------------------------------------------------------------- */

TEST(keys_that_are_of_no_use_are_left_out)
{
        static const struct row {
                const char *keys;
                unsigned    count;              /* 0: the set is refused */
        } rows[] = {
                { "[]", 0 },
                { "{}", 0 },
                { "[1]", 0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\"}]", 1 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\",\"use\":\"sig\","
                  "\"alg\":\"PS256\",\"key_ops\":[\"verify\"]}]", 1 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\",\"use\":\"enc\"}]", 0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\",\"alg\":\"ES256\"}]", 0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\",\"alg\":\"none\"}]", 0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_N "\",\"key_ops\":[\"sign\"]}]",
                  0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAA\",\"n\":\"" RFC_N "\"}]", 0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p\"}]",
                  0 },
                { "[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]", 0 },
                { "[{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}]", 0 },
                { "[{\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":"
                  "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"x\":"
                  "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]", 0 },     /* no such point */
                { "[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":"
                  "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
                  "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]", 0 },
                { "[{\"kty\":\"OKP\",\"crv\":\"X25519\","
                  "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]", 0 },
                { "[7,{\"kty\":\"what\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                  "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]", 1 },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct jwk_set keys = { 0 };
                char           text[2048], why[JWK_WHY_SIZE] = "";

                snprintf(text, sizeof text, "{\"keys\":%s}", row->keys);
                EXPECT_EQ(jwk_add_json(&keys, str_of(text), true, why), row->count > 0);
                EXPECT_EQ(keys.count, row->count);
                EXPECT(row->count > 0 || why[0] != '\0');
                jwk_set_deinit(&keys);
        }
}

TEST(a_set_from_elsewhere_brings_no_secrets)
{
        struct jwk_set keys = { 0 };
        char           text[1024], why[JWK_WHY_SIZE];

        snprintf(text, sizeof text, "{\"keys\":[%s]}", rfc[0].jwk);
        EXPECT(!jwk_add_json(&keys, str_of(text), false, why));
        snprintf(text, sizeof text, "{\"keys\":[%s,%s]}", rfc[0].jwk, edwards_jwk);
        EXPECT(jwk_add_json(&keys, str_of(text), false, why));
        EXPECT_EQ(keys.count, 1);
        jwk_set_deinit(&keys);
}

TEST(key_files_say_what_is_wrong_with_them)
{
        struct jwk_set keys = { 0 };
        struct buffer  pem;
        EVP_PKEY      *weak = EVP_RSA_gen(1024);
        char           why[JWK_WHY_SIZE];

        EXPECT(!jwk_add_pem(&keys, STR(""), why));
        EXPECT(strstr(why, "BEGIN PUBLIC KEY") != NULL);
        pem = pem_of(weak);
        EXPECT(!jwk_add_pem(&keys, buffer_str(&pem), why));
        EXPECT(strstr(why, "2048 bits") != NULL);
        buffer_deinit(&pem);
        EXPECT(!jwk_add_secret(&keys, STR("short"), why));
        EXPECT(strstr(why, "32 at least") != NULL);
        make_keys();
        pem = pem_of(own[P256]);
        for (unsigned i = 0; i < JWK_KEYS_MAX; i++)
                EXPECT(jwk_add_pem(&keys, buffer_str(&pem), why));
        EXPECT(!jwk_add_pem(&keys, buffer_str(&pem), why));
        EXPECT(strstr(why, "more than") != NULL);
        buffer_deinit(&pem);
        jwk_set_deinit(&keys);
        EVP_PKEY_free(weak);
}

TEST(forget_the_keys_of_this_test)
{
        for (unsigned i = 0; i < KEY_KINDS; i++)
                EVP_PKEY_free(own[i]);
}

SUITE(jwt, CASE(the_vectors_of_the_rfcs_are_good), CASE(edwards_curves_sign_too),
      CASE(a_key_is_used_for_its_own_algorithms_only),
      CASE(padding_of_probability_must_be_named_by_the_key), CASE(a_public_key_is_no_secret),
      CASE(forged_tokens_are_refused), CASE(what_has_not_the_form_is_no_token),
      CASE(a_token_that_names_its_key_means_that_one),
      CASE(a_forged_token_costs_one_dear_check), CASE(a_token_has_its_time),
      CASE(an_audience_is_one_or_a_list), CASE(keys_that_are_of_no_use_are_left_out),
      CASE(a_set_from_elsewhere_brings_no_secrets), CASE(key_files_say_what_is_wrong_with_them),
      CASE(forget_the_keys_of_this_test))
