/* What is remembered of source addresses, client identifiers and user names: how many connections
 * there are, how often they came, how often they failed. Who has connections is never forgotten;
 * of the others so many are kept, and the one that was quiet for the longest goes first, so that
 * nobody can make the table grow by coming as many. Pure: whoever owns it locks it. */
#ifndef LINNET_SERVICES_GUARD_TRACE_H
#define LINNET_SERVICES_GUARD_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"

enum { TRACE_KEY_SIZE = 24, TRACES_QUIET_MAX = 16384 };

enum trace_kind { TRACE_ADDRESS, TRACE_CLIENT_ID, TRACE_USERNAME };

/* So many times since then. */
struct tally {
        uint32_t count;
        uint64_t since_ms;
};

struct trace {
        struct list   in_quiet;         /* linked while it has no connections */
        uint32_t      connections;
        struct bucket rate;
        struct tally  connects, failures;
        char          key[TRACE_KEY_SIZE];
};

struct trace_table {
        struct map  map;
        struct list quiet;              /* the one that was quiet for the longest first */
        uint32_t    quiet_count;
        struct hash_key key;
};

void trace_table_init(struct trace_table *table, struct hash_key key);
void trace_table_deinit(struct trace_table *table);

/* The trace of a name (bytes of an address, an identifier), made when there is none; NULL without
 * memory. It stays while it has connections, else until another one is asked for. */
struct trace *trace_get(struct trace_table *table, enum trace_kind kind, struct str name);

void trace_enter(struct trace_table *table, struct trace *trace);       /* one connection more */
void trace_leave(struct trace_table *table, struct trace *trace);

/* Once more: how many in this window, that included. */
uint32_t tally_add(struct tally *tally, uint64_t window_ms, uint64_t now_ms);

#endif
