/* The keys that session tickets are sealed with. Shared by all shards; every hour a new one, and
 * the two before it still open what they have sealed. */
#ifndef LINNET_NET_TLS_TICKET_H
#define LINNET_NET_TLS_TICKET_H

#include <openssl/ssl.h>

#include "rt/lock.h"

enum { TICKET_KEYS = 3, TICKET_KEY_MS = 3600000, TICKET_NAME_BYTES = 16, TICKET_KEY_BYTES = 32 };

struct tls_ticket_key {
        unsigned char name[TICKET_NAME_BYTES];
        unsigned char cipher[TICKET_KEY_BYTES];         /* AES-256 */
        unsigned char mac[TICKET_KEY_BYTES];            /* HMAC-SHA-256 */
        uint64_t      made_ms;
};

struct tls_tickets {
        struct lock           lock;
        struct tls_ticket_key keys[TICKET_KEYS];        /* the newest first; under the lock */
};

struct tls_tickets *tls_tickets_new(uint64_t now_ms);           /* NULL without memory */
void                tls_tickets_free(struct tls_tickets *tickets);      /* wiped */

/* The key to seal with, made now when the last one is an hour old. Any thread; wipe the copy. */
struct tls_ticket_key tls_tickets_newest(struct tls_tickets *tickets, uint64_t now_ms);

/* The key of that name into *key: 1 the newest, 2 an older one (seal anew), 0 unknown or over. */
int tls_tickets_find(struct tls_tickets *tickets, const unsigned char name[TICKET_NAME_BYTES],
                     uint64_t now_ms, struct tls_ticket_key *key);

/* What OpenSSL calls, for SSL_CTX_set_tlsext_ticket_key_evp_cb(), with the tickets found. */
int tls_tickets_use(struct tls_tickets *tickets, unsigned char *name, unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal);

#endif
