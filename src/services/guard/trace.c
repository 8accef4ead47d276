#include "services/guard/trace.h"

#include <assert.h>

#include "base/memory.h"

static struct str trace_key(const void *value)
{
        return str_from(((const struct trace *)value)->key, TRACE_KEY_SIZE);
}

void trace_table_init(struct trace_table *table, struct hash_key key)
{
        *table = (struct trace_table){ .key = key };
        map_init(&table->map, trace_key, key);
        list_init(&table->quiet);
}

void trace_table_deinit(struct trace_table *table)
{
        size_t at = 0;
        void  *trace;

        while ((trace = map_next(&table->map, &at)) != NULL)
                mem_free(trace);
        map_deinit(&table->map);
}

/* Names are kept by two secret hashes: whoever chooses them cannot make two of them one. */
static void make_key(const struct trace_table *table, enum trace_kind kind, struct str name,
                     char to[static TRACE_KEY_SIZE])
{
        const struct hash_key other = { table->key.k1, ~table->key.k0 };
        const uint64_t        parts[] = { kind, hash_str(&table->key, name),
                                          hash_str(&other, name) };

        static_assert(sizeof parts == TRACE_KEY_SIZE, "three numbers are a key");
        memcpy(to, parts, sizeof parts);
}

static void forget_oldest(struct trace_table *table)
{
        struct trace *oldest = list_entry(list_pop(&table->quiet), struct trace, in_quiet);

        table->quiet_count--;
        map_remove(&table->map, trace_key(oldest));
        mem_free(oldest);
}

static void make_quiet(struct trace_table *table, struct trace *trace)
{
        list_push_back(&table->quiet, &trace->in_quiet);
        table->quiet_count++;
}

struct trace *trace_get(struct trace_table *table, enum trace_kind kind, struct str name)
{
        char          key[TRACE_KEY_SIZE];
        struct trace *trace;

        make_key(table, kind, name, key);
        trace = map_find(&table->map, str_from(key, sizeof key));
        if (trace != NULL) {
                if (list_linked(&trace->in_quiet)) {    /* the last to go from now on */
                        list_remove(&trace->in_quiet);
                        list_push_back(&table->quiet, &trace->in_quiet);
                }
                return trace;
        }
        if (table->quiet_count >= TRACES_QUIET_MAX)
                forget_oldest(table);
        trace = mem_zalloc(sizeof *trace);
        if (trace == NULL)
                return NULL;
        memcpy(trace->key, key, sizeof key);
        if (!map_add(&table->map, trace)) {
                mem_free(trace);
                return NULL;
        }
        make_quiet(table, trace);
        return trace;
}

void trace_enter(struct trace_table *table, struct trace *trace)
{
        if (trace->connections++ > 0)
                return;
        list_remove(&trace->in_quiet);
        table->quiet_count--;
}

void trace_leave(struct trace_table *table, struct trace *trace)
{
        assert(trace->connections > 0);
        if (--trace->connections > 0)
                return;
        if (table->quiet_count >= TRACES_QUIET_MAX)
                forget_oldest(table);
        make_quiet(table, trace);
}

uint32_t tally_add(struct tally *tally, uint64_t window_ms, uint64_t now_ms)
{
        if (tally->count == 0 || now_ms - tally->since_ms >= window_ms)
                *tally = (struct tally){ .since_ms = now_ms };
        if (tally->count < UINT32_MAX)
                tally->count++;
        return tally->count;
}
