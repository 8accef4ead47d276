/* Access providers in memory, for tests: a table of users, an access list of topics, and the
 * enhanced method TEST-CHALLENGE. What they put off they answer from the shard's timer wheel. */
#ifndef LINNET_TEST_HARNESS_AUTHENTICATOR_H
#define LINNET_TEST_HARNESS_AUTHENTICATOR_H

#include "core/shard.h"

enum { AUTHENTICATOR_DELAY_MS = 500, AUTHENTICATOR_LASTS_MS = 5000 };

enum authenticator_part {
        AUTHENTICATOR_USERS    = 1,     /* alice/secret, bob/builder, carol/briefly; no others */
        AUTHENTICATOR_TOPICS   = 2,     /* forbidden/ no; slow/, later-no/, never/ put off */
        AUTHENTICATOR_EXCHANGE = 4,     /* TEST-CHALLENGE: hello, what is 6 times 7, 42, welcome;
                                         * briefly: for 5 seconds, as carol; mallory: as that
                                         * user, whatever CONNECT said */
        AUTHENTICATOR_LATE     = 8,     /* users and exchange are put off too */
        AUTHENTICATOR_NEVER    = 16,    /* users and exchange are put off for good */
};

struct authenticator {
        unsigned parts;
        unsigned owed;          /* answers; of all shards, which one thread turns */
};

/* "users", "topics", "exchange", "late", "never", joined by commas; false for another word. */
bool authenticator_parse(struct authenticator *authenticator, struct str words);

/* Before the shards start; the authenticator must outlive the broker. False without memory. */
bool authenticator_add(struct broker *broker, void *authenticator);

#endif
