#include "services/auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "services/auth/base64url.h"
#include "services/auth/json_text.h"

#define BIT(algorithm)   (1u << (algorithm))
#define HMAC_ALGORITHMS  (BIT(JWT_HS256) | BIT(JWT_HS384) | BIT(JWT_HS512))
#define RSA_ALGORITHMS   (BIT(JWT_RS256) | BIT(JWT_RS384) | BIT(JWT_RS512))
#define PSS_ALGORITHMS   (BIT(JWT_PS256) | BIT(JWT_PS384) | BIT(JWT_PS512))

enum { POINT_BYTES_MAX = 66, ED25519_BYTES = 32 };

/* By enum jwt_algorithm. */
static const char *const names[JWT_ALGORITHMS] = {
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
        "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
};

static const struct curve {
        const char        *jwk, *group;         /* its names: RFC 7518, 6.2.1.1, and OpenSSL's */
        enum jwt_algorithm algorithm;
        int                bits;
        size_t             point_bytes;
} curves[] = {
        { "P-256", "prime256v1", JWT_ES256, 256, 32 },
        { "P-384", "secp384r1", JWT_ES384, 384, 48 },
        { "P-521", "secp521r1", JWT_ES512, 521, POINT_BYTES_MAX },
};

enum { CURVES = sizeof curves / sizeof curves[0] };

enum jwt_algorithm jwk_algorithm(struct str name)
{
        int algorithm = 0;

        while (algorithm < JWT_ALGORITHMS && !str_eq(name, str_of(names[algorithm])))
                algorithm++;
        return (enum jwt_algorithm)algorithm;
}

/* The last one. */
static void drop_key(struct jwk_set *set)
{
        struct jwk *key = &set->keys[--set->count];

        EVP_PKEY_free(key->public);
        if (key->secret != NULL)
                explicit_bzero(key->secret, key->secret_len);
        mem_free(key->secret);
        mem_free(key->kid);
}

void jwk_set_deinit(struct jwk_set *set)
{
        while (set->count > 0)
                drop_key(set);
}

static struct jwk *next_key(struct jwk_set *set, char why[static JWK_WHY_SIZE])
{
        if (set->count < JWK_KEYS_MAX) {
                set->keys[set->count] = (struct jwk){ 0 };
                return &set->keys[set->count];
        }
        snprintf(why, JWK_WHY_SIZE, "more than %d keys", JWK_KEYS_MAX);
        return NULL;
}

bool jwk_add_secret(struct jwk_set *set, struct str secret, char why[static JWK_WHY_SIZE])
{
        struct jwk *key = next_key(set, why);

        if (key == NULL)
                return false;
        snprintf(why, JWK_WHY_SIZE, "an HMAC secret of %zu bytes can be guessed; %d at least",
                 secret.len, JWK_SECRET_BYTES);
        if (secret.len < JWK_SECRET_BYTES)
                return false;
        snprintf(why, JWK_WHY_SIZE, "no memory");
        key->secret     = mem_dup(secret);
        key->secret_len = secret.len;
        key->algorithms = HMAC_ALGORITHMS;
        set->count     += key->secret != NULL;
        return key->secret != NULL;
}

/* What this key may verify; 0: nothing here. */
static unsigned algorithms_of(const EVP_PKEY *public)
{
        int bits = EVP_PKEY_get_bits(public);

        if (EVP_PKEY_is_a(public, "RSA"))
                return bits >= JWK_RSA_BITS ? RSA_ALGORITHMS | PSS_ALGORITHMS : 0;
        if (EVP_PKEY_is_a(public, "ED25519"))
                return BIT(JWT_EDDSA);
        for (unsigned i = 0; i < CURVES && EVP_PKEY_is_a(public, "EC"); i++) {
                char   group[32];
                size_t len = 0;

                if (curves[i].bits == bits &&
                    EVP_PKEY_get_group_name(public, group, sizeof group, &len) == 1 &&
                    strcmp(group, curves[i].group) == 0)
                        return BIT(curves[i].algorithm);
        }
        return 0;
}

/* ---- PEM ------------------------------------------------------------------------------------- */

