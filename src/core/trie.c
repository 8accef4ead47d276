#include "core/trie.h"

#include <assert.h>

#include "base/list.h"
#include "base/memory.h"
#include "mqtt/topic.h"

enum { MATCHES_MIN = 16 };

void trie_init(struct trie *trie, const struct hash_key *key)
{
        *trie = (struct trie){ .key = key, .plus_hash = hash_str(key, STR("+")) };
}

void trie_free(struct trie *trie)
{
        struct table_probe walk = table_walk(&trie->edges);
        struct trie_node  *node;

        while ((node = table_walk_next(&walk)) != NULL)
                mem_free(node);
        table_free(&trie->edges);
        mem_free(TAKE(trie->root));
}

bool matches_add(struct matches *matches, struct route *route)
{
        if (matches->count == matches->size) {
                uint32_t       size = matches->size > 0 ? matches->size * 2 : MATCHES_MIN;
                struct route **routes =
                        mem_realloc_array(matches->routes, size, sizeof(struct route *));

                if (routes == NULL)
                        return false;
                matches->routes = routes;
                matches->size   = size;
        }
        matches->routes[matches->count++] = route;
        return true;
}

/* The parent's place is in its hash, so equal levels of different parents do not collide. A reader
 * knows it from its way there: in the node it is the writers'. */
static uint64_t edge_hash(uint64_t parent_hash, uint64_t level_hash)
{
        return hash_u64(parent_hash + level_hash);
}

/* A parent is compared by address: nobody's is used again while a reader may hold it. */
static struct trie_node *find_child(const struct trie *trie, const struct trie_node *parent,
                                    struct str level, uint64_t hash)
{
        struct table_probe probe = table_probe(&trie->edges, hash);
        struct trie_node  *node;

        while ((node = table_next(&probe)) != NULL)
                if (node->parent == parent &&
                    str_eq(str_from(node->level, node->level_len), level))
                        return node;
        return NULL;
}

/* ---- writers --------------------------------------------------------------------------------- */

/* Cuts the next level that is a node of its own; *below when `#` ends the filter there. */
static bool next_node_level(struct str *rest, struct str *level, bool *below)
{
        if (!topic_next_level(rest, level))
                return false;
        *below = str_eq(*level, STR("#"));
        return !*below;
}

static struct trie_node *walk(const struct trie *trie, struct str *rest, bool *below)
{
        struct trie_node *node = trie->root;
        struct trie_node *child;
        struct str        level, before = *rest;

        while (next_node_level(rest, &level, below)) {
                child = find_child(trie, node, level,
                                   edge_hash(node->hash, hash_str(trie->key, level)));
                if (child == NULL) {
                        *rest = before;
                        return node;
                }
                node   = child;
                before = *rest;
        }
        *rest = (struct str){ 0 };
        return node;
}

static struct trie_node *node_new(const struct trie *trie, struct trie_node *parent,
                                  struct str level)
{
        size_t            size = offsetof(struct trie_node, level) + level.len;
        struct trie_node *node = mem_zalloc(size > sizeof *node ? size : sizeof *node);

        if (node == NULL)
                return NULL;
        node->parent    = parent;
        node->level_len = (uint16_t)level.len;
        if (level.len > 0)
                memcpy(node->level, level.ptr, level.len);
        if (parent != NULL)
                node->hash = edge_hash(parent->hash, hash_str(trie->key, level));
        return node;
}

static bool is_plus(const struct trie_node *node)
{
        return node->level_len == 1 && node->level[0] == '+';
}

static void link_node(struct trie *trie, struct trie_node *node)
{
        struct trie_node *parent = node->parent;

        parent->users++;
        table_put(&trie->edges, node->hash, node);
        if (is_plus(node))
                atomic_store_explicit(&parent->plus, node, memory_order_release);
        else
                atomic_fetch_add_explicit(&parent->names, 1, memory_order_release);
}

/* The nodes of the levels in `rest`, from `parent` on, not linked yet; how many, or -1. */
static int make_path(const struct trie *trie, struct trie_node *parent, struct str rest,
                     struct trie_node *path[], bool *below)
{
        struct str level;
        int        count = 0;

        while (next_node_level(&rest, &level, below)) {
                assert(count < TOPIC_LEVELS_MAX);
                path[count] = node_new(trie, count > 0 ? path[count - 1] : parent, level);
                if (path[count] == NULL) {
                        while (count > 0)
                                mem_free(path[--count]);
                        return -1;
                }
                count++;
        }
        return count;
}

