/* Pre-shared keys: a file of lines `identity:hexkey`. Immutable once read. */
#ifndef LINNET_NET_TLS_PSK_H
#define LINNET_NET_TLS_PSK_H

#include "base/str.h"

enum {
        PSK_IDENTITY_MAX = 255,         /* bytes */
        PSK_KEY_MIN      = 16,          /* bytes: what can be guessed is no key */
        PSK_KEY_MAX      = 64,
        PSK_WHY_SIZE     = 1024,
};

struct tls_psks;

/* NULL, and `why` names the line and what is wrong with it. */
struct tls_psks *tls_psks_read(const char *file, char why[static PSK_WHY_SIZE]);
void             tls_psks_free(struct tls_psks *psks);  /* wiped; NULL is nothing */

/* The key of an identity; ptr NULL when there is none. */
struct str tls_psks_find(const struct tls_psks *psks, struct str identity);

/* A key that nobody has, the same each time for one identity: for who is not known, so that the
 * handshake fails as one with a wrong key does. */
void tls_psks_decoy(const struct tls_psks *psks, struct str identity,
                    unsigned char key[static PSK_KEY_MIN]);

#endif
