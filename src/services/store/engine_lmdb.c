/* The engine on LMDB (Symas, OpenLDAP public licence): one environment, one thread, a file that is
 * only ever written at a commit and with fsync. Not MDB_WRITEMAP: a full disk would end the process
 * by SIGBUS instead of an error. LMDB's own lock file is not used: it lets several processes in. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/memory.h"
#include "services/store/checksum.h"
#include "services/store/engine.h"
#include "services/store/folder.h"
#include "services/store/lmdb_pages.h"

enum { FORMAT = 1, MAP_FIRST = 64 << 20, DATABASES = ENGINE_TABLES + 1 };
enum { ROOM_MIN = 65536 };              /* a disk with less is full */

#define OPEN_FLAGS (MDB_NOLOCK | MDB_NORDAHEAD)
#define META       "meta"

struct lmdb_engine {
        struct engine engine;
        struct folder folder;                   /* the environment's, locked while it is open */
        bool          read_only;
        MDB_env      *env;                      /* NULL: it broke, and is opened anew */
        MDB_dbi       dbis[ENGINE_TABLES];
        MDB_txn      *txn;
        MDB_cursor   *cursors[ENGINE_TABLES];   /* of the transaction; NULL until needed */
        MDB_cursor   *hands[ENGINE_TABLES];     /* the same, for single keys: see hand() */
};

static struct lmdb_engine *lmdb_of(struct engine *engine)
{
        return (struct lmdb_engine *)(void *)engine;
}

static MDB_val val_of(struct str bytes)
{
        return (MDB_val){ bytes.len, (void *)(uintptr_t)bytes.ptr };
}

static struct str str_of_val(MDB_val val)
{
        return str_from(val.mv_data, val.mv_size);
}

static bool disk_is_full(const struct lmdb_engine *e)
{
        struct statvfs disk;

        return statvfs(e->folder.path, &disk) == 0 && disk.f_bavail * disk.f_frsize < ROOM_MIN;
}

