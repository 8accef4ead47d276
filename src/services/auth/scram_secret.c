#include "services/auth/scram_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/random.h"

enum { NEW_SALT = 16 };

static bool take_key(struct str text, uint8_t to[static SCRAM_KEY_SIZE])
{
        size_t len;

        return base64_decode(text, to, SCRAM_KEY_SIZE, &len) && len == SCRAM_KEY_SIZE;
}

static bool take_rounds(struct str digits, uint32_t *rounds)
{
        *rounds = 0;
        for (size_t i = 0; i < digits.len && i < 9; i++) {
                if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
                        return false;
                *rounds = *rounds * 10 + (uint32_t)(digits.ptr[i] - '0');
        }
        return digits.len < 9 && *rounds >= SCRAM_ROUNDS_MIN && *rounds <= SCRAM_ROUNDS_MAX;
}

const char *scram_secret_parse(struct str text, struct scram_secret *out)
{
        struct str prefix = STR("SCRAM-SHA-256$"), rounds, salt, stored;
        size_t     salt_len;

        *out = (struct scram_secret){ .rounds = 0 };
        if (!str_starts(text, prefix))
                return "it does not begin with SCRAM-SHA-256$";
        text = str_skip(text, prefix.len);
        if (!str_cut(&text, ':', &rounds) || !str_cut(&text, '$', &salt) ||
            !str_cut(&text, ':', &stored) || text.ptr == NULL)
                return "it is not SCRAM-SHA-256$ROUNDS:SALT$STORED_KEY:SERVER_KEY";
        if (!take_rounds(rounds, &out->rounds))
                return "its rounds are no number from 4096 to 10000000";
        if (!base64_decode(salt, out->salt, SCRAM_SALT_MAX, &salt_len) || salt_len == 0)
                return "its salt is no base64 of 1 to 64 bytes";
        if (!take_key(stored, out->stored_key) || !take_key(text, out->server_key))
                return "its keys are not base64 of 32 bytes each";
        out->salt_len = (uint8_t)salt_len;
        return NULL;
}

bool scram_mac(const uint8_t key[static SCRAM_KEY_SIZE], struct str text,
               uint8_t to[static SCRAM_KEY_SIZE])
{
        return HMAC(EVP_sha256(), key, SCRAM_KEY_SIZE, (const uint8_t *)text.ptr, text.len, to,
                    NULL) != NULL;
}

bool scram_secret_make(struct str password, char to[static SCRAM_TEXT_SIZE])
{
        struct scram_secret fresh = { .rounds = SCRAM_ROUNDS, .salt_len = NEW_SALT };
        uint8_t             salted[SCRAM_KEY_SIZE], client_key[SCRAM_KEY_SIZE];
        char                salt[BASE64_SIZE(NEW_SALT)];
        char                stored[BASE64_SIZE(SCRAM_KEY_SIZE)];
        char                server[BASE64_SIZE(SCRAM_KEY_SIZE)];
        bool                good;

        random_secret(fresh.salt, NEW_SALT);
        good = PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, fresh.salt, NEW_SALT,
                                 SCRAM_ROUNDS, EVP_sha256(), SCRAM_KEY_SIZE, salted) == 1 &&
               scram_mac(salted, STR("Client Key"), client_key) &&
               scram_mac(salted, STR("Server Key"), fresh.server_key);
        if (good) {
                SHA256(client_key, SCRAM_KEY_SIZE, fresh.stored_key);
                base64_encode(str_from(fresh.salt, NEW_SALT), salt);
                base64_encode(str_from(fresh.stored_key, SCRAM_KEY_SIZE), stored);
                base64_encode(str_from(fresh.server_key, SCRAM_KEY_SIZE), server);
                snprintf(to, SCRAM_TEXT_SIZE, "SCRAM-SHA-256$%d:%s$%s:%s", SCRAM_ROUNDS, salt,
                         stored, server);
        }
        OPENSSL_cleanse(salted, sizeof salted);
        OPENSSL_cleanse(client_key, sizeof client_key);
        return good;
}
