#include "net/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

static void make_key(struct tls_ticket_key *key, uint64_t now_ms)
{
        random_secret(key->name, sizeof key->name);
        random_secret(key->cipher, sizeof key->cipher);
        random_secret(key->mac, sizeof key->mac);
        key->made_ms = now_ms;
}

/* All are made at the start, so that no place is ever an empty key that one could guess. */
struct tls_tickets *tls_tickets_new(uint64_t now_ms) UNCHECKED
{
        struct tls_tickets *tickets = mem_zalloc(sizeof *tickets);

        if (tickets == NULL)
                return NULL;
        lock_init(&tickets->lock, LOCK_RANK_TICKETS);
        for (unsigned i = 0; i < TICKET_KEYS; i++)
                make_key(&tickets->keys[i], now_ms);
        return tickets;
}

void tls_tickets_free(struct tls_tickets *tickets) UNCHECKED
{
        if (tickets == NULL)
                return;
        lock_deinit(&tickets->lock);
        OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
        mem_free(tickets);
}

static void rotate(struct tls_tickets *tickets, uint64_t now_ms) HOLDS(tickets->lock)
{
        if (now_ms - tickets->keys[0].made_ms < TICKET_KEY_MS)
                return;
        memmove(tickets->keys + 1, tickets->keys, sizeof tickets->keys - sizeof tickets->keys[0]);
        make_key(&tickets->keys[0], now_ms);
}

struct tls_ticket_key tls_tickets_newest(struct tls_tickets *tickets, uint64_t now_ms)
{
        struct tls_ticket_key key;

        lock_take(&tickets->lock);
        rotate(tickets, now_ms);
        key = tickets->keys[0];
        lock_release(&tickets->lock);
        return key;
}

int tls_tickets_find(struct tls_tickets *tickets, const unsigned char name[TICKET_NAME_BYTES],
                     uint64_t now_ms, struct tls_ticket_key *key)
{
        int found = 0;

        lock_take(&tickets->lock);
        rotate(tickets, now_ms);
        for (int i = 0; i < TICKET_KEYS && found == 0; i++) {
                const struct tls_ticket_key *at = &tickets->keys[i];

                if (CRYPTO_memcmp(at->name, name, TICKET_NAME_BYTES) != 0 ||
                    now_ms - at->made_ms >= (uint64_t)TICKET_KEYS * TICKET_KEY_MS)
                        continue;
                *key  = *at;
                found = i == 0 ? 1 : 2;
        }
        lock_release(&tickets->lock);
        return found;
}

static int use_key(struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int seal)
{
        char       digest[] = "SHA256";
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_end(),
        };

        return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) &&
               EVP_MAC_CTX_set_params(mac, params);
}

int tls_tickets_use(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
        uint64_t              now_ms = clock_read().mono_ms;
        struct tls_ticket_key key    = { .made_ms = 0 };
        int                   found  = 1;

        if (seal) {
                key = tls_tickets_newest(tickets, now_ms);
                memcpy(name, key.name, TICKET_NAME_BYTES);
                if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
                        found = 0;
        } else {
                found = tls_tickets_find(tickets, name, now_ms, &key);
        }
        if (found > 0 && !use_key(&key, iv, cipher, mac, seal))
                found = -1;
        OPENSSL_cleanse(&key, sizeof key);
        return found;
}
