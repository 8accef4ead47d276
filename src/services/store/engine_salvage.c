/* What can still be read of a file whose structure is damaged: without LMDB, which believes it.
 *
 * Every page in use is looked at. In use are those that the list of free pages does not name; if
 * that list is damaged, too, those that are found from the root. What a damaged branch led to is
 * thus found all the same, and what has gone does not come back. Whose an entry is its checksum
 * says; if that fits nowhere it is shown as a damaged one of the table that has such keys. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "services/store/checksum.h"
#include "services/store/engine.h"
#include "services/store/folder.h"
#include "services/store/lmdb_format.h"

struct entry {
        struct str key, value;          /* in the map; the value without its checksum */
        bool       damaged;
};

struct entries {
        struct entry *items;            /* by key; owned */
        size_t        count, size, walked;
};

struct salvage {
        struct engine      engine;
        struct folder      folder;
        struct pages       pages;
        struct lmdb_damage damage;
        const char        *map;         /* the whole file */
        struct entries     tables[ENGINE_TABLES];
        bool               no_memory;
};

static struct salvage *salvage_of(struct engine *engine)
{
        return (struct salvage *)(void *)engine;
}

/* ---- gathering ------------------------------------------------------------------------------- */

/* NULL: the file ends before. */
static const char *page_at(const struct salvage *s, uint64_t page)
{
        uint64_t count = s->pages.file_size / s->pages.page_size;

        return page >= METAS && page < count ? s->map + page * s->pages.page_size : NULL;
}

static enum engine_table table_of(struct str key, struct str value, bool *fits)
{
        struct str bare = str_from(value.ptr, value.len - CHECKSUM_SIZE);

        *fits = true;
        for (unsigned t = 0; t < ENGINE_TABLES; t++)
                if (checksum_fits(t, key, bare, bare.ptr + bare.len))
                        return t;
        *fits = false;
        return key.len == ENGINE_RECORD_KEY ? ENGINE_RECORDS
               : key.len == ENGINE_GUID_KEY ? ENGINE_BODIES
                                            : ENGINE_ASIDE;
}

static void take(struct salvage *s, struct str key, struct str value)
{
        bool            fits;
        struct entries *to;

        if (value.len < CHECKSUM_SIZE || str_eq(key, STR(ENGINE_FORMAT_KEY)))
                return;
        to = &s->tables[table_of(key, value, &fits)];
        if (to->count == to->size) {
                size_t        size  = to->size != 0 ? to->size * 2 : 1024;
                struct entry *items = mem_realloc_array(to->items, size, sizeof *items);

                if (items == NULL) {
                        s->no_memory = true;
                        return;
                }
                to->items = items;
                to->size  = size;
        }
        value.len -= CHECKSUM_SIZE;
        to->items[to->count++] = (struct entry){ key, value, !fits };
}

/* Empty: it is not in the file. */
static struct str value_of(const struct salvage *s, const struct node *node)
{
        const char *page = page_at(s, node->page);

        if ((node->flags & NODE_BIG) == 0)
                return node->value;
        if (page == NULL ||
            node->size > s->pages.file_size - node->page * s->pages.page_size - HEADER)
                return (struct str){ 0 };
        return str_from(page + HEADER, node->size);
}

static void take_leaf(struct salvage *s, const char *page)
{
        struct node node;

        for (size_t i = 0; i < node_count(page); i++)
                if (lmdb_node_at(&s->pages, page, i, true, &node) && (node.flags & NODE_TREE) == 0)
                        take(s, node.key, value_of(s, &node));
}

static bool is_page(const struct salvage *s, uint64_t page, unsigned kind)
{
        const char *bytes = page_at(s, page);

        return bytes != NULL && number(bytes, 8) == page && number(bytes + 10, 2) == kind &&
               lmdb_page_is_sane(&s->pages, bytes);
}

static bool is_seen(const struct salvage *s, uint64_t page)
{
        return (s->pages.seen[page / 8] >> page % 8 & 1) != 0;
}

static void take_used(struct salvage *s)
{
        for (uint64_t page = METAS; page < s->pages.count; page++)
                if (!is_seen(s, page) && is_page(s, page, IS_LEAF))
                        take_leaf(s, page_at(s, page));
}

/* From a page on, each once, as deep as LMDB goes. */
static void take_below(struct salvage *s, uint64_t page, unsigned depth)
{
        struct node node;

        if (depth > DEPTH_MAX || page >= s->pages.count || is_seen(s, page))
                return;
        s->pages.seen[page / 8] |= (uint8_t)(1u << page % 8);
        if (is_page(s, page, IS_LEAF))
                take_leaf(s, page_at(s, page));
        for (size_t i = 0; is_page(s, page, IS_BRANCH) && i < node_count(page_at(s, page)); i++)
                if (lmdb_node_at(&s->pages, page_at(s, page), i, false, &node))
                        take_below(s, node.page, depth + 1);
}

/* The tables' own trees hang on nodes of the tree of trees. */
static void take_tables(struct salvage *s, const struct tree *trees)
{
        struct node node;

        if (!is_page(s, trees->root, IS_LEAF))
                return;
        for (size_t i = 0; i < node_count(page_at(s, trees->root)); i++)
                if (lmdb_node_at(&s->pages, page_at(s, trees->root), i, true, &node) &&
                    (node.flags & NODE_TREE) != 0 && node.value.len == TREE_BYTES)
                        take_below(s, number(node.value.ptr + 40, 8), 1);
}