bool trie_add(struct trie *trie, struct loop *loop, struct route *route)
{
        struct trie_node *path[TOPIC_LEVELS_MAX];
        struct str        rest  = route_filter(route);
        bool              below = false;

        if (trie->root == NULL)
                trie->root = node_new(trie, NULL, (struct str){ 0 });
        if (trie->root == NULL)
                return false;

        struct trie_node *node  = walk(trie, &rest, &below);
        int               count = make_path(trie, node, rest, path, &below);

        if (count < 0)
                return false;
        if (count > 0 && !table_reserve(&trie->edges, loop, (size_t)count)) {
                while (count > 0)
                        mem_free(path[--count]);
                return false;
        }
        for (int i = 0; i < count; i++)
                link_node(trie, path[i]);
        if (count > 0)
                node = path[count - 1];

        _Atomic(struct route *) *end = below ? &node->below : &node->route;

        assert(atomic_load_explicit(end, memory_order_relaxed) == NULL);
        node->users++;
        atomic_store_explicit(end, route, memory_order_release);
        if (trie->filters++ == 0)
                atomic_store_explicit(&trie->entry, trie->root, memory_order_release);
        return true;
}

static void on_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct trie_node, retired));
}

void trie_remove(struct trie *trie, struct loop *loop, struct route *route)
{
        struct str        rest  = route_filter(route);
        bool              below = false;
        struct trie_node *node  = walk(trie, &rest, &below);

        assert(rest.len == 0);

        _Atomic(struct route *) *end = below ? &node->below : &node->route;

        assert(atomic_load_explicit(end, memory_order_relaxed) == route);
        atomic_store_explicit(end, NULL, memory_order_release);
        if (--trie->filters == 0)
                atomic_store_explicit(&trie->entry, NULL, memory_order_release);

        /* Up to the first that something else still needs. */
        while (--node->users == 0 && node->parent != NULL) {
                struct trie_node *parent = node->parent;

                if (is_plus(node))
                        atomic_store_explicit(&parent->plus, NULL, memory_order_release);
                else
                        atomic_fetch_sub_explicit(&parent->names, 1, memory_order_release);
                table_remove(&trie->edges, node->hash, node);
                reclaim_retire(loop, &node->retired, on_release);
                node = parent;
        }
}

/* ---- readers --------------------------------------------------------------------------------- */

/* The topic taken apart, each level hashed when it is first asked for. */
struct levels {
        unsigned   count, hashed;
        struct str level[TOPIC_LEVELS_MAX];
        uint64_t   hash[TOPIC_LEVELS_MAX];
};

static void split(struct levels *levels, struct str topic)
{
        levels->count = levels->hashed = 0;
        for (struct str level; topic_next_level(&topic, &level); levels->count++) {
                assert(levels->count < TOPIC_LEVELS_MAX);
                levels->level[levels->count] = level;
        }
}

/* *hash is the node's, and then the child's. */
static struct trie_node *named_child(const struct trie *trie, struct trie_node *node,
                                     struct levels *levels, unsigned depth, uint64_t *hash)
{
        if (atomic_load_explicit(&node->names, memory_order_relaxed) == 0)
                return NULL;
        for (; levels->hashed <= depth; levels->hashed++)
                levels->hash[levels->hashed] = hash_str(trie->key, levels->level[levels->hashed]);
        *hash = edge_hash(*hash, levels->hash[depth]);
        return find_child(trie, node, levels->level[depth], *hash);
}

static bool collect(_Atomic(struct route *) *from, struct matches *out)
{
        struct route *route = atomic_load_explicit(from, memory_order_acquire);

        return route == NULL || matches_add(out, route);
}

/* Depth first. Each node leaves at most two children in its place, one level deeper, so what waits
 * is never more than one per level and the one just found. */
bool trie_match(struct trie *trie, struct str topic, struct matches *out)
{
        struct {
                struct trie_node *node;
                uint64_t          hash;
                unsigned          depth;
        } stack[TOPIC_LEVELS_MAX + 1];
        struct trie_node *root    = atomic_load_explicit(&trie->entry, memory_order_acquire);
        bool              special = topic.len > 0 && topic.ptr[0] == '$';
        unsigned          waiting = 0;
        struct levels     levels;

        if (root == NULL)
                return true;
        split(&levels, topic);
        stack[waiting].node    = root;
        stack[waiting].hash    = 0;
        stack[waiting++].depth = 0;
        while (waiting > 0) {
                struct trie_node *node     = stack[--waiting].node;
                uint64_t          hash     = stack[waiting].hash;
                unsigned          depth    = stack[waiting].depth;
                bool              shielded = special && depth == 0;      /* [MQTT-4.7.2-1] */

                if (!shielded && !collect(&node->below, out))
                        return false;
                if (depth == levels.count) {
                        if (!collect(&node->route, out))
                                return false;
                        continue;
                }

                uint64_t          hashes[2] = { edge_hash(hash, trie->plus_hash), hash };
                struct trie_node *child[2]  = {
                        shielded ? NULL : atomic_load_explicit(&node->plus, memory_order_acquire),
                        named_child(trie, node, &levels, depth, &hashes[1]),
                };

                for (unsigned i = 0; i < 2; i++) {
                        if (child[i] == NULL)
                                continue;
                        assert(waiting <= TOPIC_LEVELS_MAX);
                        stack[waiting].node    = child[i];
                        stack[waiting].hash    = hashes[i];
                        stack[waiting++].depth = depth + 1;
                }
        }
        return true;
}
