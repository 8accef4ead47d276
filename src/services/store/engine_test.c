/* One set of cases for both engines: what holds for one must hold for its twin. Length: so that one
 * cannot be tested without the other. */
#include "services/store/engine.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

enum { KINDS = 2, FILE_MAX = 1 << 20, PATH_SIZE = 64, BIG = 1 << 20, BIG_COUNT = 80 };

/* What outlives an engine: a vault, or a folder. */
struct disk {
        struct vault *vault;
        char          folder[PATH_SIZE];
};

static void disk_init(struct disk *disk, unsigned kind)
{
        *disk = (struct disk){ .folder = "/tmp/linnet-engine-XXXXXX" };
        if (kind == 0)
                disk->vault = vault_new();
        else
                EXPECT(mkdtemp(disk->folder) != NULL);
}

static const char *in(const struct disk *disk, const char *name)
{
        static char path[PATH_SIZE + 32];

        snprintf(path, sizeof path, "%s/%s", disk->folder, name);
        return path;
}

static void disk_deinit(struct disk *disk)
{
        if (disk->vault != NULL) {
                vault_free(disk->vault);
                return;
        }
        unlink(in(disk, "store/data.mdb"));
        unlink(in(disk, "store/lock"));
        rmdir(in(disk, "store"));
        EXPECT(rmdir(disk->folder) == 0, "nothing else was made");
}

static struct engine *open_disk(struct disk *disk)
{
        char           why[256] = "";
        struct engine *engine   = disk->vault != NULL ? engine_memory_open(disk->vault)
                                                      : engine_lmdb_open(disk->folder, false, why);

        EXPECT(engine != NULL, "%s", why);
        return engine;
}

static struct engine *reopen(struct disk *disk, struct engine *engine)
{
        engine->ops->close(engine);
        return open_disk(disk);
}

static void close_it(struct engine *engine)
{
        engine->ops->close(engine);
}

static void begin(struct engine *engine)
{
        EXPECT_EQ(engine->ops->begin(engine), ENGINE_OK);
}

static void commit(struct engine *engine)
{
        EXPECT_EQ(engine->ops->commit(engine), ENGINE_OK);
}

static void put(struct engine *engine, enum engine_table table, const char *key, const char *value)
{
        EXPECT_EQ(engine->ops->put(engine, table, str_of(key), str_of(value)), ENGINE_OK);
}

/* NULL: there is none. */
static void expect_stored(struct engine *engine, enum engine_table table, const char *key,
                         const char *expected)
{
        struct str         value  = { 0 };
        enum engine_result result = engine->ops->get(engine, table, str_of(key), &value);

        EXPECT_EQ(result, expected != NULL ? ENGINE_OK : ENGINE_NONE);
        EXPECT(expected == NULL || str_eq(value, str_of(expected)), "%s: %s is %.*s, not %s",
               engine->ops->name, key, STR_ARGS(value), expected);
}

/* The keys from that one on, as they follow: one letter each. */
static void expect_keys(struct engine *engine, enum engine_table table, const char *from,
                        const char *expected)
{
        char       found[64] = "", start[8];
        struct str key, value;

        snprintf(start, sizeof start, "%s", from);
        while (engine->ops->next(engine, table, str_of(start), &key, &value) == ENGINE_OK) {
                EXPECT_EQ(key.len, 1);
                strncat(found, key.ptr, 1);
                snprintf(start, sizeof start, "%c", key.ptr[0] + 1);
        }
        EXPECT(strcmp(found, expected) == 0, "%s: %s from %s, not %s", engine->ops->name, found,
               from, expected);
        found[0] = '\0';
        for (bool first = true; engine->ops->walk(engine, table, first, &key, &value) == ENGINE_OK;
             first      = false)
                strncat(found, key.ptr, 1);
        EXPECT(strstr(found, expected) != NULL, "%s: the walk sees %s", engine->ops->name, found);
}

/* ---- both engines ---------------------------------------------------------------------------- */

