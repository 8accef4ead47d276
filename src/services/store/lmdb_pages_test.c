#include "services/store/lmdb_pages.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "services/store/engine.h"
#include "unit.h"

enum { PAGE = 4096, DAMAGES_PER_PAGE = 8 };

/* A store in a folder of its own, and its file. */
struct store {
        char folder[64], name[96];
        int  file;
};

static struct engine *open_engine(struct store *store)
{
        char           why[256] = "";
        struct engine *engine   = engine_lmdb_open(store->folder, false, why);

        EXPECT(engine != NULL, "%s", why);
        return engine;
}

static void store_init(struct store *store)
{
        snprintf(store->folder, sizeof store->folder, "/tmp/linnet-pages-XXXXXX");
        EXPECT(mkdtemp(store->folder) != NULL);
        snprintf(store->name, sizeof store->name, "%s/store/data.mdb", store->folder);

        struct engine *engine = open_engine(store);

        engine->ops->close(engine);
        store->file = open(store->name, O_RDWR | O_CLOEXEC);
        EXPECT(store->file >= 0);
}

static void store_deinit(struct store *store)
{
        char name[96];

        close(store->file);
        unlink(store->name);
        snprintf(name, sizeof name, "%s/store/lock", store->folder);
        unlink(name);
        snprintf(name, sizeof name, "%s/store", store->folder);
        rmdir(name);
        EXPECT_EQ(rmdir(store->folder), 0);
}

static void expect_holds(const struct store *store)
{
        struct lmdb_damage damage;

        EXPECT(lmdb_pages_hold(store->file, &damage), "page %" PRIu64 ": %s", damage.page,
               damage.what);
}

/* What brokers do, at random: records that come, change and go, bodies small and large. */
static void change_some(struct engine *engine, uint64_t *random, uint64_t count)
{
        static char     bytes[20000];
        static uint64_t last;
        char            key[ENGINE_GUID_KEY] = "";

        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
        for (uint64_t i = 0; i < count; i++) {
                uint64_t r = *random = hash_u64(*random + 1);
                uint64_t n = r % 4 == 0 ? ++last : (r >> 8) % (last + 1);

                if (r % 2 == 0) {
                        engine_record_key(n, key);
                        if (r % 4 == 0)
                                engine->ops->put(engine, ENGINE_RECORDS,
                                                 str_from(key, ENGINE_RECORD_KEY),
                                                 str_from(bytes, (r >> 32) % 200));
                        else
                                engine->ops->remove(engine, ENGINE_RECORDS,
                                                    str_from(key, ENGINE_RECORD_KEY));
                        continue;
                }

                size_t len = (r >> 32) % (r % 5 != 0 ? 700 : sizeof bytes);

                engine_guid_key((struct guid){ n, n }, key);
                if (r % 3 != 0)
                        engine->ops->put(engine, ENGINE_BODIES, str_from(key, ENGINE_GUID_KEY),
                                         str_from(bytes, len));
                else
                        engine->ops->remove(engine, ENGINE_BODIES, str_from(key, ENGINE_GUID_KEY));
        }
        EXPECT_EQ(engine->ops->commit(engine), ENGINE_OK);
}

TEST(a_store_in_use_holds)
{
        struct store   store;
        struct engine *engine;
        uint64_t       random = 1;

        store_init(&store);
        expect_holds(&store);
        engine = open_engine(&store);
        for (unsigned round = 0; round < 150; round++) {
                change_some(engine, &random, random % 300);
                if (round % 3 == 0)
                        expect_holds(&store);   /* between two commits */
        }
        engine->ops->close(engine);
        expect_holds(&store);
        store_deinit(&store);
}

