#include "services/store/engine.h"

#include <string.h>

/* Big-endian, so that the order of bytes is that of numbers. */
static void put_u64(uint64_t value, char to[static 8])
{
        for (unsigned i = 0; i < 8; i++)
                to[i] = (char)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const char *from)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < 8; i++)
                value = value << 8 | (unsigned char)from[i];
        return value;
}

const char *engine_table_name(enum engine_table table)
{
        static const char *const names[ENGINE_TABLES] = {
                [ENGINE_RECORDS] = "records", [ENGINE_BODIES] = "bodies",
                [ENGINE_REFS] = "refs",       [ENGINE_ASIDE] = "aside",
        };

        return (unsigned)table < ENGINE_TABLES ? names[table] : "unknown";
}

void engine_record_key(uint64_t key, char to[static ENGINE_RECORD_KEY])
{
        put_u64(key, to);
}

uint64_t engine_record_key_of(struct str key)
{
        return key.len == ENGINE_RECORD_KEY ? get_u64(key.ptr) : 0;
}

void engine_guid_key(struct guid guid, char to[static ENGINE_GUID_KEY])
{
        put_u64(guid.time_us, to);
        put_u64(guid.origin, to + 8);
}

struct guid engine_guid_of(struct str key)
{
        if (key.len != ENGINE_GUID_KEY)
                return (struct guid){ 0 };
        return (struct guid){ get_u64(key.ptr), get_u64(key.ptr + 8) };
}

struct str engine_aside_key(enum engine_table table, struct str key,
                            char to[static ENGINE_ASIDE_KEY])
{
        size_t len = key.len < ENGINE_GUID_KEY ? key.len : ENGINE_GUID_KEY;

        to[0] = (char)table;
        memcpy(to + 1, key.ptr, len);
        return str_from(to, 1 + len);
}
