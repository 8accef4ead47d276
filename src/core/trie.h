/* The wildcard filters of the route index: a tree of levels, kept as one table of edges
 * (parent, level) -> node. Searched without a lock; changed under the router's.
 */
#ifndef LINNET_CORE_TRIE_H
#define LINNET_CORE_TRIE_H

#include "base/hash.h"
#include "core/router.h"
#include "core/router_table.h"

/* The end of an edge. `#` is no node: its route hangs on the parent, which it matches too. */
struct trie_node {
        union {
                struct {                        /* while linked; the writers' alone */
                        uint64_t    hash;       /* of all levels from the root on */
                        uint32_t    users;      /* children and routes */
                };
                struct retired      retired;    /* then */
        };
        struct trie_node           *parent;     /* lives as long as its children; NULL: the root */
        _Atomic(struct trie_node *) plus;       /* the child `+`, which is in the table too */
        _Atomic(struct route *)     route;      /* of the filter that ends here */
        _Atomic(struct route *)     below;      /* of the filter that ends in `#` under here */
        _Atomic uint32_t            names;      /* children that are not `+` */
        uint16_t                    level_len;
        char                        level[];
};

struct trie {
        const struct hash_key *key;
        uint64_t               plus_hash;       /* of the level `+` */
        struct table           edges;
        struct trie_node      *root;            /* made with the first filter, kept */
        _Atomic(struct trie_node *) entry;      /* the root, when there is any filter */
        uint32_t               filters;
};

void trie_init(struct trie *trie, const struct hash_key *key);
void trie_free(struct trie *trie);              /* not the routes; when nobody reads any more */

/* False without memory, and nothing has changed. The filter is not there yet. */
bool trie_add(struct trie *trie, struct loop *loop, struct route *route) ON_SHARD;
void trie_remove(struct trie *trie, struct loop *loop, struct route *route) ON_SHARD;

/* Appends the routes whose filter matches; false without memory. */
bool trie_match(struct trie *trie, struct str topic, struct matches *out);

bool matches_add(struct matches *matches, struct route *route); /* false without memory */

#endif
