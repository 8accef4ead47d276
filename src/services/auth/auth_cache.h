/* Answers that are remembered for a while, by a digest of the question that was keyed with a
 * secret of the process: no password lies in memory, nor anything that one could be tried against.
 * Bounded: the answer that was used least recently goes. One shard's. */
#ifndef LINNET_SERVICES_AUTH_AUTH_CACHE_H
#define LINNET_SERVICES_AUTH_AUTH_CACHE_H

#include <jansson.h>

#include "base/list.h"
#include "base/map.h"
#include "core/access.h"

enum { AUTH_DIGEST_BYTES = 32 };

struct auth_digest {
        unsigned char bytes[AUTH_DIGEST_BYTES];
};

/* What was answered. */
struct auth_answer {
        enum access_verdict verdict;
        bool                superuser;
        uint64_t            until_us;           /* wall time at which it ends; 0: never */
        json_t             *permissions;        /* a reference; NULL: none were given */
};

struct auth_cache {
        unsigned char key[AUTH_DIGEST_BYTES];   /* the secret */
        struct map    entries;                  /* by digest */
        struct list   used;                     /* the same, least recently first */
        uint32_t      max;                      /* 0: nothing is remembered */
};

void auth_cache_init(struct auth_cache *cache, uint32_t max);
void auth_cache_deinit(struct auth_cache *cache);
void auth_cache_clear(struct auth_cache *cache);

/* False without memory. */
bool auth_cache_digest(const struct auth_cache *cache, struct str question,
                       struct auth_digest *digest);

/* NULL when it is not there, or its time is over. Holds until the cache is next changed. */
const struct auth_answer *auth_cache_find(struct auth_cache *cache,
                                          const struct auth_digest *digest, uint64_t now_ms);

/* Keeps a reference of its own to the permissions. Nothing without memory, or for no time. */
void auth_cache_keep(struct auth_cache *cache, const struct auth_digest *digest,
                     const struct auth_answer *answer, uint64_t now_ms, uint32_t ttl_ms);

#endif
