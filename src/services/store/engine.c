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