TEST(what_is_put_is_there_in_order)
{
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct disk    disk;
                struct engine *engine;

                disk_init(&disk, kind);
                engine = open_disk(&disk);
                begin(engine);
                put(engine, ENGINE_RECORDS, "m", "1");
                put(engine, ENGINE_RECORDS, "z", "2");
                put(engine, ENGINE_RECORDS, "b", "");
                put(engine, ENGINE_RECORDS, "p", "3");
                put(engine, ENGINE_BODIES, "m", "of another table");
                expect_stored(engine, ENGINE_RECORDS, "m", "1");
                expect_stored(engine, ENGINE_RECORDS, "b", "");
                expect_stored(engine, ENGINE_RECORDS, "a", NULL);
                expect_stored(engine, ENGINE_REFS, "m", NULL);
                expect_keys(engine, ENGINE_RECORDS, "", "bmpz");
                expect_keys(engine, ENGINE_RECORDS, "b", "bmpz");
                expect_keys(engine, ENGINE_RECORDS, "c", "mpz");
                expect_keys(engine, ENGINE_RECORDS, "{", "");
                expect_keys(engine, ENGINE_ASIDE, "", "");
                put(engine, ENGINE_RECORDS, "m", "instead, and longer");
                EXPECT_EQ(engine->ops->remove(engine, ENGINE_RECORDS, STR("p")), ENGINE_OK);
                EXPECT_EQ(engine->ops->remove(engine, ENGINE_RECORDS, STR("p")), ENGINE_NONE);
                expect_stored(engine, ENGINE_RECORDS, "m", "instead, and longer");
                expect_keys(engine, ENGINE_RECORDS, "", "bmz");
                commit(engine);
                engine = reopen(&disk, engine);
                begin(engine);
                expect_keys(engine, ENGINE_RECORDS, "", "bmz");
                expect_stored(engine, ENGINE_RECORDS, "m", "instead, and longer");
                expect_stored(engine, ENGINE_BODIES, "m", "of another table");
                EXPECT(engine->ops->bytes(engine) > 0);
                engine->ops->close(engine);
                disk_deinit(&disk);
        }
}

/* By an abort, and by the end of the process in the middle of a transaction. */
TEST(what_is_not_committed_was_never_there)
{
        for (unsigned kind = 0; kind < 2 * KINDS; kind++) {
                bool           ends = kind >= KINDS;
                struct disk    disk;
                struct engine *engine;

                disk_init(&disk, kind % KINDS);
                engine = open_disk(&disk);
                begin(engine);
                put(engine, ENGINE_RECORDS, "a", "old");
                put(engine, ENGINE_RECORDS, "b", "old");
                put(engine, ENGINE_RECORDS, "c", "old");
                commit(engine);
                begin(engine);
                put(engine, ENGINE_RECORDS, "a", "new");
                put(engine, ENGINE_RECORDS, "a", "newer");
                engine->ops->remove(engine, ENGINE_RECORDS, STR("b"));
                put(engine, ENGINE_RECORDS, "b", "again");
                engine->ops->remove(engine, ENGINE_RECORDS, STR("b"));
                put(engine, ENGINE_RECORDS, "d", "new");
                engine->ops->remove(engine, ENGINE_RECORDS, STR("d"));
                engine->ops->remove(engine, ENGINE_RECORDS, STR("c"));
                put(engine, ENGINE_BODIES, "e", "new");
                expect_keys(engine, ENGINE_RECORDS, "", "a");
                if (!ends)
                        engine->ops->abort(engine);
                engine = reopen(&disk, engine);
                begin(engine);
                expect_keys(engine, ENGINE_RECORDS, "", "abc");
                expect_keys(engine, ENGINE_BODIES, "", "");
                expect_stored(engine, ENGINE_RECORDS, "a", "old");
                expect_stored(engine, ENGINE_RECORDS, "b", "old");
                expect_stored(engine, ENGINE_RECORDS, "c", "old");
                engine->ops->abort(engine);
                engine->ops->close(engine);
                disk_deinit(&disk);
        }
}