static EVP_PKEY *next_in_pem(BIO *bio, bool *end)
{
        char          *name = NULL, *header = NULL;
        unsigned char *data = NULL;
        long           len  = 0;
        EVP_PKEY      *public = NULL;

        *end = PEM_read_bio(bio, &name, &header, &data, &len) != 1;
        if (*end)
                return NULL;

        const unsigned char *at = data;

        if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
                public = d2i_PUBKEY(NULL, &at, len);
        } else if (strcmp(name, PEM_STRING_X509) == 0) {
                X509 *certificate = d2i_X509(NULL, &at, len);

                public = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
                X509_free(certificate);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)len);
        return public;
}

static bool add_next_pem(struct jwk_set *set, EVP_PKEY *public, char why[static JWK_WHY_SIZE])
{
        struct jwk *key = next_key(set, why);

        if (key == NULL)
                return false;
        snprintf(why, JWK_WHY_SIZE, "neither a public key nor a certificate for RS*, ES* or EdDSA, "
                                    "RSA of %d bits at least", JWK_RSA_BITS);
        if (public == NULL || algorithms_of(public) == 0)
                return false;
        key->public     = public;
        key->algorithms = algorithms_of(public) & ~PSS_ALGORITHMS;
        set->count++;
        return true;
}

bool jwk_add_pem(struct jwk_set *set, struct str text, char why[static JWK_WHY_SIZE])
{
        BIO     *bio    = text.len <= JWK_TEXT_BYTES_MAX
                                  ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
        unsigned before = set->count;
        bool     end    = false, good = true;

        snprintf(why, JWK_WHY_SIZE, "it is too large");
        if (bio == NULL)
                return false;
        while (good) {
                EVP_PKEY *public = next_in_pem(bio, &end);

                if (end)
                        break;
                good = add_next_pem(set, public, why);
                if (!good)
                        EVP_PKEY_free(public);
        }
        BIO_free(bio);
        if (good && set->count == before)
                snprintf(why, JWK_WHY_SIZE, "no \"-----BEGIN PUBLIC KEY-----\" in it");
        return good && set->count > before;
}

/* ---- JSON Web Keys --------------------------------------------------------------------------- */

/* Members of the key that are base64url. */
static bool member(const json_t *jwk, const char *name, struct buffer *to)
{
        struct str text = json_text_str(jwk, name);

        buffer_consume(to, buffer_len(to));
        return text.len > 0 && base64url_decode(text, to);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
        OSSL_PARAM   *params  = OSSL_PARAM_BLD_to_param(build);
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        EVP_PKEY     *public  = NULL;

        if (params != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1)
                EVP_PKEY_fromdata(context, &public, EVP_PKEY_PUBLIC_KEY, params);
        EVP_PKEY_CTX_free(context);
        OSSL_PARAM_free(params);
        return public;
}

static BIGNUM *number_of(const struct buffer *bytes)
{
        return BN_bin2bn((const unsigned char *)buffer_str(bytes).ptr, (int)buffer_len(bytes),
                         NULL);
}

static EVP_PKEY *read_rsa(const json_t *jwk, struct buffer *scratch)
{
        OSSL_PARAM_BLD *build  = OSSL_PARAM_BLD_new();
        BIGNUM         *n      = member(jwk, "n", scratch) ? number_of(scratch) : NULL;
        BIGNUM         *e      = member(jwk, "e", scratch) ? number_of(scratch) : NULL;
        EVP_PKEY       *public = NULL;

        /* An even or huge exponent would only cost time. */
        if (build != NULL && n != NULL && e != NULL && BN_is_odd(e) && BN_num_bits(e) <= 33 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
                public = from_params("RSA", build);
        BN_free(n);
        BN_free(e);
        OSSL_PARAM_BLD_free(build);
        return public;
}

/* The uncompressed point, which OpenSSL checks to lie on the curve. */
static EVP_PKEY *read_curve(const json_t *jwk, struct buffer *scratch)
{
        unsigned char   point[1 + 2 * POINT_BYTES_MAX] = { 4 };
        struct str      name   = json_text_str(jwk, "crv");
        OSSL_PARAM_BLD *build  = OSSL_PARAM_BLD_new();
        EVP_PKEY       *public = NULL;

        for (unsigned i = 0; i < CURVES && build != NULL; i++) {
                size_t bytes = curves[i].point_bytes;

                if (!str_eq(name, str_of(curves[i].jwk)))
                        continue;
                if (!member(jwk, "x", scratch) || buffer_len(scratch) != bytes)
                        break;
                memcpy(point + 1, buffer_str(scratch).ptr, bytes);
                if (!member(jwk, "y", scratch) || buffer_len(scratch) != bytes)
                        break;
                memcpy(point + 1 + bytes, buffer_str(scratch).ptr, bytes);
                if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                                    curves[i].group, 0) == 1 &&
                    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     1 + 2 * bytes) == 1)
                        public = from_params("EC", build);
                break;
        }
        OSSL_PARAM_BLD_free(build);
        return public;
}

