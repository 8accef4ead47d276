/* The twin in memory. A vault holds, per table, entries in key order; a transaction keeps what each
 * change replaced, and an abort puts it back. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "services/store/checksum.h"
#include "services/store/engine.h"

struct item {
        size_t key_len, value_len;
        char   bytes[];                 /* key, value, checksum */
};

struct table {
        struct item **items;            /* [count], in key order; owned */
        size_t        count, size;
        uint64_t      bytes;            /* of keys and values */
};

/* What a change has done: to be undone from the last to the first. */
struct undo {
        enum engine_table table;
        struct item      *before;       /* owned; NULL: there was none under its key */
        struct item      *after;        /* the table's; NULL: it was removed */
};

struct vault {
        struct table tables[ENGINE_TABLES];
        uint64_t     commits_left;
        uint64_t     changes_left;      /* until one fails; UINT64_MAX: none does */
        bool         shut;
        bool         tight;             /* no commit may need room */
};

struct memory_engine {
        struct engine engine;
        struct vault *vault;
        struct undo  *undos;            /* of the transaction; owned */
        size_t        undo_count, undo_size;
        size_t        walked[ENGINE_TABLES];    /* the place of what a walk has shown last */
        bool          open;
};

static struct memory_engine *memory_of(struct engine *engine)
{
        return (struct memory_engine *)(void *)engine;
}

static struct str key_of(const struct item *item)
{
        return str_from(item->bytes, item->key_len);
}

static struct str value_of(const struct item *item)
{
        return str_from(item->bytes + item->key_len, item->value_len);
}