static char *read_file(const struct disk *disk, size_t *size)
{
        int     fd    = open(in(disk, "store/data.mdb"), O_RDONLY | O_CLOEXEC);
        char   *bytes = mem_alloc(FILE_MAX);
        ssize_t got   = pread(fd, bytes, FILE_MAX, 0);

        EXPECT(got > 0 && got < FILE_MAX);
        close(fd);
        *size = (size_t)got;
        return bytes;
}

/* Changes the byte at `at` of what is found in the file, wherever it is; counts how often. */
static unsigned damage_file(const struct disk *disk, struct str what, size_t at)
{
        unsigned    count = 0;
        size_t      size;
        char       *bytes = read_file(disk, &size);
        const char *found = bytes;
        int         fd    = open(in(disk, "store/data.mdb"), O_WRONLY | O_CLOEXEC);

        while ((found = memmem(found, size - (size_t)(found - bytes), what.ptr, what.len))) {
                char byte = (char)(found[at] ^ 0x40);

                EXPECT_EQ(pwrite(fd, &byte, 1, found - bytes + (off_t)at), 1);
                count++;
                found++;
        }
        close(fd);
        mem_free(bytes);
        return count;
}

TEST(a_damaged_value_is_found_out)
{
        for (unsigned kind = 0; kind < KINDS; kind++) {
                struct disk    disk;
                struct engine *engine;
                struct str     key, value;

                disk_init(&disk, kind);
                engine = open_disk(&disk);
                begin(engine);
                put(engine, ENGINE_RECORDS, "a", "a value to be left alone");
                put(engine, ENGINE_RECORDS, "b", "a value that the disk has lost");
                commit(engine);
                engine->ops->close(engine);
                if (kind == 0)
                        EXPECT(vault_damage(disk.vault, ENGINE_RECORDS, STR("b"), 13));
                else
                        EXPECT(damage_file(&disk, STR("a value that the disk has lost"), 13) > 0);
                EXPECT(kind != 0 || !vault_damage(disk.vault, ENGINE_RECORDS, STR("b"), 30));
                EXPECT(kind != 0 || !vault_damage(disk.vault, ENGINE_RECORDS, STR("c"), 0));
                engine = open_disk(&disk);
                begin(engine);
                expect_stored(engine, ENGINE_RECORDS, "a", "a value to be left alone");
                EXPECT_EQ(engine->ops->get(engine, ENGINE_RECORDS, STR("b"), &value),
                          ENGINE_DAMAGED);
                EXPECT_EQ(engine->ops->next(engine, ENGINE_RECORDS, STR("b"), &key, &value),
                          ENGINE_DAMAGED);
                EXPECT(str_eq(key, STR("b")), "it shows its key");
                EXPECT_EQ(value.len, 30);
                EXPECT(memcmp(value.ptr, "a value that ", 13) == 0, "and what is left of it");
                EXPECT_EQ(engine->ops->walk(engine, ENGINE_RECORDS, true, &key, &value), ENGINE_OK);
                EXPECT_EQ(engine->ops->walk(engine, ENGINE_RECORDS, false, &key, &value),
                          ENGINE_DAMAGED);
                EXPECT_EQ(engine->ops->remove(engine, ENGINE_RECORDS, STR("b")), ENGINE_OK);
                put(engine, ENGINE_RECORDS, "b", "well again");
                expect_stored(engine, ENGINE_RECORDS, "b", "well again");
                commit(engine);
                engine->ops->close(engine);
                disk_deinit(&disk);
        }
}

TEST(a_full_vault_takes_nothing_until_there_is_room)
{
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 0);
        engine = open_disk(&disk);
        vault_fill_after(disk.vault, 1);
        begin(engine);
        put(engine, ENGINE_RECORDS, "a", "1");
        commit(engine);
        for (unsigned i = 0; i < 3; i++) {
                begin(engine);
                put(engine, ENGINE_RECORDS, "b", "2");
                EXPECT_EQ(engine->ops->commit(engine), ENGINE_FULL);
                EXPECT(engine->why[0] != '\0', "it says why");
        }
        begin(engine);
        expect_keys(engine, ENGINE_RECORDS, "", "a");
        engine->ops->abort(engine);
        vault_fill_after(disk.vault, UINT64_MAX);
        begin(engine);
        put(engine, ENGINE_RECORDS, "b", "2");
        commit(engine);
        begin(engine);
        expect_keys(engine, ENGINE_RECORDS, "", "ab");
        engine->ops->close(engine);
        disk_deinit(&disk);
}

