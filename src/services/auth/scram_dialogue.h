/* One SCRAM-SHA-256 dialogue on the server's side (RFC 5802, section 3), as data:
 *
 *      client  n,,n=user,r=fyko                    scram_hear_first()
 *      server  r=fyko3rfc,s=QSXC...,i=4096         scram_say_first()
 *      client  c=biws,r=fyko3rfc,p=dHzb...         scram_hear_last()
 *      server  v=6rri...                           scram_say_last()
 */
#ifndef LINNET_SERVICES_AUTH_SCRAM_DIALOGUE_H
#define LINNET_SERVICES_AUTH_SCRAM_DIALOGUE_H

#include "base/buffer.h"
#include "services/auth/scram_secret.h"

enum { SCRAM_NONCE_SIZE = 25, SCRAM_MESSAGE_MAX = 4096 };

struct scram_dialogue {
        struct buffer said;             /* client-first-bare "," server-first */
        struct buffer user;
        struct buffer nonce;            /* of both */
        char          gs2[4];           /* "n,,", which the client repeats */
        uint8_t       auth_mac[SCRAM_KEY_SIZE];
        char          out[4 + SCRAM_SALT_MAX * 2];      /* the last word */
};

void scram_dialogue_deinit(struct scram_dialogue *dialogue);    /* wipes it */

/* NULL, or why it cannot go on, in static storage. */
const char *scram_hear_first(struct scram_dialogue *dialogue, struct str message);

/* `nonce`: printable, without a comma, never used before. An empty answer: no memory. */
struct str scram_say_first(struct scram_dialogue *dialogue, const struct scram_secret *secret,
                           struct str nonce);

/* Whether the client has proven the password; NULL, or why not. Takes as long whatever it is. */
const char *scram_hear_last(struct scram_dialogue *dialogue, const struct scram_secret *secret,
                            struct str message);
struct str scram_say_last(const struct scram_dialogue *dialogue);

#endif
