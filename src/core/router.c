#include "core/router.h"

#include <assert.h>

#include "base/list.h"
#include "base/memory.h"
#include "core/router_table.h"
#include "core/trie.h"
#include "mqtt/topic.h"
#include "rt/lock.h"

struct router {
        struct lock      lock;                  /* writers */
        struct hash_key  key;
        unsigned         shards;
        struct table     filters;               /* all routes, the wild ones too */
        struct trie      trie;                  /* the wild ones by their levels */
        _Atomic uint32_t count;
        _Atomic uint64_t version;               /* of the set of routes; from 1 on */
};

/* What group->turn points into: outlives every group that had it. */
struct turn {
        _Atomic uint32_t value;                 /* first */
        struct retired   retired;
};

/* ---- routes ---------------------------------------------------------------------------------- */

static struct route *find(struct router *router, struct str filter, uint64_t hash)
{
        struct table_probe probe = table_probe(&router->filters, hash);
        struct route      *route;

        while ((route = table_next(&probe)) != NULL)
                if (str_eq(route_filter(route), filter))
                        return route;
        return NULL;
}

static void on_route_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct route, retired));
}

/* A route with what it has from the beginning, not linked yet. */
static struct route *route_new(struct router *router, struct str filter, uint64_t hash)
{
        size_t        locals = router->shards * sizeof(void *);
        size_t        bits   = route_words(router->shards) * sizeof(uint64_t);
        struct route *route  = mem_zalloc(sizeof *route + locals + bits + filter.len);

        if (route == NULL)
                return NULL;
        assert(filter.len > 0 && filter.len <= TOPIC_BYTES_MAX);
        route->hash       = hash;
        route->filter_len = (uint16_t)filter.len;
        route->slots      = (uint16_t)router->shards;
        route->wild       = topic_is_wild(filter);
        memcpy((char *)&route->local[route->slots] + bits, filter.ptr, filter.len);
        return route;
}

/* Lets readers find it; false without memory, and nothing has changed. */
static bool route_link(struct router *router, struct loop *loop, struct route *route)
        ON_SHARD HOLDS(router->lock)
{
        if (!table_reserve(&router->filters, loop, 1))
                return false;
        if (route->wild && !trie_add(&router->trie, loop, route))
                return false;
        table_put(&router->filters, route->hash, route);
        atomic_fetch_add_explicit(&router->version, 1, memory_order_release);
        atomic_fetch_add_explicit(&router->count, 1, memory_order_relaxed);
        return true;
}

static void unlink_unless_used(struct router *router, struct loop *loop, struct route *route)
        ON_SHARD HOLDS(router->lock)
{
        if (route->plain_count > 0 ||
            atomic_load_explicit(&route->groups, memory_order_relaxed) != NULL)
                return;
        table_remove(&router->filters, route->hash, route);
        if (route->wild)
                trie_remove(&router->trie, loop, route);
        atomic_fetch_add_explicit(&router->version, 1, memory_order_release);
        atomic_fetch_sub_explicit(&router->count, 1, memory_order_relaxed);
        reclaim_retire(loop, &route->retired, on_route_release);
}

static _Atomic uint64_t *word_of(struct route *route, unsigned shard)
{
        return (_Atomic uint64_t *)(void *)&route->local[route->slots] + shard / 64;
}

static void set_shard(struct route *route, unsigned shard)
{
        if (route_has_shard(route, shard))
                return;
        route->plain_count++;
        atomic_fetch_or_explicit(word_of(route, shard), 1ull << shard % 64, memory_order_release);
}

static struct route *add(struct router *router, struct loop *loop, struct str filter)
        ON_SHARD HOLDS(router->lock)
{
        uint64_t      hash  = hash_str(&router->key, filter);
        struct route *route = find(router, filter, hash);

        if (route != NULL) {
                set_shard(route, loop->config.id);
                return route;
        }
        route = route_new(router, filter, hash);
        if (route == NULL)
                return NULL;
        set_shard(route, loop->config.id);
        if (!route_link(router, loop, route)) {
                mem_free(route);
                return NULL;
        }
        return route;
}

struct route *router_add(struct router *router, struct loop *loop, struct str filter)
{
        struct route *route;

        assert(loop->config.id < router->shards);
        lock_take(&router->lock);
        route = add(router, loop, filter);
        lock_release(&router->lock);
        return route;
}

void router_remove(struct router *router, struct loop *loop, struct route *route)
{
        unsigned shard = loop->config.id;

        lock_take(&router->lock);
        assert(route_has_shard(route, shard) && route->plain_count > 0);
        route->plain_count--;
        atomic_fetch_and_explicit(word_of(route, shard), ~(1ull << shard % 64),
                                  memory_order_release);
        unlink_unless_used(router, loop, route);
        lock_release(&router->lock);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void on_group_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct group, retired));
}

