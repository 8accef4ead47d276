/* Topic aliases: from the client, an array that grows to the highest alias that was really used;
 * towards it, a short array that is searched by length and last bytes. */
#include "client/alias.h"

#include <assert.h>

#include "base/memory.h"

struct alias_sent {
        uint64_t   mark;
        struct str topic;               /* owned */
};

static bool alias_grow(struct alias_table *table, uint16_t alias);
static uint64_t alias_mark(struct str topic);

void alias_deinit(struct alias_table *table)
{
        for (unsigned i = 0; i < table->size; i++)
                mem_free((char *)(uintptr_t)table->topics[i].ptr);
        for (unsigned i = 0; i < table->sent_count; i++)
                mem_free((char *)(uintptr_t)table->sent[i].topic.ptr);
        mem_free(table->topics);
        mem_free(table->sent);
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

void alias_allow_sent(struct alias_table *table, uint16_t maximum)
{
        assert(table->sent == NULL);
        table->sent_max = maximum < ALIAS_SENT_MAX ? maximum : ALIAS_SENT_MAX;
}

uint16_t alias_find_sent(const struct alias_table *table, struct str topic)
{
        if (table->sent_count == 0 || topic.len < ALIAS_TOPIC_MIN)
                return 0;

        uint64_t mark = alias_mark(topic);

        for (uint16_t i = 0; i < table->sent_count; i++)
                if (table->sent[i].mark == mark && str_eq(table->sent[i].topic, topic))
                        return (uint16_t)(i + 1);
        return 0;
}

bool alias_may_send(const struct alias_table *table, struct str topic)
{
        return table->sent_count < table->sent_max && topic.len >= ALIAS_TOPIC_MIN;
}

uint16_t alias_send(struct alias_table *table, struct str topic)
{
        assert(alias_may_send(table, topic) && alias_find_sent(table, topic) == 0);
        if (table->sent == NULL)
                table->sent = mem_realloc_array(NULL, table->sent_max, sizeof *table->sent);
        if (table->sent == NULL)
                return 0;

        char *copy = mem_dup(topic);

        if (copy == NULL)
                return 0;
        table->sent[table->sent_count++] = (struct alias_sent){
                .mark  = alias_mark(topic),
                .topic = str_from(copy, topic.len),
        };
        return table->sent_count;
}

/* Topics mostly differ in their last bytes or in length; where not, the whole is compared. */
static uint64_t alias_mark(struct str topic)
{
        uint64_t mark = 0;
        size_t   len  = topic.len < sizeof mark ? topic.len : sizeof mark;

        memcpy(&mark, topic.ptr + topic.len - len, len);
        return mark ^ (uint64_t)topic.len << 32;
}