/* Without memory a change fails, and the transaction can be undone. */
TEST(a_vault_without_memory_stays_as_it_was)
{
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 0);
        engine = open_disk(&disk);
        begin(engine);
        put(engine, ENGINE_RECORDS, "a", "1");
        commit(engine);
        for (int64_t after = 0; after < 3; after++) {
                begin(engine);
                mem_fail_after(after);
                for (char letter = 'b'; letter <= 'd'; letter++) {
                        enum engine_result result =
                                engine->ops->put(engine, ENGINE_BODIES, str_from(&letter, 1),
                                                 STR("x"));

                        EXPECT(result == ENGINE_OK || result == ENGINE_FAILED);
                }
                EXPECT(mem_failures() > 0);
                mem_fail_after(-1);
                engine->ops->abort(engine);
                begin(engine);
                expect_keys(engine, ENGINE_RECORDS, "", "a");
                expect_keys(engine, ENGINE_BODIES, "", "");
                engine->ops->abort(engine);
        }
        engine->ops->close(engine);
        disk_deinit(&disk);
}

TEST(keys_sort_as_their_numbers)
{
        static const uint64_t rising[] = { 0, 1, 255, 256, 1024, UINT32_MAX, 1ull << 63,
                                           UINT64_MAX };
        const uint64_t       *number;
        struct guid           guid = { 0x0102030405060708, 0x1112131415161718 }, back;
        char                  before[ENGINE_RECORD_KEY], key[ENGINE_RECORD_KEY];
        char                  bytes[ENGINE_GUID_KEY];

        EACH(rising, number) {
                engine_record_key(*number, key);
                EXPECT(engine_record_key_of(str_from(key, sizeof key)) == *number);
                EXPECT(number == rising || memcmp(before, key, sizeof key) < 0);
                memcpy(before, key, sizeof key);
        }
        engine_guid_key(guid, bytes);
        back = engine_guid_of(str_from(bytes, sizeof bytes));
        EXPECT(guid_compare(guid, back) == 0);
        EXPECT_EQ(engine_record_key_of(STR("short")), 0);
        EXPECT_EQ(engine_guid_of(STR("short")).time_us, 0);
}

/* ---- LMDB alone ------------------------------------------------------------------------------ */

static void put_big(struct engine *engine, unsigned i, struct str value)
{
        char key[ENGINE_RECORD_KEY];

        engine_record_key(i, key);
        for (unsigned grown = 0;; grown++) {
                enum engine_result result;

                begin(engine);
                result = engine->ops->put(engine, ENGINE_BODIES, str_from(key, sizeof key), value);
                if (result == ENGINE_OK)
                        result = engine->ops->commit(engine);
                else
                        engine->ops->abort(engine);
                if (result == ENGINE_OK)
                        return;
                EXPECT_EQ(result, ENGINE_GROW);
                EXPECT(grown < 3, "growing helps");
                EXPECT_EQ(engine->ops->grow(engine), ENGINE_OK);
        }
}

TEST(a_store_grows_past_its_first_size)
{
        char          *bytes = mem_zalloc(BIG);
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 1);
        engine = open_disk(&disk);
        for (unsigned i = 0; i < BIG_COUNT; i++) {
                bytes[i] = 1;
                put_big(engine, i, str_from(bytes, BIG));
        }
        EXPECT(engine->ops->bytes(engine) > (uint64_t)BIG * BIG_COUNT);
        engine = reopen(&disk, engine);
        begin(engine);
        for (unsigned i = BIG_COUNT; i-- > 0;) {
                char       key[ENGINE_RECORD_KEY];
                struct str value;

                engine_record_key(i, key);
                EXPECT_EQ(engine->ops->get(engine, ENGINE_BODIES, str_from(key, sizeof key),
                                           &value), ENGINE_OK);
                EXPECT(str_eq(value, str_from(bytes, BIG)), "value %u", i);
                bytes[i] = 0;
        }
        engine->ops->close(engine);
        mem_free(bytes);
        disk_deinit(&disk);
}