/* Reads all, and adds and removes entries everywhere. */
static void use(struct engine *engine)
{
        char       from[512];
        struct str key, value;

        for (unsigned table = 0; table < ENGINE_TABLES; table++) {
                enum engine_result result;
                size_t             len = 0;

                while ((result = engine->ops->next(engine, (enum engine_table)table,
                                                   str_from(from, len), &key, &value)) ==
                               ENGINE_OK ||
                       result == ENGINE_DAMAGED) {
                        memcpy(from, key.ptr, key.len);
                        from[key.len] = '\0';
                        len           = key.len + 1;
                        if (hash_u64(value.len) % 3 == 0)
                                engine->ops->put(engine, (enum engine_table)table,
                                                 str_from(from, len), STR("more"));
                        else if (hash_u64(value.len) % 3 == 1)
                                engine->ops->remove(engine, (enum engine_table)table,
                                                    str_from(from, len - 1));
                }
        }
}

/* In a child: did it end by itself? */
static bool survives(const struct store *store)
{
        pid_t child = fork();
        int   status;

        if (child != 0) {
                EXPECT_EQ(waitpid(child, &status, 0), child);
                return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        signal(SIGSEGV, SIG_DFL);       /* cmocka has handlers */
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        alarm(30);

        char           why[256];
        struct engine *engine = engine_lmdb_open(store->folder, false, why);

        if (engine != NULL && engine->ops->begin(engine) == ENGINE_OK) {
                use(engine);
                if (engine->ops->commit(engine) == ENGINE_OK)
                        engine->ops->close(engine);
        }
        _exit(0);
}

static void damage(char *page, uint64_t how)
{
        if (how % 4 == 0)
                memset(page, 0xa5, PAGE);
        else if (how % 4 == 1)
                memset(page, 0, PAGE);
        else if (how % 4 == 2)          /* the header and the offsets of nodes */
                for (uint64_t n = 0; n < 3; n++)
                        page[hash_u64(how * 4 + n) % 64] ^= (char)(hash_u64(how + n) >> 8);
        else
                page[hash_u64(how) % PAGE] ^= (char)(1 << hash_u64(how) / PAGE % 8);
}

/* Whatever one puts into one of its pages: it does not hold, or it can be read and changed. */
TEST(what_holds_can_be_used)
{
        struct store       store;
        struct engine     *engine;
        struct lmdb_damage found;
        struct stat        status;
        uint64_t           random = 7, refused = 0;
        char               page[PAGE];

        store_init(&store);
        engine = open_engine(&store);
        for (unsigned round = 0; round < 3; round++)
                change_some(engine, &random, 60);
        engine->ops->close(engine);
        EXPECT_EQ(fstat(store.file, &status), 0);

        size_t size = (size_t)status.st_size;
        char  *all  = malloc(size);

        EXPECT_EQ(pread(store.file, all, size, 0), size);
        for (uint64_t i = 0; i < DAMAGES_PER_PAGE * size / PAGE; i++) {
                size_t at = i / DAMAGES_PER_PAGE * PAGE;

                memcpy(page, all + at, PAGE);
                damage(page, i);
                EXPECT_EQ(pwrite(store.file, page, PAGE, (off_t)at), PAGE);
                if (!lmdb_pages_hold(store.file, &found)) {
                        refused++;
                        EXPECT_EQ(pwrite(store.file, all + at, PAGE, (off_t)at), PAGE);
                        continue;
                }
                EXPECT(survives(&store), "damage %" PRIu64 " of page %zu", i, at / PAGE);
                EXPECT_EQ(pwrite(store.file, all, size, 0), size);
                EXPECT_EQ(ftruncate(store.file, (off_t)size), 0);
        }
        EXPECT(refused > 10);
        expect_holds(&store);
        EXPECT_EQ(ftruncate(store.file, (off_t)(size / PAGE / 2 * PAGE)), 0);
        EXPECT(!lmdb_pages_hold(store.file, &found) || survives(&store));
        free(all);
        store_deinit(&store);
}

TEST(what_is_not_lmdbs_is_foreign)
{
        static char        text[3 * PAGE] = "minutes of the meeting";
        struct store       store;
        struct lmdb_damage found;

        store_init(&store);
        EXPECT_EQ(pwrite(store.file, text, sizeof text, 0), sizeof text);
        EXPECT(!lmdb_pages_hold(store.file, &found) && found.foreign);
        EXPECT_EQ(ftruncate(store.file, 100), 0);
        EXPECT(!lmdb_pages_hold(store.file, &found) && found.foreign);
        EXPECT(!lmdb_pages_hold(-1, &found));
        store_deinit(&store);
}

/* ---- what can still be read ------------------------------------------------------------------ */

struct census {
        uint64_t count, digest;         /* of all keys and values, whatever their order */
};

static struct census count_all(struct engine *engine)
{
        struct census census = { 0 };
        struct str    key, value;

        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
        for (unsigned t = 0; t < ENGINE_TABLES; t++)
                for (bool first = true;
                     engine->ops->walk(engine, t, first, &key, &value) == ENGINE_OK;
                     first = false) {
                        struct hash_key secret = { t, 1 };

                        census.count++;
                        census.digest += hash_str(&secret, key) * 31 + hash_str(&secret, value);
                }
        engine->ops->abort(engine);
        engine->ops->close(engine);
        return census;
}

static struct census salvaged(const struct store *store)
{
        char           why[256] = "";
        struct engine *engine   = engine_salvage_open(store->folder, why);

        EXPECT(engine != NULL, "%s", why);
        return count_all(engine);
}

/* Writes over pages of that kind, one after the other, and mends it again. */
static void damage_each(const struct store *store, unsigned kind,
                        void (*see)(const struct store *, const struct census *),
                        const struct census *whole)
{
        char   page[PAGE], garbage[PAGE];
        off_t  size = lseek(store->file, 0, SEEK_END);
        struct lmdb_damage damage;
        unsigned           seen = 0;

        memset(garbage, 0xa5, sizeof garbage);
        for (off_t at = 2 * PAGE; at < size; at += PAGE) {
                EXPECT_EQ(pread(store->file, page, PAGE, at), PAGE);
                if (page[10] != (char)kind)
                        continue;
                EXPECT_EQ(pwrite(store->file, garbage, PAGE, at), PAGE);
                if (!lmdb_pages_hold(store->file, &damage)) {   /* it is in use */
                        seen++;
                        see(store, whole);
                }
                EXPECT_EQ(pwrite(store->file, page, PAGE, at), PAGE);
        }
        EXPECT(seen > 1, "there are such pages");
}

static void all_is_there(const struct store *store, const struct census *whole)
{
        struct census found = salvaged(store);

        EXPECT_EQ(found.count, whole->count);
        EXPECT_EQ(found.digest, whole->digest);
}

static void nearly_all_is_there(const struct store *store, const struct census *whole)
{
        struct census found = salvaged(store);

        EXPECT(found.count <= whole->count, "what had gone does not come back");
        EXPECT(found.count + PAGE / 16 > whole->count, "a page's entries at most are lost");
}

TEST(what_a_damaged_page_led_to_or_did_not_hold_is_read)
{
        enum { BRANCH = 1, LEAF = 2 };
        struct store   store;
        struct engine *engine;
        struct census  whole;
        uint64_t       random = 7;

        store_init(&store);
        engine = open_engine(&store);
        for (unsigned i = 0; i < 20; i++)
                change_some(engine, &random, 200);
        whole = count_all(engine);
        EXPECT(whole.count > 500);
        all_is_there(&store, &whole);
        damage_each(&store, BRANCH, all_is_there, &whole);
        damage_each(&store, LEAF, nearly_all_is_there, &whole);
        store_deinit(&store);
}

SUITE(lmdb_pages, CASE(a_store_in_use_holds), CASE(what_holds_can_be_used),
      CASE(what_is_not_lmdbs_is_foreign),
      CASE(what_a_damaged_page_led_to_or_did_not_hold_is_read))
