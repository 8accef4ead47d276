/* A password as it is kept:
 *
 *      $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH      what we write
 *      $7$ROUNDS$SALT$HASH     PBKDF2 with HMAC-SHA512, Mosquitto's since 2.0
 *      $6$SALT$HASH            SHA512 of password and salt, Mosquitto's before
 *      anything else           plain; only where the caller takes it
 *
 * Salts and hashes are in base64, what they may ask for is bounded, slow ones are for no shard. */
#ifndef LINNET_SERVICES_AUTH_SECRET_H
#define LINNET_SERVICES_AUTH_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
        SECRET_SALT_MAX     = 64,
        SECRET_HASH_MAX     = 64,
        SECRET_PLAIN_MAX    = 255,
        SECRET_TEXT_SIZE    = 256,      /* of any that secret_make() writes */
        SECRET_PASSWORD_MAX = 65535,
};

enum secret_kind { SECRET_ARGON2ID, SECRET_PBKDF2, SECRET_SHA512, SECRET_PLAIN };

struct secret {
        enum secret_kind kind;
        uint32_t         rounds;        /* of PBKDF2; the passes of Argon2 */
        uint32_t         memory_kib, lanes;
        uint8_t          salt_len, hash_len;
        uint8_t          salt[SECRET_SALT_MAX];
        uint8_t          hash[SECRET_HASH_MAX];         /* of a plain one: its SHA512 */
};

bool secret_same(const struct secret *a, const struct secret *b);       /* not in constant time */

enum secret_result { SECRET_WRONG, SECRET_RIGHT, SECRET_NO_MEMORY };

/* NULL: it is in *out. Otherwise what is wrong with it, in static storage. */
const char *secret_parse(struct str text, struct secret *out);

/* It takes milliseconds: for a worker. */
static inline bool secret_is_slow(const struct secret *secret)
{
        return secret->kind <= SECRET_PBKDF2;
}

/* In a time that tells nothing of the secret but its kind and parameters. Any thread. */
enum secret_result secret_check(const struct secret *secret, struct str password);

/* A fresh one of this kind, with a salt of its own, as text. False without memory. */
bool secret_make(enum secret_kind kind, struct str password, char to[static SECRET_TEXT_SIZE]);

#endif
