#include "services/auth/jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <string.h>

#include "services/auth/base64url.h"
#include "services/auth/json_text.h"

#define WALL_US_MAX 9e15        /* the year 2255: beyond it is never, and fits in a double */

enum { SIGNATURE_BYTES_MAX = 2048, DER_BYTES_MAX = 160 };

/* A token in its parts. */
struct parts {
        struct str         header, payload, signature;  /* base64url */
        struct str         signing;                     /* header.payload */
        struct buffer      bytes;                       /* the signature, decoded */
        enum jwt_algorithm algorithm;
};

/* By enum jwt_algorithm. */
static const struct how {
        const EVP_MD *(*hash)(void);            /* NULL: the key has its own */
        size_t          half;                   /* ES*: bytes of R, and of S */
        unsigned        tries;                  /* that one of them counts for */
} hows[JWT_ALGORITHMS] = {
        [JWT_HS256] = { EVP_sha256, 0, 1 }, [JWT_HS384] = { EVP_sha384, 0, 1 },
        [JWT_HS512] = { EVP_sha512, 0, 1 }, [JWT_RS256] = { EVP_sha256, 0, 1 },
        [JWT_RS384] = { EVP_sha384, 0, 1 }, [JWT_RS512] = { EVP_sha512, 0, 1 },
        [JWT_PS256] = { EVP_sha256, 0, 1 }, [JWT_PS384] = { EVP_sha384, 0, 1 },
        [JWT_PS512] = { EVP_sha512, 0, 1 }, [JWT_ES256] = { EVP_sha256, 32, 1 },
        [JWT_EDDSA] = { NULL, 0, 1 },
        /* Whoever forges such a token has the shard work for it: once, then. */
        [JWT_ES384] = { EVP_sha384, 48, JWT_TRIES_MAX },
        [JWT_ES512] = { EVP_sha512, 66, JWT_TRIES_MAX },
};

/* ---- signatures ------------------------------------------------------------------------------ */

static bool hmac_good(const struct jwk *key, const struct parts *parts)
{
        unsigned char made[EVP_MAX_MD_SIZE];
        unsigned      len = 0;
        struct str    got = buffer_str(&parts->bytes);

        return HMAC(hows[parts->algorithm].hash(), key->secret, (int)key->secret_len,
                    (const unsigned char *)parts->signing.ptr, parts->signing.len, made,
                    &len) != NULL &&
               got.len == len && CRYPTO_memcmp(made, got.ptr, len) == 0;
}

/* R and S, one behind the other, as OpenSSL wants them; 0: they are not. */
static size_t to_der(struct str raw, size_t half, unsigned char der[static DER_BYTES_MAX])
{
        const unsigned char *bytes = (const unsigned char *)raw.ptr;
        ECDSA_SIG           *both  = raw.len == 2 * half ? ECDSA_SIG_new() : NULL;
        BIGNUM              *r, *s;
        int                  len = 0;

        if (both == NULL)
                return 0;
        r = BN_bin2bn(bytes, (int)half, NULL);
        s = BN_bin2bn(bytes + half, (int)half, NULL);
        if (r != NULL && s != NULL && ECDSA_SIG_set0(both, r, s) == 1) {
                if (i2d_ECDSA_SIG(both, NULL) <= DER_BYTES_MAX)
                        len = i2d_ECDSA_SIG(both, &der);
        } else {
                BN_free(r);
                BN_free(s);
        }
        ECDSA_SIG_free(both);
        return len > 0 ? (size_t)len : 0;
}

