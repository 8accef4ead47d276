#include "services/auth/cache.h"

#include "unit.h"

static const uint8_t key[CACHE_TAG_SIZE] = { 1, 2, 3 };

static struct cache_tag tag_of(const struct cache *cache, const char *name, const char *secret_text,
                               const char *password)
{
        struct cache_tag tag;
        struct secret    secret;

        EXPECT(secret_parse(str_of(secret_text), &secret) == NULL);
        EXPECT(cache_tag(cache, str_of(name), &secret, str_of(password), &tag));
        return tag;
}

TEST(only_the_same_is_found)
{
        static const struct row {
                const char *name, *secret, *password;
                bool        found;
        } rows[] = {
                { "bob", "kept", "given", true },    { "bo", "kept", "given", false },
                { "bob", "kept2", "given", false },  { "bob", "kept", "givem", false },
                { "bobk", "ept", "given", false },   { "bob", "kept", "", false },
        };
        struct cache     *cache = cache_new(100, 1000, key);
        struct cache_tag  tag   = tag_of(cache, "bob", "kept", "given");
        const struct row *row;

        EXPECT(!cache_has(cache, &tag, 0));
        cache_put(cache, &tag, 0);
        EACH(rows, row)
        {
                tag = tag_of(cache, row->name, row->secret, row->password);
                EXPECT(cache_has(cache, &tag, 999) == row->found, "%s", row->name);
                EXPECT(!cache_has(cache, &tag, 1000));
        }
        cache_clear(cache);
        tag = tag_of(cache, "bob", "kept", "given");
        EXPECT(!cache_has(cache, &tag, 1));
        cache_free(cache);
}

TEST(the_newest_are_kept)
{
        struct cache *cache = cache_new(4, 1000, key);  /* one set */
        char          name[16];

        for (unsigned i = 0; i < 100; i++) {
                snprintf(name, sizeof name, "%u", i);

                struct cache_tag tag = tag_of(cache, name, "kept", "given");

                cache_put(cache, &tag, i);
                cache_put(cache, &tag, i);      /* takes no second place */
                for (unsigned back = 0; back <= i && back < 6; back++) {
                        snprintf(name, sizeof name, "%u", i - back);
                        tag = tag_of(cache, name, "kept", "given");
                        EXPECT_EQ(cache_has(cache, &tag, i), back < 4);
                }
        }
        cache_free(cache);
}

SUITE(cache, CASE(only_the_same_is_found), CASE(the_newest_are_kept))
