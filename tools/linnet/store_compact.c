/* A store packed anew: copied in order of keys into a file beside it, which takes its place when it
 * is on disk as a whole. The lock is held until then: no broker can start on what is replaced. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "census.h"
#include "store.h"

enum { PATH_SIZE = 1200, GROWS_MAX = 40 };

struct copy {
        struct engine     *from, *to;
        struct census      census;
        enum engine_result result;      /* of the last change */
        uint64_t           aside, orphans;
        char               fresh[PATH_SIZE];            /* the folder it is made in */
};

static bool change(struct copy *copy, enum engine_table table, struct str key, struct str value)
{
        copy->result = copy->to->ops->put(copy->to, table, key, value);
        return copy->result == ENGINE_OK;
}

/* As a start does it: under a key that tells the table, too. */
static bool set_aside(struct copy *copy, enum engine_table table, struct str key, struct str value)
{
        char name[ENGINE_ASIDE_KEY];

        copy->aside++;
        return change(copy, ENGINE_ASIDE, engine_aside_key(table, key, name), value);
}

static bool no_memory(void)
{
        fputs("Error: out of memory\n", stderr);
        return false;
}

/* Those that can be read. */
static bool note_body(void *context, struct str key, struct str value, bool damaged)
{
        struct copy    *copy    = context;
        struct guid     guid    = engine_guid_of(key);
        struct message *message = damaged ? NULL : body_decode(value, guid, &damaged);

        if (damaged)
                return true;
        if (message == NULL)
                return no_memory();
        message_put(message);
        return census_add_body(&copy->census, guid) || no_memory();
}

static bool put_again(struct copy *copy, struct str key, const struct record *record)
{
        struct buffer value = { .bytes = NULL };
        bool          good  = record_encode(&value, record) ? change(copy, ENGINE_RECORDS, key,
                                                                     buffer_str(&value))
                                                            : no_memory();

        buffer_deinit(&value);
        return good;
}

/* What has lost its message is of no use; a session is, without its will. */
static bool take_record(void *context, struct str key, struct str value, bool damaged)
{
        struct copy  *copy = context;
        struct record record;
        struct guid   guid;
        bool          twice, lost;

        if (damaged || key.len != ENGINE_RECORD_KEY || !record_decode(value, &record))
                return set_aside(copy, ENGINE_RECORDS, key, value);
        lost = record_message(&record, &guid) && census_message(&copy->census, guid) == NULL;
        if (lost && record.kind != RECORD_SESSION)
                return set_aside(copy, ENGINE_RECORDS, key, value);
        if (lost)
                record.session.has_will = false;
        if (!census_add(&copy->census, engine_record_key_of(key), &record, &twice))
                return no_memory();
        return lost ? put_again(copy, key, &record) : change(copy, ENGINE_RECORDS, key, value);
}

static bool take_body(void *context, struct str key, struct str value, bool damaged)
{
        struct copy                 *copy    = context;
        const struct census_message *message = census_message(&copy->census, engine_guid_of(key));

        if (damaged || message == NULL)
                return set_aside(copy, ENGINE_BODIES, key, value);
        copy->orphans += message->uses == 0;
        if (message->uses == 0)
                return true;
        if (message->uses > 1 &&
            !change(copy, ENGINE_REFS, key, str_from(&message->uses, sizeof message->uses)))
                return false;
        return change(copy, ENGINE_BODIES, key, value);
}

static bool take_aside(void *context, struct str key, struct str value, bool damaged)
{
        struct copy *copy = context;

        return damaged ? set_aside(copy, ENGINE_ASIDE, key, value)
                       : change(copy, ENGINE_ASIDE, key, value);
}

/* All in one transaction; GROW: once more in a larger map. */
static enum engine_result copy_once(struct copy *copy)
{
        struct engine *to = copy->to;
        bool           good;

        copy->aside = copy->orphans = 0;
        copy->result                = to->ops->begin(to);
        if (copy->result != ENGINE_OK)
                return copy->result;
        copy->result = ENGINE_FAILED;           /* were reading to fail, which has been said */
        to->why[0]   = '\0';
        census_init(&copy->census);
        good = store_walk(copy->from, ENGINE_BODIES, note_body, copy) &&
               store_walk(copy->from, ENGINE_RECORDS, take_record, copy) &&
               store_walk(copy->from, ENGINE_BODIES, take_body, copy) &&
               store_walk(copy->from, ENGINE_ASIDE, take_aside, copy);
        census_deinit(&copy->census);
        if (good)
                return to->ops->commit(to);
        to->ops->abort(to);
        return copy->result != ENGINE_OK ? copy->result : ENGINE_FAILED;
}