static void on_list_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct group_list, retired));
}

static void on_turn_release(struct retired *retired)
{
        mem_free(list_entry(retired, struct turn, retired));
}

static struct turn *turn_of(const struct group *group)
{
        return (struct turn *)(void *)group->turn;
}

static struct group *group_new(struct str name, uint32_t count, _Atomic uint32_t *turn)
{
        struct group *group =
                mem_alloc(sizeof *group + count * sizeof(struct member *) + name.len);

        if (group == NULL)
                return NULL;

        char *text = (char *)&group->members[count];

        if (name.len > 0)
                memcpy(text, name.ptr, name.len);
        group->retired = (struct retired){ 0 };
        group->name    = str_from(text, name.len);
        group->turn    = turn;
        group->count   = count;
        return group;
}

/* A list like `old` (or an empty one) with `count` places, filled as far as both go. */
static struct group_list *list_like(const struct group_list *old, uint32_t count)
{
        struct group_list *list =
                mem_zalloc(sizeof *list + count * sizeof(struct group *));

        if (list == NULL)
                return NULL;
        list->count = count;
        for (uint32_t i = 0; old != NULL && i < count && i < old->count; i++)
                list->groups[i] = old->groups[i];
        return list;
}

/* Where the group of this name stands; the count when there is none. */
static uint32_t place_of(const struct group_list *list, struct str name)
{
        uint32_t place = 0;

        while (list != NULL && place < list->count && !str_eq(list->groups[place]->name, name))
                place++;
        return place;
}

static void publish(struct loop *loop, struct route *route, struct group_list *list) ON_SHARD
{
        struct group_list *old = atomic_load_explicit(&route->groups, memory_order_relaxed);

        atomic_store_explicit(&route->groups, list, memory_order_release);
        if (old != NULL)
                reclaim_retire(loop, &old->retired, on_list_release);
}

/* The group with one member more; the first one gets a turn counter too. */
static struct group *group_joined(const struct group *old, struct str name, struct member *member)
{
        struct turn  *turn  = old != NULL ? turn_of(old) : mem_zalloc(sizeof *turn);
        uint32_t      count = old != NULL ? old->count : 0;
        struct group *group = turn != NULL ? group_new(name, count + 1, &turn->value) : NULL;

        if (group == NULL) {
                if (old == NULL)
                        mem_free(turn);
                return NULL;
        }
        for (uint32_t i = 0; i < count; i++) {
                assert(old->members[i] != member);
                group->members[i] = old->members[i];
        }
        group->members[count] = member;
        return group;
}

static struct route *join(struct router *router, struct loop *loop, struct str filter,
                          struct str name, struct member *member)
        ON_SHARD HOLDS(router->lock)
{
        uint64_t           hash  = hash_str(&router->key, filter);
        struct route      *route = find(router, filter, hash);
        bool               fresh = route == NULL;
        struct group_list *old   = NULL;

        if (fresh)
                route = route_new(router, filter, hash);
        else
                old = atomic_load_explicit(&route->groups, memory_order_relaxed);
        if (route == NULL)
                return NULL;

        uint32_t           groups = old != NULL ? old->count : 0;
        uint32_t           place  = place_of(old, name);
        struct group      *before = place < groups ? old->groups[place] : NULL;
        struct group      *group  = group_joined(before, name, member);
        struct group_list *list   = list_like(old, before != NULL ? groups : groups + 1);

        if (group != NULL && list != NULL) {
                list->groups[place] = group;
                if (!fresh) {
                        publish(loop, route, list);
                        if (before != NULL)
                                reclaim_retire(loop, &before->retired, on_group_release);
                        return route;
                }
                atomic_store_explicit(&route->groups, list, memory_order_relaxed);
                if (route_link(router, loop, route))
                        return route;
        }
        if (group != NULL && before == NULL)
                mem_free(turn_of(group));
        mem_free(group);
        mem_free(list);
        if (fresh)
                mem_free(route);
        return NULL;
}

struct route *router_join(struct router *router, struct loop *loop, struct str filter,
                          struct str name, struct member *member)
{
        struct route *route;

        lock_take(&router->lock);
        route = join(router, loop, filter, name, member);
        lock_release(&router->lock);
        return route;
}

/* Leaving cannot fail. Without memory for a copy the group is changed in place, by stores of single
 * words: another member stands twice then, and is chosen more often until it leaves. */
static void forget_in_place(struct group *group, const struct member *member,
                            struct member *other)
{
        for (uint32_t i = 0; i < group->count; i++)
                if (group->members[i] == member)
                        __atomic_store_n(&group->members[i], other, __ATOMIC_RELEASE);
}

