#include "services/auth/secret.h"

#include <argon2.h>
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/random.h"
#include "base/base64.h"

/* What we write: Argon2id as OWASP has it (19 MiB, two passes), some tens of milliseconds; PBKDF2
 * with fewer rounds than that, because it is for who computes them in its only thread. */
enum {
        NEW_MEMORY_KIB = 19456,
        NEW_PASSES     = 2,
        NEW_LANES      = 1,
        NEW_ROUNDS     = 20000,
        NEW_SALT       = 16,
        NEW_HASH       = 32,
};

/* What a file may ask for: a check must end. */
enum {
        MEMORY_KIB_MAX = 262144,
        PASSES_MAX     = 64,
        LANES_MAX      = 16,
        ROUNDS_MAX     = 10000000,
        SALT_MIN       = 8,             /* of Argon2 */
        HASH_MIN       = 16,
};

/* ---- text ------------------------------------------------------------------------------------ */

static bool take_number(struct str digits, uint32_t max, uint32_t *number)
{
        uint64_t sum = 0;

        if (digits.len == 0 || digits.len > 10)
                return false;
        for (size_t i = 0; i < digits.len; i++) {
                if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
                        return false;
                sum = sum * 10 + (uint64_t)(digits.ptr[i] - '0');
        }
        *number = (uint32_t)sum;
        return sum > 0 && sum <= max;
}

/* "SALT$HASH", the end of all of them. */
static const char *take_salt_and_hash(struct str rest, struct secret *out)
{
        struct str salt;
        size_t     salt_len, hash_len;

        if (!str_cut(&rest, '$', &salt) || rest.ptr == NULL)
                return "it is cut short";
        if (!base64_decode(salt, out->salt, SECRET_SALT_MAX, &salt_len) || salt_len == 0)
                return "its salt is no base64 of 1 to 64 bytes";
        if (!base64_decode(rest, out->hash, SECRET_HASH_MAX, &hash_len) || hash_len < HASH_MIN)
                return "its hash is no base64 of 16 to 64 bytes";
        out->salt_len = (uint8_t)salt_len;
        out->hash_len = (uint8_t)hash_len;
        return NULL;
}

/* "v=19$m=65536,t=3,p=1$SALT$HASH" */
static const char *parse_argon2id(struct str rest, struct secret *out)
{
        struct str version, m, t, p;

        if (!str_cut(&rest, '$', &version) || !str_eq(version, STR("v=19")))
                return "its version is not v=19";
        if (!str_cut(&rest, ',', &m) || !str_cut(&rest, ',', &t) || !str_cut(&rest, '$', &p) ||
            !str_starts(m, STR("m=")) || !str_starts(t, STR("t=")) || !str_starts(p, STR("p=")))
                return "its parameters are not m=N,t=N,p=N";
        if (!take_number(str_skip(m, 2), MEMORY_KIB_MAX, &out->memory_kib) ||
            !take_number(str_skip(t, 2), PASSES_MAX, &out->rounds) ||
            !take_number(str_skip(p, 2), LANES_MAX, &out->lanes) ||
            out->memory_kib < 8 * out->lanes)
                return "its parameters are beyond m=262144, t=64, p=16, or m is less than 8 p";
        out->kind = SECRET_ARGON2ID;

        const char *wrong = take_salt_and_hash(rest, out);

        return wrong == NULL && out->salt_len < SALT_MIN ? "its salt has less than 8 bytes" : wrong;
}

static const char *parse_pbkdf2(struct str rest, struct secret *out)
{
        struct str rounds;

        if (!str_cut(&rest, '$', &rounds) || !take_number(rounds, ROUNDS_MAX, &out->rounds))
                return "its rounds are no number from 1 to 10000000";
        out->kind = SECRET_PBKDF2;
        return take_salt_and_hash(rest, out);
}

static const char *parse_sha512(struct str rest, struct secret *out)
{
        const char *wrong = take_salt_and_hash(rest, out);

        out->kind = SECRET_SHA512;
        return wrong == NULL && out->hash_len != SHA512_DIGEST_LENGTH ? "its hash has not 64 bytes"
                                                                      : wrong;
}

const char *secret_parse(struct str text, struct secret *out)
{
        static const struct {
                struct str   prefix;
                const char *(*parse)(struct str rest, struct secret *out);
        } formats[] = {
                { { "$argon2id$", 10 }, parse_argon2id },
                { { "$7$", 3 }, parse_pbkdf2 },
                { { "$6$", 3 }, parse_sha512 },
        };

        *out = (struct secret){ .kind = SECRET_PLAIN };
        for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++)
                if (str_starts(text, formats[i].prefix))
                        return formats[i].parse(str_skip(text, formats[i].prefix.len), out);
        if (text.len == 0 || text.len > SECRET_PLAIN_MAX)
                return "it is empty, or longer than 255 bytes";
        SHA512((const uint8_t *)text.ptr, text.len, out->hash);
        out->hash_len = SHA512_DIGEST_LENGTH;
        return NULL;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* In one thread, whatever its lanes. */