static bool copy_all(struct copy *copy)
{
        enum engine_result result = copy_once(copy);

        for (unsigned i = 0; result == ENGINE_GROW && i < GROWS_MAX; i++) {
                result = copy->to->ops->grow(copy->to);
                if (result == ENGINE_OK)
                        result = copy_once(copy);
        }
        if (result != ENGINE_OK)
                fprintf(stderr, "Error: nothing was changed. %s\n", copy->to->why);
        return result == ENGINE_OK;
}

static bool failed(const char *path)
{
        fprintf(stderr, "Error: nothing was changed. %s: %s\n", path, strerror(errno));
        return false;
}

static bool sync_path(const char *path)
{
        int  fd   = open(path, O_RDONLY | O_CLOEXEC);
        bool good = fd >= 0 && fsync(fd) == 0;

        if (fd >= 0)
                close(fd);
        return good;
}

/* The new file has the old one's owner, is on disk, and then has its name: at no time is there
 * none. */
static bool take_its_place(const struct copy *copy, const char *path, bool keep_old)
{
        char        fresh[PATH_SIZE + 32], old[PATH_SIZE], kept[PATH_SIZE + 16], folder[PATH_SIZE];
        struct stat stat_of;

        snprintf(fresh, sizeof fresh, "%s/store/data.mdb", copy->fresh);
        snprintf(old, sizeof old, "%s/store/data.mdb", path);
        snprintf(folder, sizeof folder, "%s/store", path);
        if (stat(old, &stat_of) != 0 || chmod(fresh, stat_of.st_mode & 0777) != 0)
                return failed(old);
        if (geteuid() == 0 && chown(fresh, stat_of.st_uid, stat_of.st_gid) != 0)
                return failed(fresh);
        snprintf(kept, sizeof kept, "%s.damaged", old);
        if (keep_old && ((remove(kept) != 0 && errno != ENOENT) || link(old, kept) != 0))
                return failed(kept);
        if (!sync_path(fresh) || rename(fresh, old) != 0)
                return failed(fresh);
        if (sync_path(folder))
                return true;
        fprintf(stderr, "Error: the new file is in place, but %s: %s\n", folder, strerror(errno));
        return false;
}

/* What this one, or one that was interrupted, has made. */
static void clean_up(const struct copy *copy)
{
        static const char *const names[] = { "store/data.mdb", "store/lock", "store", "" };
        char                     name[PATH_SIZE + 32];

        for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
                snprintf(name, sizeof name, "%s/%s", copy->fresh, names[i]);
                remove(name);
        }
}

int store_compact(struct engine *engine, const char *path, bool keep_old)
{
        struct copy copy = { .from = engine };
        uint64_t    before, after;
        char        why[256];
        bool        good;

        snprintf(copy.fresh, sizeof copy.fresh, "%s/store/compact", path);
        clean_up(&copy);
        if (mkdir(copy.fresh, 0700) != 0) {
                failed(copy.fresh);
                return STORE_FAILED;
        }
        copy.to = engine_lmdb_open(copy.fresh, false, why);
        if (copy.to == NULL) {
                fprintf(stderr, "Error: nothing was changed. %s\n", why);
                clean_up(&copy);
                return STORE_FAILED;
        }
        good   = copy_all(&copy);
        before = engine->ops->bytes(engine);
        after  = copy.to->ops->bytes(copy.to);
        copy.to->ops->close(copy.to);
        good = good && take_its_place(&copy, path, keep_old);
        clean_up(&copy);
        if (!good)
                return STORE_FAILED;
        printf("%" PRIu64 " bytes before, %" PRIu64 " after\n", before, after);
        if (copy.aside > 0)
                printf("%" PRIu64 " damaged, set aside\n", copy.aside);
        if (copy.orphans > 0)
                printf("%" PRIu64 " messages that nothing referred to, removed\n", copy.orphans);
        return STORE_CLEAN;
}