/* LMDB's result as ours; what is worth words leaves them in `why`. */
static enum engine_result result_of(struct engine *engine, int rc, const char *doing)
{
        if (rc == EIO && disk_is_full(lmdb_of(engine)))
                rc = ENOSPC;            /* LMDB's word for a write that was cut short */
        switch (rc) {
        case MDB_SUCCESS:
                return ENGINE_OK;
        case MDB_NOTFOUND:
                return ENGINE_NONE;
        case MDB_KEYEXIST:
                return ENGINE_THERE;
        case MDB_MAP_FULL:
        case MDB_MAP_RESIZED:
                return ENGINE_GROW;
        default:
                break;
        }
        snprintf(engine->why, sizeof engine->why, "%s %.160s: %s", doing,
                 lmdb_of(engine)->folder.path, mdb_strerror(rc));
        return rc == ENOSPC || rc == EDQUOT ? ENGINE_FULL : ENGINE_FAILED;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_tables(struct lmdb_engine *e, unsigned flags)
{
        MDB_txn *txn;
        int      rc = mdb_txn_begin(e->env, NULL, flags & MDB_RDONLY, &txn);

        if (rc != 0)
                return rc;
        for (unsigned t = 0; t < ENGINE_TABLES && rc == 0; t++)
                rc = mdb_dbi_open(txn, engine_table_name(t), flags & MDB_RDONLY ? 0 : MDB_CREATE,
                                  &e->dbis[t]);
        if (rc != 0) {
                mdb_txn_abort(txn);
                return rc;
        }
        return mdb_txn_commit(txn);
}

static int write_format(MDB_txn *txn, MDB_val *key, MDB_val *value)
{
        MDB_dbi meta;
        int     rc = mdb_dbi_open(txn, META, MDB_CREATE, &meta);

        if (rc == 0)
                rc = mdb_put(txn, meta, key, value, 0);
        if (rc == 0)
                return mdb_txn_commit(txn);
        mdb_txn_abort(txn);
        return rc;
}

/* Which format the file is in: FORMAT when it is new, and that is noted. 0: not a store of ours. */
static int read_format(struct lmdb_engine *e, unsigned flags, uint32_t *format)
{
        MDB_txn *txn;
        MDB_dbi  meta;
        MDB_val  key = val_of(STR(ENGINE_FORMAT_KEY)), value;
        MDB_stat stat;
        int      rc = mdb_txn_begin(e->env, NULL, flags & MDB_RDONLY, &txn);

        if (rc != 0)
                return rc;
        *format = 0;
        rc      = mdb_dbi_open(txn, META, 0, &meta);
        if (rc == 0)
                rc = mdb_get(txn, meta, &key, &value);
        if (rc == 0 && value.mv_size == sizeof *format)
                memcpy(format, value.mv_data, sizeof *format);
        if (rc == MDB_NOTFOUND && mdb_env_stat(e->env, &stat) == 0 && stat.ms_entries == 0 &&
            !(flags & MDB_RDONLY)) {
                *format = FORMAT;
                value   = val_of(str_from(format, sizeof *format));
                return write_format(txn, &key, &value);
        }
        mdb_txn_abort(txn);
        return rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE ? 0 : rc;
}

/* Room for as much again, and for what a start changes: its one transaction cannot be done again in
 * a larger map. Address space costs nothing. */
static size_t map_size(const struct lmdb_engine *e)
{
        char        name[FOLDER_PATH_SIZE + 16];
        struct stat stat_of;

        snprintf(name, sizeof name, "%s/data.mdb", e->folder.path);
        return MAP_FIRST + (stat(name, &stat_of) == 0 ? 3 * (size_t)stat_of.st_size : 0);
}

static int open_env(struct lmdb_engine *e, char why[static 256])
{
        unsigned flags  = OPEN_FLAGS | (e->read_only ? MDB_RDONLY : 0u);
        uint32_t format = 0;
        int      rc     = mdb_env_create(&e->env);

        if (rc != 0)
                return rc;
        mdb_env_set_maxdbs(e->env, DATABASES);
        mdb_env_set_mapsize(e->env, map_size(e));
        rc = mdb_env_open(e->env, e->folder.path, flags, 0600);
        if (rc == 0)
                rc = read_format(e, flags, &format);
        if (rc == 0 && format != FORMAT) {
                snprintf(why, 256,
                         format == 0 ? "%.180s is not a store of Linnet's: set another data_dir"
                                     : "%.150s was written by a newer version of Linnet: start "
                                       "that one, or set another data_dir",
                         e->folder.path);
                return -1;
        }
        return rc != 0 ? rc : open_tables(e, flags);
}

static void close_env(struct lmdb_engine *e)
{
        if (e->env != NULL)
                mdb_env_close(e->env);
        e->env = NULL;
}

static void say_unopened(const struct lmdb_engine *e, int rc, char why[static 256])
{
        if (rc == -1)
                return;                 /* said already */
        if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
                snprintf(why, 256, "%.160s/data.mdb is not a store: move it away, or set another "
                                   "data_dir", e->folder.path);
        else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND)
                snprintf(why, 256, "%.100s is damaged in its structure: linnet store compact keeps "
                                   "what is left; or move it away to start afresh", e->folder.path);
        else
                snprintf(why, 256, "%.180s: %s", e->folder.path, mdb_strerror(rc));
}

/* ---- transactions ---------------------------------------------------------------------------- */

/* After an error that LMDB cannot go on from, the environment is opened anew. */
static enum engine_result reopen(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);
        int                 rc;

        close_env(e);
        rc = open_env(e, engine->why);
        if (rc == 0)
                return ENGINE_OK;
        say_unopened(e, rc, engine->why);
        close_env(e);
        return rc == ENOSPC ? ENGINE_FULL : ENGINE_FAILED;
}

static enum engine_result lmdb_begin(struct engine *engine)
{
        struct lmdb_engine *e     = lmdb_of(engine);
        unsigned            flags = e->read_only ? MDB_RDONLY : 0u;
        int                 rc;

        assert(e->txn == NULL);
        if (e->env == NULL) {
                enum engine_result result = reopen(engine);

                if (result != ENGINE_OK)
                        return result;
        }
        rc = mdb_txn_begin(e->env, NULL, flags, &e->txn);
        if (rc == MDB_PANIC) {
                enum engine_result result = reopen(engine);

                if (result != ENGINE_OK)
                        return result;
                rc = mdb_txn_begin(e->env, NULL, flags, &e->txn);
        }
        if (rc == MDB_MAP_RESIZED) {
                mdb_env_set_mapsize(e->env, 0);
                rc = mdb_txn_begin(e->env, NULL, flags, &e->txn);
        }
        if (rc != 0)
                e->txn = NULL;
        return result_of(engine, rc, "begin");
}

