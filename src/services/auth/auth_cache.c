#include "services/auth/auth_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/memory.h"
#include "base/random.h"

struct entry {
        struct auth_digest digest;
        struct auth_answer answer;
        struct list        in_used;
        uint64_t           until_ms;
};

static struct str digest_of(const void *value)
{
        const struct entry *entry = value;

        return str_from(entry->digest.bytes, sizeof entry->digest.bytes);
}

void auth_cache_init(struct auth_cache *cache, uint32_t max)
{
        struct hash_key key;

        random_secret(cache->key, sizeof cache->key);
        random_secret(&key, sizeof key);
        map_init(&cache->entries, digest_of, key);
        list_init(&cache->used);
        cache->max = max;
}

static void forget(struct auth_cache *cache, struct entry *entry)
{
        map_remove(&cache->entries, digest_of(entry));
        list_remove(&entry->in_used);
        json_decref(entry->answer.permissions);
        mem_free(entry);
}

void auth_cache_clear(struct auth_cache *cache)
{
        while (!list_empty(&cache->used))
                forget(cache, list_entry(cache->used.next, struct entry, in_used));
}

void auth_cache_deinit(struct auth_cache *cache)
{
        auth_cache_clear(cache);
        map_deinit(&cache->entries);
        OPENSSL_cleanse(cache->key, sizeof cache->key);
}

bool auth_cache_digest(const struct auth_cache *cache, struct str question,
                       struct auth_digest *digest)
{
        return HMAC(EVP_sha256(), cache->key, sizeof cache->key,
                    (const unsigned char *)question.ptr, question.len, digest->bytes,
                    NULL) != NULL;
}

static struct entry *find(const struct auth_cache *cache, const struct auth_digest *digest)
{
        return map_find(&cache->entries, str_from(digest->bytes, sizeof digest->bytes));
}

const struct auth_answer *auth_cache_find(struct auth_cache *cache,
                                          const struct auth_digest *digest, uint64_t now_ms)
{
        struct entry *entry = find(cache, digest);

        if (entry == NULL)
                return NULL;
        if (now_ms >= entry->until_ms) {
                forget(cache, entry);
                return NULL;
        }
        list_remove(&entry->in_used);
        list_push_back(&cache->used, &entry->in_used);
        return &entry->answer;
}

void auth_cache_keep(struct auth_cache *cache, const struct auth_digest *digest,
                     const struct auth_answer *answer, uint64_t now_ms, uint32_t ttl_ms)
{
        struct entry *entry = find(cache, digest);

        if (entry != NULL)
                forget(cache, entry);
        if (ttl_ms == 0 || cache->max == 0)
                return;
        if (cache->entries.count >= cache->max)
                forget(cache, list_entry(cache->used.next, struct entry, in_used));
        entry = mem_zalloc(sizeof *entry);
        if (entry == NULL)
                return;
        entry->digest   = *digest;
        entry->answer   = *answer;
        entry->until_ms = now_ms + ttl_ms;
        if (!map_add(&cache->entries, entry)) {
                mem_free(entry);
                return;
        }
        json_incref(entry->answer.permissions);
        list_push_back(&cache->used, &entry->in_used);
}
