#include "services/auth/cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/memory.h"

enum { WAYS = 4 };

struct entry {
        struct cache_tag tag;
        uint64_t         until_ms;      /* 0: free */
};

struct cache {
        uint8_t      key[CACHE_TAG_SIZE];
        uint64_t     ttl_ms;
        uint32_t     sets;
        struct entry entries[];         /* [sets * WAYS] */
};

struct cache *cache_new(uint32_t entries, uint64_t ttl_ms, const uint8_t key[static CACHE_TAG_SIZE])
{
        uint32_t      sets  = entries / WAYS + (entries % WAYS != 0);
        struct cache *cache = mem_zalloc(sizeof *cache +
                                         (size_t)sets * WAYS * sizeof cache->entries[0]);

        if (cache == NULL)
                return NULL;
        memcpy(cache->key, key, CACHE_TAG_SIZE);
        cache->ttl_ms = ttl_ms;
        cache->sets   = sets;
        return cache;
}

void cache_free(struct cache *cache)
{
        if (cache == NULL)
                return;
        OPENSSL_cleanse(cache->key, CACHE_TAG_SIZE);
        mem_free(cache);
}

static bool add(EVP_MD_CTX *digest, struct str part)
{
        uint64_t len = part.len;        /* before it, so that no two lists of parts look alike */

        return EVP_DigestUpdate(digest, &len, sizeof len) &&
               EVP_DigestUpdate(digest, part.ptr, part.len);
}

bool cache_tag(const struct cache *cache, struct str name, const struct secret *secret,
               struct str password, struct cache_tag *out)
{
        EVP_MD_CTX *digest = EVP_MD_CTX_new();
        uint8_t     all[CACHE_TAG_SIZE];
        bool        good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) &&
                    add(digest, name) && add(digest, str_from(secret->salt, secret->salt_len)) &&
                    add(digest, str_from(secret->hash, secret->hash_len)) &&
                    add(digest, password) && EVP_DigestFinal_ex(digest, all, NULL) &&
                    HMAC(EVP_sha256(), cache->key, CACHE_TAG_SIZE, all, sizeof all, out->bytes,
                         NULL) != NULL;

        EVP_MD_CTX_free(digest);
        OPENSSL_cleanse(all, sizeof all);
        return good;
}

static struct entry *set_of(const struct cache *cache, const struct cache_tag *tag)
{
        uint64_t hash;

        memcpy(&hash, tag->bytes, sizeof hash);
        return (struct entry *)&cache->entries[hash % cache->sets * WAYS];
}

bool cache_has(const struct cache *cache, const struct cache_tag *tag, uint64_t now_ms)
{
        const struct entry *set   = set_of(cache, tag);
        bool                found = false;

        for (unsigned i = 0; i < WAYS; i++)
                found |= set[i].until_ms > now_ms &&
                         CRYPTO_memcmp(set[i].tag.bytes, tag->bytes, CACHE_TAG_SIZE) == 0;
        return found;
}

void cache_put(struct cache *cache, const struct cache_tag *tag, uint64_t now_ms)
{
        struct entry *set = set_of(cache, tag), *to = set;

        for (unsigned i = 0; i < WAYS; i++) {
                if (CRYPTO_memcmp(set[i].tag.bytes, tag->bytes, CACHE_TAG_SIZE) == 0) {
                        to = &set[i];
                        break;
                }
                if (set[i].until_ms < to->until_ms)
                        to = &set[i];
        }
        *to = (struct entry){ *tag, now_ms + cache->ttl_ms };
}

void cache_clear(struct cache *cache)
{
        for (uint32_t i = 0; i < cache->sets * WAYS; i++)
                cache->entries[i].until_ms = 0;
}