static bool public_good(const struct jwk *key, const struct parts *parts)
{
        const struct how    *how       = &hows[parts->algorithm];
        struct str           signature = buffer_str(&parts->bytes);
        unsigned char        der[DER_BYTES_MAX];
        const unsigned char *bytes   = (const unsigned char *)signature.ptr;
        size_t               len     = signature.len;
        EVP_MD_CTX          *context = EVP_MD_CTX_new();
        EVP_PKEY_CTX        *about   = NULL;
        bool                 pss     = parts->algorithm >= JWT_PS256 &&
                                       parts->algorithm <= JWT_PS512;
        bool                 good;

        if (how->half > 0) {
                len   = to_der(signature, how->half, der);
                bytes = der;
        }
        good = context != NULL && len > 0 &&
               EVP_DigestVerifyInit(context, &about, how->hash != NULL ? how->hash() : NULL, NULL,
                                    key->public) == 1 &&
               (!pss || (EVP_PKEY_CTX_set_rsa_padding(about, RSA_PKCS1_PSS_PADDING) == 1 &&
                         EVP_PKEY_CTX_set_rsa_pss_saltlen(about, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
               EVP_DigestVerify(context, bytes, len, (const unsigned char *)parts->signing.ptr,
                                parts->signing.len) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return good;
}

/* Only keys that may have been used so are looked at, whatever the token says. *tries: of all sets
 * so far. */
static enum jwt_result signed_by(const struct jwk_set *keys, struct str kid,
                                 const struct parts *parts, unsigned *tries)
{
        unsigned each = hows[parts->algorithm].tries;

        for (unsigned i = 0; i < keys->count; i++) {
                const struct jwk *key = &keys->keys[i];

                if (!(key->algorithms & 1u << parts->algorithm))
                        continue;
                if (kid.ptr != NULL && key->kid != NULL && !str_eq(kid, str_of(key->kid)))
                        continue;
                if (*tries + each > JWT_TRIES_MAX)
                        break;
                *tries += each;
                if (key->public != NULL ? public_good(key, parts) : hmac_good(key, parts))
                        return JWT_GOOD;
        }
        return *tries > 0 ? JWT_BAD : JWT_UNKNOWN_KEY;
}

/* ---- the form -------------------------------------------------------------------------------- */

static bool split(struct str token, struct parts *parts)
{
        struct str rest = token;

        if (!str_cut(&rest, '.', &parts->header) || !str_cut(&rest, '.', &parts->payload) ||
            !str_cut(&rest, '.', &parts->signature) || rest.ptr != NULL)
                return false;
        parts->signing = str_from(token.ptr, parts->header.len + 1 + parts->payload.len);
        return parts->header.len > 0 && parts->payload.len > 0;
}

/* A part that is a JSON object in base64url. */
static json_t *read_part(struct str part, size_t bytes_max, const char **why)
{
        struct buffer bytes = { 0 };
        json_t       *object = NULL;

        *why = "it is no base64url";
        if (base64url_decode(part, &bytes))
                object = json_text_object(buffer_str(&bytes), bytes_max, why);
        buffer_deinit(&bytes);
        return object;
}

/* RFC 7515, 4.1.11: what must be understood is not. */
static enum jwt_result read_header(const json_t *header, struct parts *parts, const char **why)
{
        const json_t *kid = json_object_get(header, "kid");

        parts->algorithm = jwk_algorithm(json_text_str(header, "alg"));
        *why = "its algorithm is none that is verified here";
        if (parts->algorithm == JWT_ALGORITHMS)
                return JWT_BAD;
        *why = "its header has \"crit\"";
        if (json_object_get(header, "crit") != NULL)
                return JWT_BAD;
        *why = "its \"kid\" is no text";
        if (kid != NULL && !json_is_string(kid))
                return JWT_BAD;
        *why = "its signature is no base64url";
        if (parts->signature.len == 0 || parts->signature.len > SIGNATURE_BYTES_MAX ||
            !base64url_decode(parts->signature, &parts->bytes))
                return JWT_BAD;
        return JWT_GOOD;
}

enum jwt_result jwt_verify(const struct jwk_set *keys, const struct jwk_set *more, struct str token,
                           json_t **claims, const char **why)
{
        unsigned        tries  = 0;
        struct parts    parts  = { .algorithm = JWT_ALGORITHMS };
        json_t         *header = NULL;
        enum jwt_result result;

        *claims = NULL;
        *why    = "it is no token";
        if (token.len > JWT_BYTES_MAX || !split(token, &parts))
                return JWT_NONE;
        header = read_part(parts.header, JWT_HEADER_BYTES_MAX, why);
        if (json_object_get(header, "alg") == NULL) {
                *why = header != NULL ? "its header names no algorithm" : *why;
                json_decref(header);
                return JWT_NONE;
        }
        result = read_header(header, &parts, why);
        if (result == JWT_GOOD) {
                result = signed_by(keys, json_text_str(header, "kid"), &parts, &tries);
                if (result != JWT_GOOD && more != NULL)
                        result = signed_by(more, json_text_str(header, "kid"), &parts, &tries);
                *why   = result == JWT_BAD ? "its signature is not good"
                                           : "no key for its \"alg\" and \"kid\" is known";
        }
        if (result == JWT_GOOD) {
                *claims = read_part(parts.payload, JWT_BYTES_MAX, why);
                result  = *claims != NULL ? JWT_GOOD : JWT_BAD;
        }
        buffer_deinit(&parts.bytes);
        json_decref(header);
        return result;
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* A NumericDate (RFC 7519, section 2) in microseconds. False: it is none. *is_there: whether it
 * is. */
static bool date(const json_t *claims, const char *name, uint64_t *us, bool *is_there)
{
        const json_t *claim = json_object_get(claims, name);
        double        value = json_number_value(claim) * 1e6;

        *is_there = claim != NULL;
        *us       = 0;
        if (claim == NULL)
                return true;
        if (!json_is_number(claim) || value < 0)
                return false;
        *us = value < WALL_US_MAX ? (uint64_t)value : (uint64_t)WALL_US_MAX;
        return true;
}

bool jwt_times_good(const json_t *claims, uint64_t now_us, uint64_t leeway_us, uint64_t *until_us,
                    const char **why)
{
        uint64_t exp, nbf, iat;
        bool     has_exp, has_nbf, has_iat;

        *until_us = 0;
        *why      = "its \"exp\", \"nbf\" or \"iat\" is no time";
        if (!date(claims, "exp", &exp, &has_exp) || !date(claims, "nbf", &nbf, &has_nbf) ||
            !date(claims, "iat", &iat, &has_iat))
                return false;
        *why = "it has expired";
        if (has_exp && now_us >= exp + leeway_us)
                return false;
        *why = "it is not valid yet";
        if (has_nbf && nbf > now_us + leeway_us)
                return false;
        *why = "it was issued in the future";
        if (has_iat && iat > now_us + leeway_us)
                return false;
        *why = NULL;
        if (has_exp && exp < (uint64_t)WALL_US_MAX)
                *until_us = exp + leeway_us;
        return true;
}

bool jwt_audience_is(const json_t *claims, struct str audience)
{
        const json_t *aud = json_object_get(claims, "aud"), *one;
        size_t        i;

        if (json_is_string(aud))
                return str_eq(json_text_str(claims, "aud"), audience);
        json_array_foreach(aud, i, one)
                if (json_is_string(one) &&
                    str_eq(str_from(json_string_value(one), json_string_length(one)), audience))
                        return true;
        return false;
}
