/* What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677), as PostgreSQL writes
 * it (RFC 5803 has the same parts):
 *
 *      SCRAM-SHA-256$ROUNDS:SALT$STORED_KEY:SERVER_KEY         in base64
 *
 * Who reads it can neither log in with it nor show a client that it is the server's. */
#ifndef LINNET_SERVICES_AUTH_SCRAM_SECRET_H
#define LINNET_SERVICES_AUTH_SCRAM_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
        SCRAM_KEY_SIZE   = 32,
        SCRAM_SALT_MAX   = 64,
        SCRAM_ROUNDS     = 15000,       /* of new ones; the clients compute them */
        SCRAM_ROUNDS_MIN = 4096,        /* RFC 7677, section 4 */
        SCRAM_ROUNDS_MAX = 10000000,
        SCRAM_TEXT_SIZE  = 256,
};

struct scram_secret {
        uint32_t rounds;
        uint8_t  salt_len;
        uint8_t  salt[SCRAM_SALT_MAX];
        uint8_t  stored_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
};

/* NULL: it is in *out. Otherwise what is wrong with it, in static storage. */
const char *scram_secret_parse(struct str text, struct scram_secret *out);

/* A fresh one. The password is taken as it is: of the preparation that RFC 4013 asks for, whatever
 * is ASCII needs none. False without memory. */
bool scram_secret_make(struct str password, char to[static SCRAM_TEXT_SIZE]);

/* HMAC-SHA-256; false without memory. */
bool scram_mac(const uint8_t key[static SCRAM_KEY_SIZE], struct str text,
               uint8_t to[static SCRAM_KEY_SIZE]);

#endif
