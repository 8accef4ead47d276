#include "services/auth/auth_cache.h"

#include <string.h>

#include "unit.h"

static struct auth_digest digest(const struct auth_cache *cache, unsigned number)
{
        char               text[16];
        struct auth_digest made;

        snprintf(text, sizeof text, "question %u", number);
        EXPECT(auth_cache_digest(cache, str_of(text), &made));
        return made;
}

static void keep(struct auth_cache *cache, unsigned number, enum access_verdict verdict,
                 uint64_t now_ms, uint32_t ttl_ms)
{
        struct auth_digest of     = digest(cache, number);
        struct auth_answer answer = { .verdict = verdict };

        auth_cache_keep(cache, &of, &answer, now_ms, ttl_ms);
}

static const struct auth_answer *look(struct auth_cache *cache, unsigned number, uint64_t now_ms)
{
        struct auth_digest of = digest(cache, number);

        return auth_cache_find(cache, &of, now_ms);
}

TEST(an_answer_is_remembered_for_its_time)
{
        struct auth_cache cache;

        auth_cache_init(&cache, 10);
        keep(&cache, 1, ACCESS_ALLOW, 100, 50);
        keep(&cache, 2, ACCESS_DENY, 100, 10);
        keep(&cache, 3, ACCESS_DENY, 100, 0);
        EXPECT(look(&cache, 0, 100) == NULL);
        EXPECT_EQ(look(&cache, 1, 149)->verdict, ACCESS_ALLOW);
        EXPECT_EQ(look(&cache, 2, 109)->verdict, ACCESS_DENY);
        EXPECT(look(&cache, 2, 110) == NULL);
        EXPECT(look(&cache, 3, 100) == NULL);
        EXPECT(look(&cache, 1, 150) == NULL);
        EXPECT_EQ(cache.entries.count, 0);
        auth_cache_deinit(&cache);
}

TEST(the_least_used_goes_first)
{
        struct auth_cache cache;

        auth_cache_init(&cache, 3);
        for (unsigned i = 0; i < 3; i++)
                keep(&cache, i, ACCESS_ALLOW, 0, 100);
        EXPECT(look(&cache, 0, 1) != NULL);
        keep(&cache, 3, ACCESS_ALLOW, 1, 100);
        EXPECT(look(&cache, 1, 1) == NULL);
        EXPECT(look(&cache, 0, 1) != NULL && look(&cache, 2, 1) != NULL);
        keep(&cache, 2, ACCESS_DENY, 1, 100);           /* in its own place */
        EXPECT_EQ(cache.entries.count, 3);
        EXPECT_EQ(look(&cache, 2, 1)->verdict, ACCESS_DENY);
        auth_cache_deinit(&cache);
}

TEST(permissions_are_shared)
{
        struct auth_cache        cache;
        struct auth_answer       answer = { .verdict = ACCESS_ALLOW, .permissions = json_object() };
        const struct auth_answer *found;

        auth_cache_init(&cache, 1);

        struct auth_digest of = digest(&cache, 1);

        auth_cache_keep(&cache, &of, &answer, 0, 10);
        json_decref(answer.permissions);
        found = look(&cache, 1, 0);
        EXPECT(found != NULL && json_is_object(found->permissions));
        auth_cache_deinit(&cache);
}

TEST(digests_are_secret)
{
        struct auth_cache  one, other;
        struct auth_digest a, b;

        auth_cache_init(&one, 0);
        auth_cache_init(&other, 0);
        a = digest(&one, 1);
        b = digest(&other, 1);
        EXPECT(memcmp(&a, &b, sizeof a) != 0);
        b = digest(&one, 2);
        EXPECT(memcmp(&a, &b, sizeof a) != 0);
        b = digest(&one, 1);
        EXPECT(memcmp(&a, &b, sizeof a) == 0);
        keep(&one, 1, ACCESS_ALLOW, 0, 100);            /* a cache that is off */
        EXPECT(look(&one, 1, 0) == NULL);
        auth_cache_deinit(&one);
        auth_cache_deinit(&other);
}

SUITE(auth_cache, CASE(an_answer_is_remembered_for_its_time), CASE(the_least_used_goes_first),
      CASE(permissions_are_shared), CASE(digests_are_secret))
