/* Message identifiers.
 *
 *      time_us             origin
 *      64: microseconds    16: node | 32: node xor shard | 16: sequence
 *
 * emqttd fills the 48 bits between with two bytes of the node name's SHA-1 and four of the Erlang
 * process. Here the node name's SipHash fills all six, under a key that never changes, and the
 * shard takes the process's part: it is xored into the low 32 bits. So the shards of a node always
 * differ, and two nodes meet once in 2^48 / SHARDS_MAX^2 names.
 */
#include "base/guid.h"

#include "base/hash.h"
#include "base/limits.h"

#include <assert.h>
#include <string.h>

/* Digits of pi: any constant will do, it only has to stay. */
static const struct hash_key node_key = { 0x243f6a8885a308d3ull, 0x13198a2e03707344ull };

static const char base62_digits[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static size_t   guid_print(struct guid guid, unsigned base, char *to, size_t size);
static unsigned base62_value(char digit);

void guid_source_init(struct guid_source *source, struct str node_name, unsigned shard)
{
        assert(shard < SHARDS_MAX);

        *source = (struct guid_source){
                .node     = (hash_str(&node_key, node_name) ^ shard) & 0xffffffffffffull,
                .sequence = UINT16_MAX,         /* the first to be given out is 0 */
        };
}

struct guid guid_next(struct guid_source *source, uint64_t wall_us)
{
        source->sequence++;
        if (wall_us > source->last_us)
                source->last_us = wall_us;
        else if (source->sequence == 0)         /* 65536 in one microsecond: borrow the next */
                source->last_us++;

        return (struct guid){ source->last_us, source->node << 16 | source->sequence };
}

int guid_compare(struct guid a, struct guid b)
{
        if (a.time_us != b.time_us)
                return a.time_us < b.time_us ? -1 : 1;
        return (a.origin > b.origin) - (a.origin < b.origin);
}

size_t guid_hex(struct guid guid, char to[static GUID_HEX_SIZE])
{
        return guid_print(guid, 16, to, GUID_HEX_SIZE);
}

size_t guid_base62(struct guid guid, char to[static GUID_BASE62_SIZE])
{
        return guid_print(guid, 62, to, GUID_BASE62_SIZE);
}

bool guid_from_base62(struct str text, struct guid *out)
{
        unsigned __int128 value = 0;

        if (text.len == 0 || text.len >= GUID_BASE62_SIZE)
                return false;
        if (text.len > 1 && text.ptr[0] == '0')         /* one number has one text */
                return false;
        for (size_t i = 0; i < text.len; i++) {
                unsigned digit = base62_value(text.ptr[i]);

                if (digit >= 62 || __builtin_mul_overflow(value, 62, &value) ||
                    __builtin_add_overflow(value, digit, &value))
                        return false;
        }
        *out = (struct guid){ (uint64_t)(value >> 64), (uint64_t)value };
        return true;
}

/* Of the 62 digits the first 16 are those of hex. */
static size_t guid_print(struct guid guid, unsigned base, char *to, size_t size)
{
        unsigned __int128 value = (unsigned __int128)guid.time_us << 64 | guid.origin;
        size_t            at    = size;

        to[--at] = '\0';
        do {
                assert(at > 0);
                to[--at] = base62_digits[(unsigned)(value % base)];
                value /= base;
        } while (value > 0);

        memmove(to, to + at, size - at);
        return size - at - 1;
}

/* 62 or more: not a digit. */
static unsigned base62_value(char digit)
{
        if (digit >= '0' && digit <= '9')
                return (unsigned)(digit - '0');
        if (digit >= 'A' && digit <= 'Z')
                return (unsigned)(digit - 'A') + 10;
        if (digit >= 'a' && digit <= 'z')
                return (unsigned)(digit - 'a') + 36;
        return 62;
}
