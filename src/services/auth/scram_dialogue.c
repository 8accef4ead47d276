#include "services/auth/scram_dialogue.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/base64.h"
#include "mqtt/utf8.h"

enum { NONCE_MAX = 512, USER_MAX = 1024 };

static void wipe(struct buffer *buffer)
{
        struct str bytes = buffer_str(buffer);

        if (bytes.len > 0)
                OPENSSL_cleanse((char *)bytes.ptr, bytes.len);
        buffer_deinit(buffer);
}

void scram_dialogue_deinit(struct scram_dialogue *dialogue)
{
        wipe(&dialogue->said);
        wipe(&dialogue->user);
        wipe(&dialogue->nonce);
        OPENSSL_cleanse(dialogue->auth_mac, sizeof dialogue->auth_mac);
}

/* The value of the next attribute, "x=…", which must be this one. */
static bool take(struct str *rest, char letter, struct str *value)
{
        if (!str_cut(rest, ',', value) || value->len < 2 || value->ptr[0] != letter ||
            value->ptr[1] != '=')
                return false;
        *value = str_skip(*value, 2);
        return true;
}

/* =2C is a comma, =3D an equals sign; nothing else may begin so. */
static bool take_user(struct str name, struct buffer *to)
{
        if (name.len == 0 || name.len > USER_MAX)
                return false;
        while (name.len > 0) {
                bool comma  = str_starts(name, STR("=2C"));
                bool equals = str_starts(name, STR("=3D"));

                if ((name.ptr[0] == '=' && !comma && !equals) ||
                    !buffer_append(to, comma ? STR(",") : str_from(name.ptr, 1)))
                        return false;
                name = str_skip(name, comma || equals ? 3 : 1);
        }
        return utf8_valid(buffer_str(to));
}

static bool is_nonce(struct str text)
{
        for (size_t i = 0; i < text.len; i++)
                if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
                        return false;
        return text.len > 0 && text.len <= NONCE_MAX;
}

const char *scram_hear_first(struct scram_dialogue *dialogue, struct str message)
{
        struct str rest = message, binding, identity, name, nonce;

        if (message.len > SCRAM_MESSAGE_MAX || !str_cut(&rest, ',', &binding) ||
            !str_cut(&rest, ',', &identity) || rest.ptr == NULL)
                return "its first message is not SCRAM's";
        if (str_starts(binding, STR("p=")))
                return "it demands channel binding, which is not offered";
        if (!str_eq(binding, STR("n")) && !str_eq(binding, STR("y")))
                return "its first message is not SCRAM's";
        if (identity.len > 0)
                return "it wants to act for another user";
        snprintf(dialogue->gs2, sizeof dialogue->gs2, "%c,,", binding.ptr[0]);
        if (!buffer_append(&dialogue->said, rest) || !buffer_append(&dialogue->said, STR(",")))
                return "no memory";
        if (str_starts(rest, STR("m=")))
                return "it demands an extension that is not known";
        if (!take(&rest, 'n', &name) || !take(&rest, 'r', &nonce) ||
            !take_user(name, &dialogue->user) || !is_nonce(nonce))
                return "its first message is not SCRAM's";
        return buffer_append(&dialogue->nonce, nonce) ? NULL : "no memory";
}

struct str scram_say_first(struct scram_dialogue *dialogue, const struct scram_secret *secret,
                           struct str nonce)
{
        size_t before = buffer_len(&dialogue->said);
        char   salt[BASE64_SIZE(SCRAM_SALT_MAX)];

        base64_encode(str_from(secret->salt, secret->salt_len), salt);
        if (!buffer_append(&dialogue->nonce, nonce) ||
            !buffer_printf(&dialogue->said, "r=%.*s,s=%s,i=%u",
                           STR_ARGS(buffer_str(&dialogue->nonce)), salt, secret->rounds))
                return (struct str){ 0 };
        return str_skip(buffer_str(&dialogue->said), before);
}

/* What both sides have said, but for the proof. */
static bool auth_message(struct scram_dialogue *dialogue, struct str without_proof)
{
        return buffer_append(&dialogue->said, STR(",")) &&
               buffer_append(&dialogue->said, without_proof);
}

/* SHA-256 of the key that the proof hides must be the stored one. */
static bool proof_good(const struct scram_dialogue *dialogue, const struct scram_secret *secret,
                       const uint8_t proof[static SCRAM_KEY_SIZE])
{
        uint8_t signature[SCRAM_KEY_SIZE], key[SCRAM_KEY_SIZE];
        bool    good = scram_mac(secret->stored_key, buffer_str(&dialogue->said), signature);

        for (unsigned i = 0; i < SCRAM_KEY_SIZE; i++)
                signature[i] ^= proof[i];
        SHA256(signature, sizeof signature, key);
        good &= CRYPTO_memcmp(key, secret->stored_key, SCRAM_KEY_SIZE) == 0;
        OPENSSL_cleanse(signature, sizeof signature);
        return good;
}

const char *scram_hear_last(struct scram_dialogue *dialogue, const struct scram_secret *secret,
                            struct str message)
{
        static const char malformed[] = "its last message is not SCRAM's";
        struct str        rest = message, binding, nonce, part;
        uint8_t           proof[SCRAM_KEY_SIZE];
        char              gs2[BASE64_SIZE(sizeof dialogue->gs2)];
        size_t            len, proof_at = 0;

        base64_encode(str_of(dialogue->gs2), gs2);
        if (message.len > SCRAM_MESSAGE_MAX || !take(&rest, 'c', &binding) ||
            !take(&rest, 'r', &nonce))
                return malformed;
        if (!str_eq(binding, str_of(gs2)))
                return "its channel binding does not match what it said first";
        if (!str_eq(nonce, buffer_str(&dialogue->nonce)))
                return "its nonce is not that of this exchange";
        do {                                    /* extensions are before the proof */
                if (rest.ptr == NULL)
                        return malformed;
                proof_at = (size_t)(rest.ptr - message.ptr);
        } while (str_cut(&rest, ',', &part) && !str_starts(part, STR("p=")));
        if (rest.ptr != NULL ||
            !base64_decode(str_skip(part, part.len < 2 ? part.len : 2), proof, sizeof proof,
                           &len) ||
            len != sizeof proof)
                return malformed;
        if (!auth_message(dialogue, str_from(message.ptr, proof_at - 1)) ||
            !scram_mac(secret->server_key, buffer_str(&dialogue->said), dialogue->auth_mac))
                return "no memory";
        if (!proof_good(dialogue, secret, proof))
                return "wrong password";
        memcpy(dialogue->out, "v=", 2);
        base64_encode(str_from(dialogue->auth_mac, SCRAM_KEY_SIZE), dialogue->out + 2);
        return NULL;
}

struct str scram_say_last(const struct scram_dialogue *dialogue)
{
        return str_of(dialogue->out);
}