static void close_cursors(struct lmdb_engine *e)
{
        for (unsigned t = 0; t < ENGINE_TABLES; t++) {
                if (e->cursors[t] != NULL)
                        mdb_cursor_close(e->cursors[t]);
                if (e->hands[t] != NULL)
                        mdb_cursor_close(e->hands[t]);
                e->cursors[t] = e->hands[t] = NULL;
        }
}

static enum engine_result lmdb_commit(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);

        assert(e->txn != NULL);
        close_cursors(e);
        return result_of(engine, mdb_txn_commit(TAKE(e->txn)), "commit");
}

static void lmdb_abort(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);

        assert(e->txn != NULL);
        close_cursors(e);
        mdb_txn_abort(TAKE(e->txn));
}

static enum engine_result lmdb_grow(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);
        MDB_envinfo         info;
        int                 rc;

        assert(e->txn == NULL);
        if (e->env == NULL)
                return ENGINE_OK;       /* the next begin says more */
        rc = mdb_env_info(e->env, &info);
        if (rc == 0)
                rc = mdb_env_set_mapsize(e->env, info.me_mapsize * 2);
        if (rc != 0)
                close_env(e);           /* its old map is gone: to use it would be a crash */
        return result_of(engine, rc, "grow");
}

/* What stands behind a key, its checksum taken off. */
static enum engine_result show(enum engine_table table, struct str key, MDB_val val,
                               struct str *value)
{
        *value = str_of_val(val);
        if (value->len < CHECKSUM_SIZE)
                return ENGINE_DAMAGED;
        value->len -= CHECKSUM_SIZE;
        return checksum_fits(table, key, *value, value->ptr + value->len) ? ENGINE_OK
                                                                           : ENGINE_DAMAGED;
}

/* Keys come in runs that ascend, so the next one is mostly on the page of the last: a cursor that
 * stays there finds it without a way through the tree. */
static int hand(struct lmdb_engine *e, enum engine_table table)
{
        return e->hands[table] != NULL
                       ? 0
                       : mdb_cursor_open(e->txn, e->dbis[table], &e->hands[table]);
}

static enum engine_result lmdb_get(struct engine *engine, enum engine_table table, struct str key,
                                   struct str *value)
{
        struct lmdb_engine *e = lmdb_of(engine);
        MDB_val             k = val_of(key), v;
        int                 rc = hand(e, table);

        if (rc == 0)
                rc = mdb_cursor_get(e->hands[table], &k, &v, MDB_SET);
        return rc == 0 ? show(table, key, v, value) : result_of(engine, rc, "read");
}

static enum engine_result write_value(struct engine *engine, enum engine_table table,
                                      struct str key, struct str value, unsigned flags)
{
        struct lmdb_engine *e = lmdb_of(engine);
        MDB_val             k = val_of(key), v = { value.len + CHECKSUM_SIZE, NULL };
        int                 rc = hand(e, table);

        if (rc == 0)
                rc = mdb_cursor_put(e->hands[table], &k, &v, flags | MDB_RESERVE);
        if (rc != 0)
                return result_of(engine, rc, "write");
        if (value.len > 0)
                memcpy(v.mv_data, value.ptr, value.len);
        checksum_write(table, key, value, (char *)v.mv_data + value.len);
        return ENGINE_OK;
}

static enum engine_result lmdb_put(struct engine *engine, enum engine_table table, struct str key,
                                   struct str value)
{
        return write_value(engine, table, key, value, 0);
}

static enum engine_result lmdb_add(struct engine *engine, enum engine_table table, struct str key,
                                   struct str value)
{
        return write_value(engine, table, key, value, MDB_NOOVERWRITE);
}

static enum engine_result lmdb_remove(struct engine *engine, enum engine_table table,
                                      struct str key)
{
        struct lmdb_engine *e = lmdb_of(engine);
        MDB_val             k = val_of(key), v;
        int                 rc = hand(e, table);

        if (rc == 0)
                rc = mdb_cursor_get(e->hands[table], &k, &v, MDB_SET);
        if (rc == 0)
                rc = mdb_cursor_del(e->hands[table], 0);
        return result_of(engine, rc, "remove from");
}

static enum engine_result move(struct lmdb_engine *e, enum engine_table table, MDB_val *key,
                               MDB_val *value, MDB_cursor_op op)
{
        int rc = 0;

        if (e->cursors[table] == NULL)
                rc = mdb_cursor_open(e->txn, e->dbis[table], &e->cursors[table]);
        if (rc == 0)
                rc = mdb_cursor_get(e->cursors[table], key, value, op);
        return result_of(&e->engine, rc, "read");
}

