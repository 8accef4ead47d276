/* Who may not connect: source networks, client identifiers and user names, each with a reason, an
 * author and an end. Bounded; pure: whoever owns the table locks it, and tells it the time. */
#ifndef LINNET_SERVICES_GUARD_BAN_H
#define LINNET_SERVICES_GUARD_BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/map.h"
#include "net/network.h"

enum ban_kind { BAN_ADDRESS, BAN_CLIENT_ID, BAN_USERNAME, BAN_KINDS };

enum {
        BANS_MAX      = 65536,
        BAN_TEXT_MAX  = 1024,           /* bytes of a name; of a reason or an author, too */
        BAN_LINE_MAX  = 3 * 3 * BAN_TEXT_MAX + 64,
};

/* A ban as it is asked for or shown. Times are seconds of the wall clock. */
struct ban {
        enum ban_kind kind;
        struct str    what;             /* an address or network, an identifier, a name */
        struct str    why, by;
        uint64_t      at_s;
        uint64_t      until_s;          /* 0: for good */
};

struct ban_table {
        struct map map;                 /* key -> struct entry */
        uint32_t   count[BAN_KINDS];
        uint32_t   of_bits[129];        /* networks by their prefix */
        uint64_t   changes;             /* counts what was added or removed */
};

enum ban_result { BAN_DONE, BAN_INVALID, BAN_FULL, BAN_NO_MEMORY };

void ban_table_init(struct ban_table *table, struct hash_key key);
void ban_table_deinit(struct ban_table *table);

/* Adds it, or replaces the one of the same; copies all. INVALID: no network, or too long. When the
 * table is full those that are over go first. */
enum ban_result ban_add(struct ban_table *table, const struct ban *ban, uint64_t now_s);
bool            ban_remove(struct ban_table *table, enum ban_kind kind, struct str what);

/* The ban that holds, or NULL; valid until the table changes. */
const struct ban *ban_of_address(const struct ban_table *table, const struct address *address,
                                 uint64_t now_s);
const struct ban *ban_of_name(const struct ban_table *table, enum ban_kind kind, struct str name,
                              uint64_t now_s);

/* The next one that holds, from slot *at on (0 at first); NULL at the end. */
const struct ban *ban_next(const struct ban_table *table, size_t *at, uint64_t now_s);

/* One line of the file: KIND WHAT UNTIL AT BY WHY, with %XX for what would not show or would part
 * words, and - for an empty word. */
void ban_write_line(struct buffer *to, const struct ban *ban);

/* Takes the line apart in place; false when it is none. */
bool ban_read_line(char *line, size_t len, struct ban *out);

const char   *ban_kind_name(enum ban_kind kind);
enum ban_kind ban_kind_of(struct str name);     /* BAN_KINDS: none is called so */

#endif
