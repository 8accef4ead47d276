/* The keys that tokens are signed with, and which algorithms each of them may have been used for: a
 * token does not choose. An HMAC secret verifies HS*, an RSA key RS* (or PS*, if it says so), a
 * curve its own ES* or EdDSA; a key that names its algorithm, that one only (RFC 8725, 3.1). */
#ifndef LINNET_SERVICES_AUTH_JWK_H
#define LINNET_SERVICES_AUTH_JWK_H

#include <openssl/evp.h>

#include "base/buffer.h"

enum jwt_algorithm {
        JWT_HS256, JWT_HS384, JWT_HS512, JWT_RS256, JWT_RS384, JWT_RS512, JWT_PS256, JWT_PS384,
        JWT_PS512, JWT_ES256, JWT_ES384, JWT_ES512, JWT_EDDSA,
        JWT_ALGORITHMS                  /* how many; none of them */
};

enum {
        JWK_KEYS_MAX       = 32,
        JWK_TEXT_BYTES_MAX = 131072,    /* of a key set as JSON, or a PEM file */
        JWK_KID_BYTES_MAX  = 256,
        JWK_SECRET_BYTES   = 32,        /* the least of an HMAC secret (RFC 7518, 3.2) */
        JWK_RSA_BITS       = 2048,      /* the least (RFC 7518, 3.3) */
        JWK_WHY_SIZE       = 128,
};

struct jwk {
        unsigned  algorithms;           /* bits, 1 << enum jwt_algorithm */
        char     *kid;                  /* owned; NULL: it has none, and any token may mean it */
        EVP_PKEY *public;               /* owned; NULL: it is a secret */
        char     *secret;               /* owned; wiped when freed */
        size_t    secret_len;
};

/* Immutable once it is made, so that any thread may read it. Zeroed it is empty. */
struct jwk_set {
        unsigned   count;
        struct jwk keys[JWK_KEYS_MAX];
};

void jwk_set_deinit(struct jwk_set *set);

/* Each adds to the set. False: `why` says what is wrong, and the set may have some of them. */
bool jwk_add_secret(struct jwk_set *set, struct str secret, char why[static JWK_WHY_SIZE]);

/* Public keys and certificates, one or more. */
bool jwk_add_pem(struct jwk_set *set, struct str text, char why[static JWK_WHY_SIZE]);

/* RFC 7517. Keys that are not for signatures, or of kinds and sizes that nobody verifies with here,
 * are left out; a set without any other is none. `secrets`: whether it may bring HMAC secrets,
 * which a set that is fetched from somewhere should not. */
bool jwk_add_json(struct jwk_set *set, struct str text, bool secrets,
                  char why[static JWK_WHY_SIZE]);

enum jwt_algorithm jwk_algorithm(struct str name);      /* "RS256"; JWT_ALGORITHMS for others */

#endif