static int compare(struct str a, struct str b)
{
        size_t len   = a.len < b.len ? a.len : b.len;
        int    order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

        return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the key is, or belongs. Most are appended. */
static size_t place_of(const struct table *table, struct str key)
{
        size_t low = 0, high = table->count;

        if (high > 0 && compare(key_of(table->items[high - 1]), key) < 0)
                return high;
        while (low < high) {
                size_t middle = (low + high) / 2;

                if (compare(key_of(table->items[middle]), key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct item *find(const struct table *table, struct str key, size_t *place)
{
        *place = place_of(table, key);
        if (*place < table->count && compare(key_of(table->items[*place]), key) == 0)
                return table->items[*place];
        return NULL;
}

static bool reserve(struct table *table)
{
        size_t        size = table->size != 0 ? table->size * 2 : 64;
        struct item **items;

        if (table->count < table->size)
                return true;
        items = mem_realloc_array(table->items, size, sizeof *items);
        if (items == NULL)
                return false;
        table->items = items;
        table->size  = size;
        return true;
}

static uint64_t size_of(const struct item *item)
{
        return item->key_len + item->value_len;
}

static void insert(struct table *table, size_t place, struct item *item)
{
        table->bytes += size_of(item);
        assert(table->count < table->size);
        memmove(&table->items[place + 1], &table->items[place],
                (table->count - place) * sizeof table->items[0]);
        table->items[place] = item;
        table->count++;
}

static void replace(struct table *table, size_t place, struct item *item)
{
        table->bytes += size_of(item) - size_of(table->items[place]);
        table->items[place] = item;
}

static void take_out(struct table *table, size_t place)
{
        table->bytes -= size_of(table->items[place]);
        table->count--;
        memmove(&table->items[place], &table->items[place + 1],
                (table->count - place) * sizeof table->items[0]);
}

static enum engine_result no_memory(struct engine *engine)
{
        snprintf(engine->why, sizeof engine->why, "out of memory");
        return ENGINE_FAILED;
}

static bool note(struct memory_engine *m, struct undo undo)
{
        if (m->undo_count == m->undo_size) {
                size_t       size  = m->undo_size != 0 ? m->undo_size * 2 : 64;
                struct undo *undos = mem_realloc_array(m->undos, size, sizeof *undos);

                if (undos == NULL)
                        return false;
                m->undos     = undos;
                m->undo_size = size;
        }
        m->undos[m->undo_count++] = undo;
        return true;
}

static enum engine_result memory_begin(struct engine *engine)
{
        struct memory_engine *m = memory_of(engine);

        assert(!m->open);
        if (m->vault->shut) {
                snprintf(engine->why, sizeof engine->why, "it is shut");
                return ENGINE_FAILED;
        }
        m->open = true;
        return ENGINE_OK;
}

static void undo_one(struct table *table, const struct undo *undo)
{
        size_t place;

        find(table, key_of(undo->after != NULL ? undo->after : undo->before), &place);
        if (undo->after != NULL && undo->before != NULL)
                replace(table, place, undo->before);
        else if (undo->after != NULL)
                take_out(table, place);
        else
                insert(table, place, undo->before);     /* the room it had is there still */
        mem_free(undo->after);
}

static void memory_abort(struct engine *engine)
{
        struct memory_engine *m = memory_of(engine);

        assert(m->open);
        while (m->undo_count > 0) {
                const struct undo *undo = &m->undos[--m->undo_count];

                undo_one(&m->vault->tables[undo->table], undo);
        }
        m->open = false;
}

/* Does the transaction need room? */
static bool grows(const struct memory_engine *m)
{
        uint64_t before = 0, after = 0;

        for (size_t i = 0; i < m->undo_count; i++) {
                const struct undo *undo = &m->undos[i];

                before += undo->before != NULL ? size_of(undo->before) : 0;
                after += undo->after != NULL ? size_of(undo->after) : 0;
        }
        return after > before;
}

static enum engine_result memory_commit(struct engine *engine)
{
        struct memory_engine *m = memory_of(engine);

        assert(m->open);
        if (m->vault->commits_left == 0 || (m->vault->tight && grows(m))) {
                snprintf(engine->why, sizeof engine->why, "the vault is full");
                memory_abort(engine);
                return ENGINE_FULL;
        }
        if (m->vault->commits_left != UINT64_MAX)
                m->vault->commits_left--;
        while (m->undo_count > 0)
                mem_free(m->undos[--m->undo_count].before);
        m->open = false;
        return ENGINE_OK;
}

static enum engine_result memory_grow(struct engine *engine)
{
        (void)engine;
        return ENGINE_OK;
}

static enum engine_result show(enum engine_table table, const struct item *item, struct str *value)
{
        *value = value_of(item);
        return checksum_fits(table, key_of(item), value_of(item),
                             item->bytes + item->key_len + item->value_len)
                       ? ENGINE_OK
                       : ENGINE_DAMAGED;
}

static enum engine_result memory_get(struct engine *engine, enum engine_table table, struct str key,
                                     struct str *value)
{
        size_t             place;
        const struct item *item = find(&memory_of(engine)->vault->tables[table], key, &place);

        return item != NULL ? show(table, item, value) : ENGINE_NONE;
}

static struct item *item_new(enum engine_table table, struct str key, struct str value)
{
        struct item *item = mem_alloc(sizeof *item + key.len + value.len + CHECKSUM_SIZE);

        if (item == NULL)
                return NULL;
        item->key_len   = key.len;
        item->value_len = value.len;
        memcpy(item->bytes, key.ptr, key.len);
        if (value.len > 0)
                memcpy(item->bytes + key.len, value.ptr, value.len);
        checksum_write(table, key, value, item->bytes + key.len + value.len);
        return item;
}

static enum engine_result memory_put(struct engine *engine, enum engine_table table, struct str key,
                                     struct str value)
{
        struct memory_engine *m    = memory_of(engine);
        struct table         *into = &m->vault->tables[table];
        struct item          *item = item_new(table, key, value);
        struct undo           undo = { .table = table, .after = item };
        size_t                place;

        assert(m->open);
        if (m->vault->changes_left == 0) {
                m->vault->changes_left = UINT64_MAX;
                mem_free(item);
                snprintf(engine->why, sizeof engine->why, "a write failed");
                return ENGINE_FAILED;
        }
        m->vault->changes_left -= m->vault->changes_left != UINT64_MAX;
        undo.before = find(into, key, &place);
        if (item == NULL || !reserve(into) || !note(m, undo)) {
                mem_free(item);
                return no_memory(engine);
        }
        if (undo.before != NULL)
                replace(into, place, item);
        else
                insert(into, place, item);
        return ENGINE_OK;
}

static enum engine_result memory_add(struct engine *engine, enum engine_table table, struct str key,
                                     struct str value)
{
        size_t place;

        return find(&memory_of(engine)->vault->tables[table], key, &place) != NULL
                       ? ENGINE_THERE
                       : memory_put(engine, table, key, value);
}

static enum engine_result memory_remove(struct engine *engine, enum engine_table table,
                                        struct str key)
{
        struct memory_engine *m    = memory_of(engine);
        struct table         *from = &m->vault->tables[table];
        struct undo           undo = { .table = table };
        size_t                place;

        assert(m->open);
        undo.before = find(from, key, &place);
        if (undo.before == NULL)
                return ENGINE_NONE;
        if (!note(m, undo))
                return no_memory(engine);
        take_out(from, place);
        return ENGINE_OK;
}

static enum engine_result memory_next(struct engine *engine, enum engine_table table,
                                      struct str from, struct str *key, struct str *value)
{
        const struct table *in    = &memory_of(engine)->vault->tables[table];
        size_t              place = place_of(in, from);

        if (place == in->count)
                return ENGINE_NONE;
        *key = key_of(in->items[place]);
        return show(table, in->items[place], value);
}

static enum engine_result memory_walk(struct engine *engine, enum engine_table table, bool first,
                                      struct str *key, struct str *value)
{
        struct memory_engine *m  = memory_of(engine);
        const struct table   *in = &m->vault->tables[table];

        m->walked[table] = first ? 0 : m->walked[table] + 1;
        if (m->walked[table] >= in->count)
                return ENGINE_NONE;
        *key = key_of(in->items[m->walked[table]]);
        return show(table, in->items[m->walked[table]], value);
}

static void memory_rest(struct engine *engine)
{
        (void)engine;
}

static uint64_t memory_bytes(const struct engine *engine)
{
        const struct vault *vault = ((const struct memory_engine *)(const void *)engine)->vault;
        uint64_t            bytes = 0;

        for (unsigned t = 0; t < ENGINE_TABLES; t++)
                bytes += vault->tables[t].bytes;
        return bytes;
}

static void memory_close(struct engine *engine)
{
        struct memory_engine *m = memory_of(engine);

        if (m->open)
                memory_abort(engine);
        mem_free(m->undos);
        mem_free(m);
}

static const struct engine_ops memory_ops = {
        .name   = "memory",
        .begin  = memory_begin,
        .commit = memory_commit,
        .abort  = memory_abort,
        .grow   = memory_grow,
        .get    = memory_get,
        .put    = memory_put,
        .add    = memory_add,
        .remove = memory_remove,
        .next   = memory_next,
        .walk   = memory_walk,
        .rest   = memory_rest,
        .bytes  = memory_bytes,
        .close  = memory_close,
};

struct engine *engine_memory_open(struct vault *vault)
{
        struct memory_engine *m = mem_zalloc(sizeof *m);

        if (m == NULL)
                return NULL;
        m->engine.ops = &memory_ops;
        m->vault      = vault;
        return &m->engine;
}

struct vault *vault_new(void)
{
        struct vault *vault = mem_zalloc(sizeof *vault);

        if (vault != NULL)
                vault->commits_left = vault->changes_left = UINT64_MAX;
        return vault;
}

void vault_free(struct vault *vault)
{
        if (vault == NULL)
                return;
        for (unsigned t = 0; t < ENGINE_TABLES; t++) {
                for (size_t i = 0; i < vault->tables[t].count; i++)
                        mem_free(vault->tables[t].items[i]);
                mem_free(vault->tables[t].items);
        }
        mem_free(vault);
}

void vault_fill_after(struct vault *vault, uint64_t commits)
{
        vault->commits_left = commits;
}

void vault_tighten(struct vault *vault, bool tight)
{
        vault->tight = tight;
}

void vault_fail_after(struct vault *vault, uint64_t changes)
{
        vault->changes_left = changes;
}

void vault_shut(struct vault *vault, bool shut)
{
        vault->shut = shut;
}

bool vault_damage(struct vault *vault, enum engine_table table, struct str key, size_t at)
{
        size_t       place;
        struct item *item = find(&vault->tables[table], key, &place);

        if (item == NULL || at >= item->value_len)
                return false;
        item->bytes[item->key_len + at] ^= 1;
        return true;
}