static EVP_PKEY *read_edwards(const json_t *jwk, struct buffer *scratch)
{
        if (!str_eq(json_text_str(jwk, "crv"), STR("Ed25519")) || !member(jwk, "x", scratch) ||
            buffer_len(scratch) != ED25519_BYTES)
                return NULL;
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                           (const unsigned char *)buffer_str(scratch).ptr,
                                           ED25519_BYTES);
}

static bool for_signatures(const json_t *jwk)
{
        const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");
        const json_t *op;
        size_t        i;

        if (use != NULL && !str_eq(json_text_str(jwk, "use"), STR("sig")))
                return false;
        if (ops == NULL)
                return true;
        json_array_foreach(ops, i, op)
                if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
                        return true;
        return false;
}

/* The key's material; false when it is none of use here. */
static bool read_material(const json_t *jwk, bool secrets, struct jwk *key, struct buffer *scratch)
{
        struct str kty = json_text_str(jwk, "kty");

        if (str_eq(kty, STR("oct"))) {
                if (!secrets || !member(jwk, "k", scratch) ||
                    buffer_len(scratch) < JWK_SECRET_BYTES)
                        return false;
                key->secret_len = buffer_len(scratch);
                key->secret     = mem_dup(buffer_str(scratch));
                key->algorithms = key->secret != NULL ? HMAC_ALGORITHMS : 0;
                explicit_bzero(scratch->bytes, scratch->size);
        } else {
                key->public = str_eq(kty, STR("RSA"))   ? read_rsa(jwk, scratch)
                              : str_eq(kty, STR("EC"))  ? read_curve(jwk, scratch)
                              : str_eq(kty, STR("OKP")) ? read_edwards(jwk, scratch)
                                                        : NULL;
                key->algorithms = key->public != NULL ? algorithms_of(key->public) : 0;
        }

        struct str alg = json_text_str(jwk, "alg");

        /* One that names none has been used for the older padding: PS* must be said. */
        if (json_object_get(jwk, "alg") == NULL)
                key->algorithms &= ~PSS_ALGORITHMS;
        else
                key->algorithms &= BIT(jwk_algorithm(alg));     /* of an unknown one: nothing */
        return key->algorithms != 0;
}

/* False only when the set is to be refused. */
static bool add_jwk(struct jwk_set *set, const json_t *jwk, bool secrets, struct buffer *scratch,
                    char why[static JWK_WHY_SIZE])
{
        struct jwk *key = next_key(set, why);
        struct str  kid = json_text_str(jwk, "kid");

        if (key == NULL)
                return false;
        if (!json_is_object(jwk) || !for_signatures(jwk) || kid.len > JWK_KID_BYTES_MAX)
                return true;
        set->count++;
        if (read_material(jwk, secrets, key, scratch)) {
                key->kid = kid.ptr != NULL ? mem_dup(kid) : NULL;
                if (kid.ptr == NULL || key->kid != NULL)
                        return true;
        }
        drop_key(set);
        return true;
}

bool jwk_add_json(struct jwk_set *set, struct str text, bool secrets,
                  char why[static JWK_WHY_SIZE])
{
        const char    *what;
        json_t        *object  = json_text_object(text, JWK_TEXT_BYTES_MAX, &what);
        const json_t  *keys    = json_object_get(object, "keys"), *jwk;
        struct buffer  scratch = { 0 };
        unsigned       before  = set->count;
        bool           good    = object != NULL;
        size_t         i;

        if (object == NULL)
                snprintf(why, JWK_WHY_SIZE, "%s", what);
        else if (!json_is_array(keys))
                snprintf(why, JWK_WHY_SIZE, "it has no list \"keys\"");
        json_array_foreach(keys, i, jwk)
                good = good && add_jwk(set, jwk, secrets, &scratch, why);
        if (good && json_is_array(keys) && set->count == before)
                snprintf(why, JWK_WHY_SIZE, "it has no key for signatures that can be used");
        buffer_deinit(&scratch);
        json_decref(object);
        return good && set->count > before;
}
