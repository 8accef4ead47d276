/* Tokens as credentials: in the password, in the user name, or in an exchange of the AUTH method
 * "JWT", by which a client that is connected can bring its next token before the last one ends. */
#ifndef LINNET_SERVICES_AUTH_AUTH_JWT_H
#define LINNET_SERVICES_AUTH_AUTH_JWT_H

#include <stdbool.h>
#include <stdint.h>

struct auth_config;
struct auth_kind;

enum auth_jwt_from { AUTH_JWT_PASSWORD, AUTH_JWT_USERNAME };

enum {
        AUTH_JWT_TEXT_SIZE = 512,
        AUTH_JWT_NAME_SIZE = 64,
        AUTH_JWT_PATH_SIZE = 1024,
};

/* auth.jwt.*; a text that is empty is not set. */
struct auth_jwt_config {
        char     secret[AUTH_JWT_TEXT_SIZE];            /* of HS256, HS384 and HS512 */
        bool     secret_base64;
        char     pubkey[AUTH_JWT_PATH_SIZE];            /* a PEM file */
        char     jwks_file[AUTH_JWT_PATH_SIZE];
        char     jwks_url[AUTH_JWT_PATH_SIZE];
        char     jwks_ca_file[AUTH_JWT_PATH_SIZE];
        uint32_t jwks_refresh_ms;
        enum auth_jwt_from from;
        char     verify_claims[AUTH_JWT_TEXT_SIZE];     /* "name:template, name:template" */
        char     issuer[AUTH_JWT_TEXT_SIZE];
        char     audience[AUTH_JWT_TEXT_SIZE];
        char     username_claim[AUTH_JWT_NAME_SIZE];
        char     superuser_claim[AUTH_JWT_NAME_SIZE];
        char     acl_claim[AUTH_JWT_NAME_SIZE];
        uint32_t leeway_s;
        bool     require_exp;
        bool     end_with_token;                        /* the connection ends at exp */
};

extern const struct auth_kind auth_kind_jwt;

#endif
