/* JSON Web Tokens (RFC 7519) that are signed in compact form (RFC 7515), read strictly. Pure, any
 * thread. */
#ifndef LINNET_SERVICES_AUTH_JWT_H
#define LINNET_SERVICES_AUTH_JWT_H

#include <jansson.h>

#include "services/auth/jwk.h"

enum {
        JWT_BYTES_MAX        = 16384,   /* a token; larger ones are not looked at */
        JWT_HEADER_BYTES_MAX = 2048,
        JWT_TRIES_MAX        = 4,       /* keys that are tried when the token names none; of the
                                         * dear ones (ES384, ES512) one */
};

enum jwt_result {
        JWT_GOOD,
        JWT_NONE,               /* it is no token at all: perhaps a password */
        JWT_BAD,
        JWT_UNKNOWN_KEY,        /* it may be good: no key has the name that it gives */
};

/* The claims of a token that one of the keys, or of `more` (may be NULL), has signed, in *claims:
 * json_decref() them. Anything else leaves *claims NULL, and *why says what it is about, in static
 * words. */
enum jwt_result jwt_verify(const struct jwk_set *keys, const struct jwk_set *more, struct str token,
                           json_t **claims, const char **why);

/* exp, nbf and iat, with a leeway. *until_us: when it ends, leeway included; 0: never. False: *why,
 * static. */
bool jwt_times_good(const json_t *claims, uint64_t now_us, uint64_t leeway_us, uint64_t *until_us,
                    const char **why);

/* "aud" is this text, or a list that has it. */
bool jwt_audience_is(const json_t *claims, struct str audience);

#endif
