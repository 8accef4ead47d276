/* Message identifiers, built as emqttd_guid builds them: 64 bits of microseconds since 1970, 48
 * bits that tell node and shard, 16 bits of sequence. Identifiers of one generator ascend even
 * when the clock steps back: it then counts on from the last time it has seen. */
#ifndef LINNET_BASE_GUID_H
#define LINNET_BASE_GUID_H

#include <stdint.h>

#include "base/str.h"

struct guid {
        uint64_t time_us;
        uint64_t origin;        /* node and shard in the upper 48 bits, sequence in the lower 16 */
};

struct guid_source {
        uint64_t node;          /* 48 bits */
        uint64_t last_us;       /* a start raises it to the newest identifier that is stored */
        uint16_t sequence;
};

enum { GUID_HEX_SIZE = 33, GUID_BASE62_SIZE = 23 };     /* with the NUL */

void        guid_source_init(struct guid_source *source, struct str node_name, unsigned shard);
struct guid guid_next(struct guid_source *source, uint64_t wall_us);
int         guid_compare(struct guid a, struct guid b);         /* in order of making */

/* Upper-case hex without leading zeros, and base62 (0-9A-Za-z, big-endian, no padding), as
 * emqttd prints them. Return the length without the NUL. */
size_t guid_hex(struct guid guid, char to[static GUID_HEX_SIZE]);
size_t guid_base62(struct guid guid, char to[static GUID_BASE62_SIZE]);
bool   guid_from_base62(struct str text, struct guid *out);     /* false: not of that form */

#endif