static enum engine_result lmdb_next(struct engine *engine, enum engine_table table, struct str from,
                                    struct str *key, struct str *value)
{
        MDB_val            k = val_of(from), v;
        enum engine_result result =
                move(lmdb_of(engine), table, &k, &v, from.len > 0 ? MDB_SET_RANGE : MDB_FIRST);

        if (result != ENGINE_OK)
                return result;
        *key = str_of_val(k);
        return show(table, *key, v, value);
}

static enum engine_result lmdb_walk(struct engine *engine, enum engine_table table, bool first,
                                    struct str *key, struct str *value)
{
        MDB_val            k, v;
        enum engine_result result =
                move(lmdb_of(engine), table, &k, &v, first ? MDB_FIRST : MDB_NEXT);

        if (result != ENGINE_OK)
                return result;
        *key = str_of_val(k);
        return show(table, *key, v, value);
}

/* Pages that were read stay mapped, and count as the process's memory until the kernel wants them
 * back: a map made anew has none. */
static void lmdb_rest(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);
        MDB_envinfo         info;

        assert(e->txn == NULL);
        if (e->env == NULL || mdb_env_info(e->env, &info) != 0)
                return;
        if (mdb_env_set_mapsize(e->env, info.me_mapsize) != 0)
                close_env(e);           /* its old map is gone; it is opened anew */
}

static uint64_t lmdb_bytes(const struct engine *engine)
{
        const struct lmdb_engine *e = (const struct lmdb_engine *)(const void *)engine;
        MDB_envinfo               info;
        MDB_stat                  stat;

        if (e->env == NULL || mdb_env_info(e->env, &info) != 0 || mdb_env_stat(e->env, &stat) != 0)
                return 0;
        return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static void lmdb_close(struct engine *engine)
{
        struct lmdb_engine *e = lmdb_of(engine);

        if (e->txn != NULL)
                lmdb_abort(engine);
        close_env(e);
        folder_leave(&e->folder);
        mem_free(e);
}

static const struct engine_ops lmdb_ops = {
        .name   = "lmdb",
        .begin  = lmdb_begin,
        .commit = lmdb_commit,
        .abort  = lmdb_abort,
        .grow   = lmdb_grow,
        .get    = lmdb_get,
        .put    = lmdb_put,
        .add    = lmdb_add,
        .remove = lmdb_remove,
        .next   = lmdb_next,
        .walk   = lmdb_walk,
        .rest   = lmdb_rest,
        .bytes  = lmdb_bytes,
        .close  = lmdb_close,
};

struct engine *engine_lmdb_open(const char *path, bool read_only, char why[static 256])
{
        struct lmdb_engine *e = mem_zalloc(sizeof *e);
        int                 rc;

        if (e == NULL) {
                snprintf(why, 256, "out of memory");
                return NULL;
        }
        e->engine.ops = &lmdb_ops;
        e->read_only  = read_only;
        if (!folder_enter(&e->folder, path, read_only, why)) {
                mem_free(e);
                return NULL;
        }
        rc = open_env(e, why);
        if (rc == 0 && (read_only || folder_sync(&e->folder, path, why)))
                return &e->engine;
        say_unopened(e, rc != 0 ? rc : -1, why);
        lmdb_close(&e->engine);
        return NULL;
}

/* ---- the check ------------------------------------------------------------------------------- */

/* Under the lock: of a store that is being written, pages of two states would be read. */
bool engine_lmdb_check(const char *path, char why[static 256])
{
        struct folder      folder;
        struct lmdb_damage damage;
        char               name[FOLDER_PATH_SIZE + 16];
        int                file;
        bool               holds;

        if (!folder_enter(&folder, path, true, why))
                return true;            /* opening it in earnest says so */
        snprintf(name, sizeof name, "%s/data.mdb", folder.path);
        file  = open(name, O_RDONLY | O_CLOEXEC);
        holds = file < 0 || lmdb_pages_hold(file, &damage) || damage.foreign;
        if (file >= 0)
                close(file);
        if (!holds)
                snprintf(why, 256, "%.70s is damaged in its structure (page %" PRIu64 ": %s): "
                                   "linnet store compact keeps what is left; or move it away to "
                                   "start afresh", folder.path, damage.page, damage.what);
        folder_leave(&folder);
        return holds;
}
