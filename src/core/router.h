/* The route index: which shards, and which shared groups, want a topic. The only structure that
 * shards share.
 *
 *      filter -> route: a bit per shard with plain subscribers,
 *                       a slot per shard for that shard's own list (core/pubsub),
 *                       the shared groups of this filter with all their members
 *
 * Exact filters lie in a hash table by their whole text. Wildcard filters lie in a tree kept as
 * one table of edges (parent, level) -> child, searched only when there are any. Readers take no
 * lock and write nothing shared; a writer (a shard's first or last subscriber of a filter, a member
 * joining or leaving a group) holds one mutex. What is unlinked is retired (rt/reclaim): a pointer
 * got from here holds until the turn ends, and as long as the mail that carries it is under way.
 */
#ifndef LINNET_CORE_ROUTER_H
#define LINNET_CORE_ROUTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/str.h"
#include "rt/loop.h"

struct router;
struct subscription;

/* One member of a shared group: a subscription, as other shards see it. Owned by its shard, which
 * retires it after router_leave(). */
struct member {
        struct retired       retired;
        struct subscription *subscription;      /* of its shard only; NULL once it has left */
        uint64_t             client_hash;       /* siphash of the client identifier */
        unsigned             shard;
        _Atomic bool         online;            /* its client is connected */
};

/* A group of one filter, immutable but for its turn counter: to join or to leave makes a new
 * one. */
struct group {
        struct retired          retired;
        struct str              name;           /* view behind the members */
        _Atomic uint32_t       *turn;           /* round robin, sticky: shared by successors */
        uint32_t                count;          /* at least 1 */
        struct member          *members[];
};

struct group_list {                             /* immutable; replaced as a whole */
        struct retired retired;
        uint32_t       count;
        struct group  *groups[];
};

struct route {
        union {
                struct {                                /* while linked; the writers' alone */
                        uint64_t    hash;
                        uint32_t    plain_count;        /* bits set */
                };
                struct retired      retired;            /* then */
        };
        uint16_t                    filter_len;
        uint16_t                    slots;              /* of local[] */
        bool                        wild;
        _Atomic(struct group_list *) groups;            /* NULL: none */
        void                       *local[];    /* a slot per shard, a bit per shard, the filter */
};

/* What matched a topic. Zeroed before its first use; its memory is kept from match to match. */
struct matches {
        struct route **routes;
        uint32_t       count, size;
};

struct router *router_new(unsigned shards, struct hash_key key);
void           router_free(struct router *router);      /* after the loops; frees what is left */

/* All routes whose filter matches, each once. False without memory (what was found stands). */
bool router_match(struct router *router, struct str topic, struct matches *out) ON_SHARD;

/* Rises before a route that readers find is there no more, and after one is there that they did not
 * find: what matched with one version still matches as long as it is the same, and lives. */
uint64_t router_version(const struct router *router);

struct route *router_find(struct router *router, struct str filter) ON_SHARD;   /* NULL: none */

/* The shard `loop` has (no longer has) plain subscribers of the filter. NULL without memory. */
struct route *router_add(struct router *router, struct loop *loop, struct str filter) ON_SHARD;
void          router_remove(struct router *router, struct loop *loop, struct route *route) ON_SHARD;

/* A member joins or leaves group `name` of the filter. Join: the route, NULL without memory; the
 * group shows the member from now on. Leave: the member is in no group a reader finds from now
 * on; it cannot fail. Without memory the group is changed in place: another member may then stand
 * in it twice, and a reader on its way may see a group twice. */
struct route *router_join(struct router *router, struct loop *loop, struct str filter,
                          struct str name, struct member *member) ON_SHARD;
void          router_leave(struct router *router, struct loop *loop, struct route *route,
                           struct str name, struct member *member) ON_SHARD;

uint32_t router_count(const struct router *router);     /* routes; any thread */

/* Calls `visit` with every filter, under the writers' lock: for listings. */
void router_each(struct router *router, void (*visit)(void *context, const struct route *route),
                 void *context);

/* Of the bits of so many shards. */
static inline unsigned route_words(unsigned shards)
{
        return (shards + 63) / 64;
}

/* A bit is set where the shard has plain subscribers. */
static inline const _Atomic uint64_t *route_shards(const struct route *route)
{
        return (const _Atomic uint64_t *)(const void *)&route->local[route->slots];
}

static inline struct str route_filter(const struct route *route)
{
        return str_from(route_shards(route) + route_words(route->slots), route->filter_len);
}

static inline bool route_has_shard(const struct route *route, unsigned shard)
{
        return (atomic_load_explicit(&route_shards(route)[shard / 64], memory_order_relaxed) >>
                (shard % 64) & 1) != 0;
}

#endif
