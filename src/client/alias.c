/* Topic aliases: an array that grows to the highest alias that was really used. */
#include "client/alias.h"

#include <assert.h>

#include "base/memory.h"

static bool alias_grow(struct alias_table *table, uint16_t alias);

void alias_deinit(struct alias_table *table)
{
        for (unsigned i = 0; i < table->size; i++)
                mem_free((char *)(uintptr_t)table->topics[i].ptr);
        mem_free(table->topics);
        *table = (struct alias_table){ 0 };
}

bool alias_set(struct alias_table *table, uint16_t alias, struct str topic)
{
        assert(alias > 0 && topic.len > 0);
        if (str_eq(alias_get(table, alias), topic))
                return true;

        char *copy = mem_dup(topic);

        if (copy == NULL || !alias_grow(table, alias)) {
                mem_free(copy);
                return false;
        }

        struct str *slot = &table->topics[alias - 1];

        mem_free((char *)(uintptr_t)slot->ptr);
        *slot = str_from(copy, topic.len);
        return true;
}

struct str alias_get(const struct alias_table *table, uint16_t alias)
{
        assert(alias > 0);
        return alias <= table->size ? table->topics[alias - 1] : (struct str){ 0 };
}

static bool alias_grow(struct alias_table *table, uint16_t alias)
{
        if (alias <= table->size)
                return true;

        struct str *topics = mem_realloc_array(table->topics, alias, sizeof *topics);

        if (topics == NULL)
                return false;
        for (unsigned i = table->size; i < alias; i++)
                topics[i] = (struct str){ 0 };
        table->topics = topics;
        table->size   = alias;
        return true;
}