static void leave_group(struct loop *loop, struct route *route, uint32_t place,
                        const struct member *member, uint32_t left) ON_SHARD
{
        struct group_list *old    = atomic_load_explicit(&route->groups, memory_order_relaxed);
        struct group      *before = old->groups[place];
        struct group      *group  = group_new(before->name, left, before->turn);
        struct group_list *list   = group != NULL ? list_like(old, old->count) : NULL;
        uint32_t           count  = 0;

        for (uint32_t i = 0; i < before->count; i++) {
                if (before->members[i] == member)
                        continue;
                if (list == NULL) {
                        mem_free(group);
                        forget_in_place(before, member, before->members[i]);
                        return;
                }
                group->members[count++] = before->members[i];
        }
        assert(count == left && list != NULL);
        list->groups[place] = group;
        publish(loop, route, list);
        reclaim_retire(loop, &before->retired, on_group_release);
}

/* The last member has left. In place, a reader on its way may see the last group twice; better
 * than not at all. */
static void drop_group(struct loop *loop, struct route *route, uint32_t place) ON_SHARD
{
        struct group_list *old  = atomic_load_explicit(&route->groups, memory_order_relaxed);
        struct group      *gone = old->groups[place];
        struct group      *last = old->groups[old->count - 1];
        struct group_list *list = old->count > 1 ? list_like(old, old->count - 1) : NULL;

        if (list != NULL || old->count == 1) {
                if (list != NULL && place < list->count)
                        list->groups[place] = last;
                publish(loop, route, list);
        } else {
                __atomic_store_n(&old->groups[place], last, __ATOMIC_RELEASE);
                __atomic_store_n(&old->count, old->count - 1, __ATOMIC_RELEASE);
        }
        reclaim_retire(loop, &turn_of(gone)->retired, on_turn_release);
        reclaim_retire(loop, &gone->retired, on_group_release);
}

void router_leave(struct router *router, struct loop *loop, struct route *route, struct str name,
                  struct member *member)
{
        struct group_list *list;
        uint32_t           place, left = 0;

        lock_take(&router->lock);
        list  = atomic_load_explicit(&route->groups, memory_order_relaxed);
        place = place_of(list, name);
        assert(list != NULL && place < list->count);
        for (uint32_t i = 0; i < list->groups[place]->count; i++)
                left += list->groups[place]->members[i] != member;
        assert(left < list->groups[place]->count);
        if (left > 0)
                leave_group(loop, route, place, member, left);
        else
                drop_group(loop, route, place);
        unlink_unless_used(router, loop, route);
        lock_release(&router->lock);
}

/* ---- the index ------------------------------------------------------------------------------- */

struct router *router_new(unsigned shards, struct hash_key key) UNCHECKED
{
        struct router *router = mem_zalloc(sizeof *router);

        assert(shards > 0 && shards <= SHARDS_MAX);
        if (router == NULL)
                return NULL;
        router->key    = key;
        router->shards = shards;
        atomic_init(&router->version, 1);
        lock_init(&router->lock, LOCK_RANK_ROUTER);
        trie_init(&router->trie, &router->key);
        return router;
}

static void free_groups(struct group_list *list)
{
        for (uint32_t i = 0; list != NULL && i < list->count; i++) {
                mem_free(turn_of(list->groups[i]));
                mem_free(list->groups[i]);
        }
        mem_free(list);
}

void router_free(struct router *router) UNCHECKED
{
        struct table_probe walk;
        struct route      *route;

        if (router == NULL)
                return;
        walk = table_walk(&router->filters);
        while ((route = table_walk_next(&walk)) != NULL) {
                free_groups(atomic_load_explicit(&route->groups, memory_order_relaxed));
                mem_free(route);
        }
        table_free(&router->filters);
        trie_free(&router->trie);
        lock_deinit(&router->lock);
        mem_free(router);
}

bool router_match(struct router *router, struct str topic, struct matches *out)
{
        struct route *route = find(router, topic, hash_str(&router->key, topic));

        out->count = 0;
        if (route != NULL && !matches_add(out, route))
                return false;
        return trie_match(&router->trie, topic, out);
}

struct route *router_find(struct router *router, struct str filter)
{
        return find(router, filter, hash_str(&router->key, filter));
}

uint64_t router_version(const struct router *router)
{
        return atomic_load_explicit(&router->version, memory_order_acquire);
}

uint32_t router_count(const struct router *router)
{
        return atomic_load_explicit(&router->count, memory_order_relaxed);
}

void router_each(struct router *router, void (*visit)(void *context, const struct route *route),
                 void *context)
{
        struct table_probe  walk;
        const struct route *route;

        lock_take(&router->lock);
        walk = table_walk(&router->filters);
        while ((route = table_walk_next(&walk)) != NULL)
                visit(context, route);
        lock_release(&router->lock);
}
