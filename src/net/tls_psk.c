#include "net/tls_psk.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"

enum { FILE_BYTES_MAX = 64 << 20, SECRET_BYTES = 32 };

struct psk {
        unsigned char key[PSK_KEY_MAX];
        uint8_t       key_len, identity_len;
        char          identity[];
};

struct tls_psks {
        struct map    by_identity;
        unsigned char secret[SECRET_BYTES];
};

static struct str identity_of(const void *value)
{
        const struct psk *psk = value;

        return str_from(psk->identity, psk->identity_len);
}

/* How many bytes; -1 when they are not hexadecimal or too many. */
static int read_hex(struct str text, unsigned char *to, size_t size)
{
        if (text.len % 2 != 0 || text.len / 2 > size)
                return -1;
        for (size_t i = 0; i < text.len; i += 2) {
                char pair[3] = { text.ptr[i], text.ptr[i + 1], '\0' };

                if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
                        return -1;
                to[i / 2] = (unsigned char)strtoul(pair, NULL, 16);
                OPENSSL_cleanse(pair, sizeof pair);
        }
        return (int)(text.len / 2);
}

/* What is wrong with the line, or NULL. */
static const char *add_line(struct tls_psks *psks, struct str line)
{
        unsigned char key[PSK_KEY_MAX];
        struct str    hex = line, identity;
        struct psk   *psk;
        int           len;

        if (!str_cut(&hex, ':', &identity) || hex.ptr == NULL)
                return "it is not IDENTITY:HEXKEY";
        if (identity.len == 0 || identity.len > PSK_IDENTITY_MAX)
                return "an identity has 1 to 255 bytes";
        if (map_find(&psks->by_identity, identity) != NULL)
                return "the identity has a key already";
        len = read_hex(hex, key, sizeof key);
        if (len < PSK_KEY_MIN)
                return "a key has 32 to 128 hexadecimal digits, two for each byte";
        psk = mem_alloc(sizeof *psk + identity.len);
        if (psk != NULL) {
                memcpy(psk->key, key, (size_t)len);
                memcpy(psk->identity, identity.ptr, identity.len);
                psk->key_len      = (uint8_t)len;
                psk->identity_len = (uint8_t)identity.len;
        }
        OPENSSL_cleanse(key, sizeof key);
        if (psk == NULL || !map_add(&psks->by_identity, psk)) {
                mem_free(psk);
                return "out of memory";
        }
        return NULL;
}

static bool add_lines(struct tls_psks *psks, struct str rest, char *why)
{
        struct str line;
        unsigned   number = 0;

        while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
                const char *wrong;

                number++;
                if (line.len > 0 && line.ptr[line.len - 1] == '\r')
                        line.len--;
                if (line.len == 0 || line.ptr[0] == '#')
                        continue;
                wrong = add_line(psks, line);
                if (wrong != NULL) {
                        snprintf(why, PSK_WHY_SIZE, "line %u: %s", number, wrong);
                        return false;
                }
        }
        if (psks->by_identity.count == 0)
                snprintf(why, PSK_WHY_SIZE, "it has no line IDENTITY:HEXKEY");
        return psks->by_identity.count > 0;
}

struct tls_psks *tls_psks_read(const char *file, char why[static PSK_WHY_SIZE])
{
        struct buffer    text = { 0 };
        struct hash_key  key;
        struct tls_psks *psks;

        if (!path_read(file, FILE_BYTES_MAX, &text, why, PSK_WHY_SIZE))
                return NULL;
        psks = mem_zalloc(sizeof *psks);
        if (psks != NULL) {
                random_secret(&key, sizeof key);
                random_secret(psks->secret, sizeof psks->secret);
                map_init(&psks->by_identity, identity_of, key);
                if (!add_lines(psks, buffer_str(&text), why)) {
                        tls_psks_free(psks);
                        psks = NULL;
                }
        } else {
                snprintf(why, PSK_WHY_SIZE, "out of memory");
        }
        OPENSSL_cleanse(text.bytes, text.size);
        buffer_deinit(&text);
        return psks;
}

void tls_psks_free(struct tls_psks *psks)
{
        size_t      at = 0;
        struct psk *psk;

        if (psks == NULL)
                return;
        while ((psk = map_next(&psks->by_identity, &at)) != NULL) {
                OPENSSL_cleanse(psk->key, sizeof psk->key);
                mem_free(psk);
        }
        map_deinit(&psks->by_identity);
        OPENSSL_cleanse(psks->secret, sizeof psks->secret);
        mem_free(psks);
}

/* Identities cross the network in the clear, so finding one needs no constant time; keys are never
 * compared here. */
struct str tls_psks_find(const struct tls_psks *psks, struct str identity)
{
        const struct psk *psk = map_find(&psks->by_identity, identity);

        return psk != NULL ? str_from(psk->key, psk->key_len) : (struct str){ 0 };
}

void tls_psks_decoy(const struct tls_psks *psks, struct str identity,
                    unsigned char key[static PSK_KEY_MIN])
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        EVP_MD_CTX   *md = EVP_MD_CTX_new();

        if (md == NULL || !EVP_DigestInit_ex(md, EVP_sha256(), NULL) ||
            !EVP_DigestUpdate(md, psks->secret, sizeof psks->secret) ||
            !EVP_DigestUpdate(md, identity.ptr, identity.len) ||
            !EVP_DigestFinal_ex(md, digest, NULL))
                random_secret(digest, PSK_KEY_MIN);     /* no memory: one that nobody has, too */
        EVP_MD_CTX_free(md);
        memcpy(key, digest, PSK_KEY_MIN);
}