static int by_key(const void *a, const void *b)
{
        return str_compare(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* A key that is there twice is one whose bytes were damaged: the whole one counts. */
static void sort(struct entries *entries)
{
        size_t kept = 0;

        if (entries->count > 0)
                qsort(entries->items, entries->count, sizeof entries->items[0], by_key);
        for (size_t i = 0; i < entries->count; i++) {
                bool twice = kept > 0 && str_eq(entries->items[kept - 1].key,
                                                entries->items[i].key);

                if (!twice)
                        entries->items[kept++] = entries->items[i];
                else if (entries->items[kept - 1].damaged)
                        entries->items[kept - 1] = entries->items[i];
        }
        entries->count = kept;
}

static bool gather(struct salvage *s, char why[static 256])
{
        struct tree free = { 0 }, trees = { 0 };
        size_t      count = 0;

        if (!lmdb_read_metas(&s->pages, &free, &trees)) {
                snprintf(why, 256, "%.160s/data.mdb: page %u: %s", s->folder.path,
                         (unsigned)s->damage.page, s->damage.what);
                return false;
        }
        s->pages.seen = mem_zalloc(s->pages.count / 8 + 1);
        if (s->pages.seen != NULL && lmdb_tree_holds(&s->pages, &free)) {
                take_used(s);
        } else if (s->pages.seen != NULL) {
                memset(s->pages.seen, 0, s->pages.count / 8 + 1);
                take_tables(s, &trees);
        }
        for (unsigned t = 0; t < ENGINE_TABLES; t++) {
                sort(&s->tables[t]);
                count += s->tables[t].count;
        }
        if (s->pages.seen != NULL && !s->no_memory && count > 0)
                return true;
        snprintf(why, 256, "%.180s: %s", s->folder.path,
                 s->pages.seen == NULL || s->no_memory ? "out of memory"
                                                       : "nothing in it can be read any more");
        return false;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static enum engine_result salvage_begin(struct engine *engine)
{
        (void)engine;
        return ENGINE_OK;
}

static void salvage_abort(struct engine *engine)
{
        (void)engine;
}

static enum engine_result show(const struct entry *entry, struct str *value)
{
        *value = entry->value;
        return entry->damaged ? ENGINE_DAMAGED : ENGINE_OK;
}

static enum engine_result salvage_get(struct engine *engine, enum engine_table table,
                                      struct str key, struct str *value)
{
        const struct entries *in     = &salvage_of(engine)->tables[table];
        const struct entry    wanted = { .key = key };
        const struct entry   *found  = NULL;

        if (in->count > 0)
                found = bsearch(&wanted, in->items, in->count, sizeof wanted, by_key);
        return found != NULL ? show(found, value) : ENGINE_NONE;
}

static enum engine_result salvage_walk(struct engine *engine, enum engine_table table, bool first,
                                       struct str *key, struct str *value)
{
        struct entries *in = &salvage_of(engine)->tables[table];

        in->walked = first ? 0 : in->walked + 1;
        if (in->walked >= in->count)
                return ENGINE_NONE;
        *key = in->items[in->walked].key;
        return show(&in->items[in->walked], value);
}

static uint64_t salvage_bytes(const struct engine *engine)
{
        return ((const struct salvage *)(const void *)engine)->pages.file_size;
}

static void salvage_close(struct engine *engine)
{
        struct salvage *s = salvage_of(engine);

        for (unsigned t = 0; t < ENGINE_TABLES; t++)
                mem_free(s->tables[t].items);
        if (s->map != NULL)
                munmap((void *)(uintptr_t)s->map, s->pages.file_size);
        if (s->pages.file >= 0)
                close(s->pages.file);
        mem_free(s->pages.seen);
        folder_leave(&s->folder);
        mem_free(s);
}

static const struct engine_ops salvage_ops = {
        .name  = "salvage",
        .begin = salvage_begin,
        .abort = salvage_abort,
        .get   = salvage_get,
        .walk  = salvage_walk,
        .bytes = salvage_bytes,
        .close = salvage_close,
};

static bool map_file(struct salvage *s, char why[static 256])
{
        char        name[FOLDER_PATH_SIZE + 16];
        struct stat status;
        void       *map;

        snprintf(name, sizeof name, "%s/data.mdb", s->folder.path);
        s->pages.file = open(name, O_RDONLY | O_CLOEXEC);
        if (s->pages.file >= 0 && fstat(s->pages.file, &status) == 0 && status.st_size > 0) {
                map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, s->pages.file, 0);
                s->map             = map != MAP_FAILED ? map : NULL;
                s->pages.file_size = (uint64_t)status.st_size;
        }
        if (s->map == NULL)
                snprintf(why, 256, "%.200s cannot be read", name);
        return s->map != NULL;
}

struct engine *engine_salvage_open(const char *path, char why[static 256])
{
        struct salvage *s = mem_zalloc(sizeof *s);

        if (s == NULL) {
                snprintf(why, 256, "out of memory");
                return NULL;
        }
        s->engine.ops   = &salvage_ops;
        s->pages.file   = s->folder.lock = -1;
        s->pages.damage = &s->damage;
        if (folder_enter(&s->folder, path, true, why) && map_file(s, why) && gather(s, why))
                return &s->engine;
        salvage_close(&s->engine);
        return NULL;
}