/* What open says, in one sentence. */
static void expect_refused(const struct disk *disk, const char *expected)
{
        char           why[256] = "";
        struct engine *engine   = engine_lmdb_open(disk->folder, false, why);

        EXPECT(engine == NULL, "it opens");
        EXPECT(strstr(why, expected) != NULL, "'%s' has no '%s'", why, expected);
        EXPECT(strchr(why, '\n') == NULL, "%s", why);
        EXPECT(strstr(why, disk->folder) != NULL, "'%s' says which", why);
}

/* A start removes and sets aside in one transaction, which it cannot do again in a larger map. */
TEST(a_store_that_is_opened_has_room_to_change_all_that_is_in_it)
{
        char          *bytes = mem_zalloc(BIG);
        char           key[ENGINE_RECORD_KEY];
        struct str     value;
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 1);
        engine = open_disk(&disk);
        for (unsigned i = 0; i < BIG_COUNT; i++)
                put_big(engine, i, str_from(bytes, BIG));
        engine->ops->close(engine);

        engine = open_disk(&disk);
        begin(engine);
        for (unsigned i = 0; i < BIG_COUNT; i++) {
                engine_record_key(i, key);
                EXPECT_EQ(engine->ops->put(engine, ENGINE_ASIDE, str_from(key, sizeof key),
                                           str_from(bytes, BIG)), ENGINE_OK);
        }
        commit(engine);
        engine->ops->rest(engine);
        begin(engine);
        engine_record_key(BIG_COUNT - 1, key);
        EXPECT_EQ(engine->ops->get(engine, ENGINE_ASIDE, str_from(key, sizeof key), &value),
                  ENGINE_OK);
        EXPECT(str_eq(value, str_from(bytes, BIG)), "what was read is read again after a rest");
        commit(engine);
        engine->ops->close(engine);
        mem_free(bytes);
        disk_deinit(&disk);
}

TEST(one_process_at_a_time_and_it_is_named)
{
        struct disk disk;
        int         ready[2], go[2];
        char        byte = 0, expected[64];
        pid_t       child;
        int         status = 0;

        disk_init(&disk, 1);
        EXPECT(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
        child = fork();
        if (child == 0) {
                char           why[256];
                struct engine *engine = engine_lmdb_open(disk.folder, false, why);

                close(go[1]);
                if (engine == NULL || write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 0)
                        _exit(1);
                engine->ops->close(engine);
                _exit(0);
        }
        EXPECT_EQ(read(ready[0], &byte, 1), 1);
        snprintf(expected, sizeof expected, "is in use by process %d: stop it", (int)child);
        expect_refused(&disk, expected);
        close(go[1]);
        EXPECT(waitpid(child, &status, 0) == child && status == 0);
        close(go[0]);
        close(ready[0]);
        close(ready[1]);
        close_it(open_disk(&disk));
        disk_deinit(&disk);
}

TEST(who_only_reads_changes_nothing)
{
        char           why[256] = "";
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 1);
        EXPECT(engine_lmdb_open(disk.folder, true, why) == NULL, "there is none yet");
        EXPECT(access(in(&disk, "store"), F_OK) != 0, "nor was one made");
        engine = open_disk(&disk);
        begin(engine);
        put(engine, ENGINE_RECORDS, "a", "1");
        commit(engine);
        engine->ops->close(engine);
        engine = engine_lmdb_open(disk.folder, true, why);
        EXPECT(engine != NULL, "%s", why);
        begin(engine);
        expect_stored(engine, ENGINE_RECORDS, "a", "1");
        EXPECT_EQ(engine->ops->put(engine, ENGINE_RECORDS, STR("b"), STR("2")), ENGINE_FAILED);
        expect_refused(&disk, "is in use");
        engine->ops->close(engine);
        disk_deinit(&disk);
}

