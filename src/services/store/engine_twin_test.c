/* LMDB and the twin in memory are asked for the same at random, and must agree: keys that ascend
 * and keys anywhere, values of all sizes, transactions that are given up. */
#include "services/store/engine.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "unit.h"

enum { KEYS = 3000, STEPS = 60000, STEPS_OF_TRANSACTION = 300, VALUE_MAX = 9000 };

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
        (void)stat;
        (void)kind;
        (void)where;
        return remove(path);
}

/* Runs that ascend, with a jump now and then. */
static uint64_t next_key(struct random *random, uint64_t before)
{
        return random_below(random, 8) == 0 ? random_below(random, KEYS) : (before + 1) % KEYS;
}

static struct str value_of(struct random *random)
{
        static char bytes[VALUE_MAX];
        size_t      len = random_below(random, 20) == 0 ? random_below(random, VALUE_MAX)
                                                        : random_below(random, 100);

        memset(bytes, 'a' + (int)random_below(random, 26), len);
        return str_from(bytes, len);
}

static enum engine_result step(struct engine *engine, unsigned what, struct str key,
                               struct str value, struct str *got)
{
        *got = (struct str){ 0 };
        switch (what) {
        case 0: return engine->ops->get(engine, ENGINE_RECORDS, key, got);
        case 1: return engine->ops->add(engine, ENGINE_RECORDS, key, value);
        case 2:
        case 3: return engine->ops->remove(engine, ENGINE_RECORDS, key);
        default: return engine->ops->put(engine, ENGINE_RECORDS, key, value);
        }
}

static void expect_same(struct engine *engines[2])
{
        char               from[ENGINE_RECORD_KEY] = { 0 };
        struct str         key[2], value[2];
        enum engine_result result;

        do {
                for (unsigned i = 0; i < 2; i++) {
                        enum engine_result was = result;

                        result = engines[i]->ops->next(engines[i], ENGINE_RECORDS,
                                                       str_from(from, sizeof from), &key[i],
                                                       &value[i]);
                        EXPECT(i == 0 || result == was);
                }
                if (result != ENGINE_OK)
                        continue;
                EXPECT(str_eq(key[0], key[1]) && str_eq(value[0], value[1]));
                engine_record_key(engine_record_key_of(key[0]) + 1, from);
        } while (result == ENGINE_OK);
        EXPECT_EQ(result, ENGINE_NONE);
}

static void transaction(struct engine *engines[2], struct random *random)
{
        uint64_t at = random_below(random, KEYS);

        for (unsigned i = 0; i < 2; i++)
                EXPECT_EQ(engines[i]->ops->begin(engines[i]), ENGINE_OK);
        for (unsigned n = 0; n < STEPS_OF_TRANSACTION; n++) {
                unsigned           what = (unsigned)random_below(random, 6);
                struct str         value = value_of(random), got[2];
                char               key[ENGINE_RECORD_KEY];
                enum engine_result results[2];

                at = next_key(random, at);
                engine_record_key(at, key);
                for (unsigned i = 0; i < 2; i++)
                        results[i] =
                                step(engines[i], what, str_from(key, sizeof key), value, &got[i]);
                EXPECT_EQ(results[0], results[1]);
                EXPECT(str_eq(got[0], got[1]));
        }
        if (random_below(random, 4) == 0)
                expect_same(engines);
        for (unsigned i = 0; i < 2; i++) {
                if (at % 3 == 0)
                        engines[i]->ops->abort(engines[i]);
                else
                        EXPECT_EQ(engines[i]->ops->commit(engines[i]), ENGINE_OK);
        }
}

TEST(lmdb_and_its_twin_agree)
{
        char           folder[] = "/tmp/linnet-twin-XXXXXX", why[256];
        struct vault  *vault = vault_new();
        struct random  random;
        struct engine *engines[2];

        EXPECT(mkdtemp(folder) != NULL);
        random_init(&random, 1);
        engines[0] = engine_lmdb_open(folder, false, why);
        engines[1] = engine_memory_open(vault);
        EXPECT(engines[0] != NULL && engines[1] != NULL, "%s", why);
        for (unsigned n = 0; n < STEPS / STEPS_OF_TRANSACTION; n++)
                transaction(engines, &random);
        for (unsigned i = 0; i < 2; i++)
                EXPECT_EQ(engines[i]->ops->begin(engines[i]), ENGINE_OK);
        expect_same(engines);
        for (unsigned i = 0; i < 2; i++)
                engines[i]->ops->close(engines[i]);
        vault_free(vault);
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

SUITE(engine_twin, CASE(lmdb_and_its_twin_agree))
