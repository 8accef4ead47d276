/* Who has proven a password of late, so that devices that come back all at once do not cost a hash
 * each. A shard's own: a client identifier is at home on one. It keeps no password but a MAC of
 * name, kept secret and password, under a key of the process; what differs in any of them is not
 * there. Bounded; the oldest of a set makes room. */
#ifndef LINNET_SERVICES_AUTH_CACHE_H
#define LINNET_SERVICES_AUTH_CACHE_H

#include "base/str.h"
#include "services/auth/secret.h"

enum { CACHE_TAG_SIZE = 32 };

struct cache;

struct cache_tag {
        uint8_t bytes[CACHE_TAG_SIZE];
};

/* Room for about `entries`, each for `ttl_ms`. NULL without memory. */
struct cache *cache_new(uint32_t entries, uint64_t ttl_ms,
                        const uint8_t key[static CACHE_TAG_SIZE]);
void          cache_free(struct cache *cache);          /* NULL is nothing */

/* False when it could not be computed: then nothing is known, and nothing kept. */
bool cache_tag(const struct cache *cache, struct str name, const struct secret *secret,
               struct str password, struct cache_tag *out);

bool cache_has(const struct cache *cache, const struct cache_tag *tag, uint64_t now_ms);
void cache_put(struct cache *cache, const struct cache_tag *tag, uint64_t now_ms);
void cache_clear(struct cache *cache);

#endif