/* An environment that is not, or not yet, a store of this version. */
static void make_foreign(const struct disk *disk, const char *table, uint32_t format)
{
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi  dbi;
        char     name[] = "linnet store format";
        MDB_val  key    = { strlen(name), name };
        MDB_val  value = { sizeof format, &format };

        EXPECT_EQ(mdb_env_create(&env), 0);
        mdb_env_set_maxdbs(env, 4);
        mkdir(in(disk, "store"), 0700);
        EXPECT_EQ(mdb_env_open(env, in(disk, "store"), MDB_NOLOCK, 0600), 0);
        EXPECT_EQ(mdb_txn_begin(env, NULL, 0, &txn), 0);
        EXPECT_EQ(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
        EXPECT_EQ(mdb_put(txn, dbi, &key, &value, 0), 0);
        EXPECT_EQ(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
}

TEST(what_is_not_a_store_of_this_version_is_left_alone)
{
        static const struct row {
                const char *table;      /* NULL: a file of text */
                uint32_t    format;
                const char *says;
        } rows[] = {
                { NULL, 0, "data.mdb is not a store: move it away" },
                { "mail", 1, "is not a store of Linnet's" },
                { "meta", 2, "was written by a newer version" },
        };
        const struct row *row;

        EACH(rows, row) {
                char        why[256];
                struct disk disk;

                disk_init(&disk, 1);
                if (row->table != NULL) {
                        make_foreign(&disk, row->table, row->format);
                } else {
                        char text[8192] = "minutes of the meeting";
                        int  fd;

                        mkdir(in(&disk, "store"), 0700);
                        fd = open(in(&disk, "store/data.mdb"), O_WRONLY | O_CREAT | O_CLOEXEC,
                                  0600);
                        EXPECT_EQ(write(fd, text, sizeof text), sizeof text);
                        close(fd);
                }
                EXPECT(engine_lmdb_check(disk.folder, why), "open says it better");
                expect_refused(&disk, row->says);
                expect_refused(&disk, row->says);
                disk_deinit(&disk);
        }
}

/* Between the first commit of a new store and the second the power may go. */
TEST(a_store_without_tables_is_made_to_its_end)
{
        char           why[256];
        struct disk    disk;
        struct engine *engine;

        disk_init(&disk, 1);
        make_foreign(&disk, "meta", 1);
        EXPECT(engine_lmdb_check(disk.folder, why), "%s", why);
        engine = open_disk(&disk);
        begin(engine);
        put(engine, ENGINE_ASIDE, "a", "1");
        commit(engine);
        engine->ops->close(engine);
        disk_deinit(&disk);
}

static void fill(struct disk *disk, unsigned count)
{
        struct engine *engine = open_disk(disk);

        begin(engine);
        for (unsigned i = 0; i < count; i++) {
                char key[ENGINE_RECORD_KEY];

                engine_record_key(0xabcdef0000 + i, key);
                EXPECT_EQ(engine->ops->put(engine, ENGINE_RECORDS, str_from(key, sizeof key),
                                           STR("a value of some length")), ENGINE_OK);
        }
        commit(engine);
        engine->ops->close(engine);
}

TEST(a_file_of_nothing_but_zeros_is_begun_anew_if_it_is_as_small_as_a_first_one)
{
        struct disk disk;

        disk_init(&disk, 1);
        mkdir(in(&disk, "store"), 0700);
        EXPECT(close(open(in(&disk, "store/data.mdb"), O_CREAT | O_RDWR, 0600)) == 0);
        EXPECT(truncate(in(&disk, "store/data.mdb"), 8192) == 0);
        fill(&disk, 10);
        EXPECT(truncate(in(&disk, "store/data.mdb"), 0) == 0);
        EXPECT(truncate(in(&disk, "store/data.mdb"), 12288) == 0);
        expect_refused(&disk, "is not a store");
        disk_deinit(&disk);
}

/* Needs root: to have another's folder at all. */
TEST(the_folder_of_another_user_is_refused)
{
        struct disk disk;
        struct stat stat_of;
        pid_t       child;
        int         status = 1;

        if (geteuid() != 0)
                skip();
        disk_init(&disk, 1);
        mkdir(in(&disk, "store"), 0755);
        EXPECT(chmod(disk.folder, 0755) == 0);
        EXPECT(chown(in(&disk, "store"), 65533, 65533) == 0);
        child = fork();
        if (child == 0) {
                char why[256];

                if (setuid(65534) != 0 || engine_lmdb_open(disk.folder, false, why) != NULL)
                        _exit(1);
                _exit(strstr(why, "belongs to user 65533: run as that user") != NULL ? 0 : 2);
        }
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT_EQ(WEXITSTATUS(status), 0);
        close_it(open_disk(&disk));
        EXPECT(stat(in(&disk, "store/lock"), &stat_of) == 0);
        EXPECT(stat_of.st_uid == 65533, "the owner can open what root has left there");
        disk_deinit(&disk);
}

TEST(a_damaged_structure_is_found_before_it_does_harm)
{
        char        why[256] = "", key[ENGINE_RECORD_KEY], garbage[4096];
        struct disk disk;
        int         fd;

        disk_init(&disk, 1);
        EXPECT(engine_lmdb_check(disk.folder, why), "none yet");
        fill(&disk, 1000);
        EXPECT(engine_lmdb_check(disk.folder, why), "%s", why);

        /* A key that sorts elsewhere now: what follows it could not be found. */
        engine_record_key(0xabcdef0000 + 500, key);
        EXPECT(damage_file(&disk, str_from(key, sizeof key), 3) > 0);
        EXPECT(!engine_lmdb_check(disk.folder, why), "keys do not ascend");
        EXPECT(strstr(why, "damaged in its structure") != NULL, "%s", why);
        EXPECT(strstr(why, disk.folder) != NULL && strchr(why, '\n') == NULL, "%s", why);
        key[3] ^= 0x40;
        EXPECT(damage_file(&disk, str_from(key, sizeof key), 3) > 0);
        EXPECT(engine_lmdb_check(disk.folder, why), "it was put back: %s", why);

        memset(garbage, 0xa5, sizeof garbage);
        fd = open(in(&disk, "store/data.mdb"), O_WRONLY | O_CLOEXEC);
        for (off_t at = 2 * (off_t)sizeof garbage; at < lseek(fd, 0, SEEK_END);
             at += (off_t)sizeof garbage)
                EXPECT_EQ(pwrite(fd, garbage, sizeof garbage, at), sizeof garbage);
        close(fd);
        EXPECT(!engine_lmdb_check(disk.folder, why), "every page is garbage");
        EXPECT(strstr(why, "damaged in its structure") != NULL, "%s", why);
        disk_deinit(&disk);
}

SUITE(engine, CASE(what_is_put_is_there_in_order), CASE(what_is_not_committed_was_never_there),
      CASE(a_damaged_value_is_found_out), CASE(a_full_vault_takes_nothing_until_there_is_room),
      CASE(a_vault_without_memory_stays_as_it_was), CASE(keys_sort_as_their_numbers),
      CASE(a_store_grows_past_its_first_size),
      CASE(a_store_that_is_opened_has_room_to_change_all_that_is_in_it),
      CASE(one_process_at_a_time_and_it_is_named),
      CASE(who_only_reads_changes_nothing),
      CASE(what_is_not_a_store_of_this_version_is_left_alone),
      CASE(a_store_without_tables_is_made_to_its_end),
      CASE(a_file_of_nothing_but_zeros_is_begun_anew_if_it_is_as_small_as_a_first_one),
      CASE(the_folder_of_another_user_is_refused),
      CASE(a_damaged_structure_is_found_before_it_does_harm))