static bool hash_argon2id(const struct secret *secret, struct str password, uint8_t *to)
{
        argon2_context context = {
                .out       = to,
                .outlen    = secret->hash_len,
                .pwd       = (uint8_t *)password.ptr,
                .pwdlen    = (uint32_t)password.len,
                .salt      = (uint8_t *)secret->salt,
                .saltlen   = secret->salt_len,
                .t_cost    = secret->rounds,
                .m_cost    = secret->memory_kib,
                .lanes     = secret->lanes,
                .threads   = 1,
                .version   = ARGON2_VERSION_13,
                .flags     = ARGON2_DEFAULT_FLAGS,
        };

        return argon2id_ctx(&context) == ARGON2_OK;
}

/* A plain one is kept so, too, with no salt. */
static bool hash_sha512(const struct secret *secret, struct str password, uint8_t *to)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool        good    = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) &&
                    EVP_DigestUpdate(context, password.ptr, password.len) &&
                    EVP_DigestUpdate(context, secret->salt, secret->salt_len) &&
                    EVP_DigestFinal_ex(context, to, NULL);

        EVP_MD_CTX_free(context);
        return good;
}

static bool hash_pbkdf2(const struct secret *secret, struct str password, uint8_t *to)
{
        return PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, secret->salt, secret->salt_len,
                                 (int)secret->rounds, EVP_sha512(), secret->hash_len, to) == 1;
}

static bool hash_of(const struct secret *secret, struct str password, uint8_t *to)
{
        if (password.ptr == NULL)       /* OpenSSL takes that for something else */
                password = STR("");
        switch (secret->kind) {
        case SECRET_ARGON2ID:
                return hash_argon2id(secret, password, to);
        case SECRET_PBKDF2:
                return hash_pbkdf2(secret, password, to);
        case SECRET_SHA512:
        case SECRET_PLAIN:
                return hash_sha512(secret, password, to);
        }
        return false;
}

bool secret_same(const struct secret *a, const struct secret *b)
{
        return a->kind == b->kind && a->rounds == b->rounds && a->memory_kib == b->memory_kib &&
               a->lanes == b->lanes && a->salt_len == b->salt_len && a->hash_len == b->hash_len &&
               memcmp(a->salt, b->salt, a->salt_len) == 0 &&
               memcmp(a->hash, b->hash, a->hash_len) == 0;
}

enum secret_result secret_check(const struct secret *secret, struct str password)
{
        uint8_t            given[SHA512_DIGEST_LENGTH];
        enum secret_result result = SECRET_NO_MEMORY;

        static_assert((int)SECRET_HASH_MAX == (int)SHA512_DIGEST_LENGTH, "there is room for any");
        if (password.len > SECRET_PASSWORD_MAX)
                return SECRET_WRONG;
        if (hash_of(secret, password, given))
                result = CRYPTO_memcmp(given, secret->hash, secret->hash_len) == 0 ? SECRET_RIGHT
                                                                                   : SECRET_WRONG;
        OPENSSL_cleanse(given, sizeof given);
        return result;
}

bool secret_make(enum secret_kind kind, struct str password, char to[static SECRET_TEXT_SIZE])
{
        struct secret fresh = { .kind       = kind,
                                .rounds     = kind == SECRET_PBKDF2 ? NEW_ROUNDS : NEW_PASSES,
                                .memory_kib = NEW_MEMORY_KIB,
                                .lanes      = NEW_LANES,
                                .salt_len   = NEW_SALT };
        char          salt[BASE64_SIZE(NEW_SALT)], hash[BASE64_SIZE(SECRET_HASH_MAX)];
        size_t        salt_len, hash_len;

        assert(kind != SECRET_PLAIN);
        fresh.hash_len = kind == SECRET_ARGON2ID ? NEW_HASH : SHA512_DIGEST_LENGTH;
        random_secret(fresh.salt, NEW_SALT);
        if (!hash_of(&fresh, password, fresh.hash))
                return false;
        salt_len = base64_encode(str_from(fresh.salt, fresh.salt_len), salt);
        hash_len = base64_encode(str_from(fresh.hash, fresh.hash_len), hash);
        if (kind == SECRET_ARGON2ID) {          /* its texts are without padding */
                while (salt[salt_len - 1] == '=')
                        salt_len--;
                while (hash[hash_len - 1] == '=')
                        hash_len--;
                snprintf(to, SECRET_TEXT_SIZE, "$argon2id$v=19$m=%u,t=%u,p=%u$%.*s$%.*s",
                         fresh.memory_kib, fresh.rounds, fresh.lanes, (int)salt_len, salt,
                         (int)hash_len, hash);
        } else if (kind == SECRET_PBKDF2) {
                snprintf(to, SECRET_TEXT_SIZE, "$7$%u$%s$%s", fresh.rounds, salt, hash);
        } else {
                snprintf(to, SECRET_TEXT_SIZE, "$6$%s$%s", salt, hash);
        }
        return true;
}
