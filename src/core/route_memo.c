#include "core/route_memo.h"

#include "base/memory.h"
#include "core/trie.h"

/* An entry is two cache lines; topics that are longer or match more are not remembered. */
enum { ENTRIES = 1024, ENTRY_TOPIC_BYTES = 80, ENTRY_ROUTES = 4, ENTRY_BYTES = 128 };

struct topic_entry {
        uint64_t      version;          /* of the route index; 0: empty */
        struct route *routes[ENTRY_ROUTES];
        uint8_t       count;
        uint8_t       topic_len;
        char          topic[ENTRY_TOPIC_BYTES];
};

static_assert(sizeof(struct topic_entry) == ENTRY_BYTES, "as it is laid out to be");

struct route_memo {
        struct topic_entry entries[ENTRIES];
};

struct route_memo *route_memo_new(void)
{
        return mem_zalloc(sizeof(struct route_memo));
}

void route_memo_free(struct route_memo *memo)
{
        mem_free(memo);
}

static uint64_t word_at(const char *from)
{
        uint64_t word;

        memcpy(&word, from, sizeof word);
        return word;
}

/* Of the first, the middle and the last eight bytes. It needs no key: whoever finds topics that
 * meet in one place has them matched as if there were no memo. */
static unsigned place_of(struct str topic)
{
        uint64_t mix = topic.len;

        if (topic.len < sizeof mix) {
                for (size_t i = 0; i < topic.len; i++)
                        mix = mix << 8 | (uint8_t)topic.ptr[i];
        } else {
                mix += word_at(topic.ptr);
                mix = mix * 0x9e3779b97f4a7c15u + word_at(topic.ptr + (topic.len - sizeof mix) / 2);
                mix = mix * 0x9e3779b97f4a7c15u + word_at(topic.ptr + topic.len - sizeof mix);
        }
        return (unsigned)(mix * 0x9e3779b97f4a7c15u >> 32) % ENTRIES;
}

static void remember(struct topic_entry *entry, uint64_t version, struct str topic,
                     const struct matches *found)
{
        if (found->count > ENTRY_ROUTES)
                return;
        entry->version   = version;
        entry->count     = (uint8_t)found->count;
        entry->topic_len = (uint8_t)topic.len;
        memcpy(entry->topic, topic.ptr, topic.len);
        for (uint32_t i = 0; i < found->count; i++)
                entry->routes[i] = found->routes[i];
}

/* Not as long as a route that is remembered may be freed is its version the present one: whoever
 * unlinks a route changes the version before he retires it, so that a shard that still sees the old
 * one is a reader that reclamation waits for. */
bool route_memo_match(struct route_memo *memo, struct router *router, struct str topic,
                      struct matches *out)
{
        uint64_t      version = router_version(router);
        struct topic_entry *entry;

        if (topic.len > ENTRY_TOPIC_BYTES)
                return router_match(router, topic, out);
        entry = &memo->entries[place_of(topic)];
        if (entry->version != version ||
            !str_eq(str_from(entry->topic, entry->topic_len), topic)) {
                if (!router_match(router, topic, out))
                        return false;
                remember(entry, version, topic, out);
                return true;
        }
        out->count = 0;
        for (unsigned i = 0; i < entry->count; i++)
                if (!matches_add(out, entry->routes[i]))
                        return false;
        return true;
}
