/* The tree of retained messages.
 *
 * A node is one level of a name and knows its parent; its children are a list, for wildcards, and
 * an entry each in one hash table of all edges (parent, level), for exact steps. A parent outlives
 * its children, so that its address stands for it as long as there is an edge. A node with
 * neither message nor children is removed at once, and so on upwards.
 *
 * A cursor pins the one node that it will visit next. A pinned node stays where it is, and with it
 * its parents, which have a child: so the path back is the walk's stack, and a walk that sleeps
 * holds nothing else. New children stand in front of their siblings, behind every walk: otherwise
 * a fast publisher could keep a walk from ending.
 */
#include "core/retainer.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "core/journal.h"
#include "mqtt/topic.h"

enum { PARENT_SIZE = sizeof(struct node *) };

struct node {
        struct message *message;        /* a reference, or NULL */
        struct entry   *entry;          /* its record; owned */
        struct node    *child;          /* the first; NULL: none */
        struct node    *next;           /* child of the parent; NULL: the last */
        struct node   **link;           /* what points to this one: child or next of another */
        struct list     stored;         /* in the retainer's list when there is a message */
        uint32_t        pins;           /* cursors that will visit it next; the root has one more */
        uint16_t        level_len;
        char            edge[];         /* the parent's address (NULL: the root), the level */
};

struct retainer {
        struct map   edges;             /* all nodes but the root */
        struct node *root;              /* owned */
        struct list  stored;            /* nodes with a message; the next one to be swept first */
        uint64_t     bytes;
        uint32_t     count;
        uint32_t     cursors;
        char         key[PARENT_SIZE + TOPIC_BYTES_MAX];    /* edge_key() builds here */
};

struct retained_cursor {
        struct retainer *retainer;
        struct node     *next;          /* pinned; NULL: the walk is over */
        unsigned         depth;         /* of `next`; the root's is 0 */
        unsigned         levels;        /* of the filter, without its `#` */
        bool             many;          /* ends in `#` */
        bool             shielded;      /* begins with a wildcard: sees no `$` names */
        struct str       level[TOPIC_LEVELS_MAX];       /* in the filter */
        char             filter[];
};

static struct node *node_new(struct str edge);
static struct node *node_parent(const struct node *node);
static struct node *node_add(struct retainer *retainer, struct node *parent, struct str level);
static void         node_prune(struct retainer *retainer, struct node *node);
static void         node_clear(struct retainer *retainer, struct node *node);
static struct str   node_edge(const void *node);
static struct str   edge_key(struct retainer *retainer, const struct node *parent,
                             struct str level);
static struct node *child_of(struct retainer *retainer, const struct node *parent,
                             struct str level);
static struct node *node_of(struct retainer *retainer, struct str topic);
static bool         cursor_shielded(const struct retained_cursor *cursor);
static struct message *cursor_message(struct retained_cursor *cursor, uint64_t wall_us);
static struct node    *cursor_descend(const struct retained_cursor *cursor);
static bool            cursor_branches(const struct retained_cursor *cursor, unsigned depth);
static void            cursor_step(struct retained_cursor *cursor);
static void            cursor_move(struct retained_cursor *cursor, struct node *to, unsigned depth);

struct retainer *retainer_new(struct hash_key key)
{
        struct retainer *retainer = mem_zalloc(sizeof *retainer);

        if (retainer == NULL)
                return NULL;
        list_init(&retainer->stored);
        map_init(&retainer->edges, node_edge, key);
        retainer->root = node_new(edge_key(retainer, NULL, (struct str){ 0 }));
        if (retainer->root == NULL) {
                mem_free(retainer);
                return NULL;
        }
        retainer->root->pins = 1;
        return retainer;
}

void retainer_free(struct retainer *retainer)
{
        struct node *node;
        size_t       at = 0;

        if (retainer == NULL)
                return;
        assert(retainer->cursors == 0);         /* they point into the tree */
        while ((node = map_next(&retainer->edges, &at)) != NULL) {
                entry_free(node->entry);
                message_put(node->message);
                mem_free(node);
        }
        map_deinit(&retainer->edges);
        mem_free(retainer->root);
        mem_free(retainer);
}

bool retainer_put(struct retainer *retainer, struct message *message, struct entry *entry)
{
        struct node *node = retainer->root;
        struct str   rest = message_topic(message);
        struct str   level;

        assert(topic_name_valid(rest));
        while (topic_next_level(&rest, &level)) {
                struct node *child = child_of(retainer, node, level);

                if (child == NULL)
                        child = node_add(retainer, node, level);
                if (child == NULL) {
                        node_prune(retainer, node);
                        return false;
                }
                node = child;
        }

        struct message *old = node->message;

        entry_replace(node->entry);             /* it goes when what replaces it is safe */
        entry_free(node->entry);
        node->entry   = entry;
        node->message = message_get(message);
        retainer->bytes += message_size(message);
        if (old != NULL) {
                retainer->bytes -= message_size(old);
                message_put(old);
        } else {
                list_push_back(&retainer->stored, &node->stored);
                retainer->count++;
        }
        return true;
}

bool retainer_remove(struct retainer *retainer, struct str topic)
{
        struct node *node = node_of(retainer, topic);

        if (node == NULL || node->message == NULL)
                return false;
        node_clear(retainer, node);
        node_prune(retainer, node);
        return true;
}

struct message *retainer_find(struct retainer *retainer, struct str topic, uint64_t wall_us)
{
        struct node *node = node_of(retainer, topic);

        if (node == NULL || node->message == NULL)
                return NULL;
        if (!message_expired(node->message, wall_us))
                return node->message;
        node_clear(retainer, node);
        node_prune(retainer, node);
        return NULL;
}

uint32_t retainer_count(const struct retainer *retainer)
{
        return retainer->count;
}

uint64_t retainer_bytes(const struct retainer *retainer)
{
        return retainer->bytes;
}

/* What was looked at goes to the end of the list, so that the next call begins behind it. */
unsigned retainer_sweep(struct retainer *retainer, uint64_t wall_us, unsigned budget)
{
        unsigned looks   = budget < retainer->count ? budget : retainer->count;
        unsigned removed = 0;

        for (; looks > 0; looks--) {
                struct node *node = list_entry(retainer->stored.next, struct node, stored);

                if (message_expired(node->message, wall_us)) {
                        node_clear(retainer, node);
                        node_prune(retainer, node);
                        removed++;
                } else {
                        list_remove(&node->stored);
                        list_push_back(&retainer->stored, &node->stored);
                }
        }
        return removed;
}

struct retained_cursor *retained_cursor_new(struct retainer *retainer, struct str filter)
{
        assert(topic_filter_valid(filter));

        struct retained_cursor *cursor = mem_alloc(sizeof *cursor + filter.len);

        if (cursor == NULL)
                return NULL;
        cursor->retainer = retainer;
        cursor->next     = retainer->root;
        cursor->depth    = 0;
        cursor->levels   = 0;
        cursor->many     = false;
        cursor->shielded = filter.ptr[0] == '+' || filter.ptr[0] == '#';
        memcpy(cursor->filter, filter.ptr, filter.len);

        struct str rest = str_from(cursor->filter, filter.len);
        struct str level;

        while (topic_next_level(&rest, &level)) {
                if (str_eq(level, STR("#"))) {
                        cursor->many = true;
                        break;
                }
                assert(cursor->levels < TOPIC_LEVELS_MAX);
                cursor->level[cursor->levels++] = level;
        }
        cursor->next->pins++;
        retainer->cursors++;
        return cursor;
}

unsigned retained_next(struct retained_cursor *cursor, uint64_t wall_us, struct message **out,
                       unsigned max, bool *done)
{
        unsigned count = 0;

        for (unsigned looks = 0; looks < RETAINED_SLICE_MAX; looks++) {
                if (count == max || cursor->next == NULL)
                        break;

                struct message *message = cursor_message(cursor, wall_us);

                if (message != NULL)
                        out[count++] = message_get(message);
                cursor_step(cursor);
        }
        *done = cursor->next == NULL;
        return count;
}

void retained_cursor_free(struct retained_cursor *cursor)
{
        if (cursor == NULL)
                return;
        cursor_move(cursor, NULL, 0);
        assert(cursor->retainer->cursors > 0);
        cursor->retainer->cursors--;
        mem_free(cursor);
}

static struct node *node_new(struct str edge)
{
        struct node *node = mem_zalloc(offsetof(struct node, edge) + edge.len);

        if (node == NULL)
                return NULL;
        assert(edge.len >= PARENT_SIZE);
        node->level_len = (uint16_t)(edge.len - PARENT_SIZE);
        memcpy(node->edge, edge.ptr, edge.len);
        return node;
}

static struct node *node_parent(const struct node *node)
{
        struct node *parent;

        memcpy(&parent, node->edge, PARENT_SIZE);
        return parent;
}

static struct node *node_add(struct retainer *retainer, struct node *parent, struct str level)
{
        struct node *node = node_new(edge_key(retainer, parent, level));

        if (node == NULL)
                return NULL;
        if (!map_add(&retainer->edges, node)) {
                mem_free(node);
                return NULL;
        }
        node->next = parent->child;
        node->link = &parent->child;
        if (node->next != NULL)
                node->next->link = &node->next;
        parent->child = node;
        return node;
}

/* Removes the node if nothing needs it, then its parent for the same reason, and so on. */
static void node_prune(struct retainer *retainer, struct node *node)
{
        while (node->pins == 0 && node->message == NULL && node->child == NULL) {
                struct node *parent  = node_parent(node);
                struct node *removed = map_remove(&retainer->edges, node_edge(node));

                assert(removed == node && parent != NULL);      /* the root is pinned */
                *node->link = node->next;
                if (node->next != NULL)
                        node->next->link = node->link;
                mem_free(removed);
                node = parent;
        }
}

static void node_clear(struct retainer *retainer, struct node *node)
{
        struct message *message = TAKE(node->message);

        assert(retainer->count > 0 && retainer->bytes >= message_size(message));
        retainer->count--;
        retainer->bytes -= message_size(message);
        list_remove(&node->stored);
        entry_pay_later(node->entry);           /* what it replaced is in the store still */
        entry_free(TAKE(node->entry));
        message_put(message);
}

static struct str node_edge(const void *node)
{
        const struct node *of = node;

        return str_from(of->edge, (size_t)PARENT_SIZE + of->level_len);
}

/* Valid until the next call. */
static struct str edge_key(struct retainer *retainer, const struct node *parent, struct str level)
{
        assert(level.len <= TOPIC_BYTES_MAX);
        memcpy(retainer->key, &parent, PARENT_SIZE);
        if (level.len > 0)
                memcpy(retainer->key + PARENT_SIZE, level.ptr, level.len);
        return str_from(retainer->key, PARENT_SIZE + level.len);
}

static struct node *child_of(struct retainer *retainer, const struct node *parent, struct str level)
{
        return map_find(&retainer->edges, edge_key(retainer, parent, level));
}

static struct node *node_of(struct retainer *retainer, struct str topic)
{
        struct node *node = retainer->root;
        struct str   level;

        assert(topic.len > 0);
        while (node != NULL && topic_next_level(&topic, &level))
                node = child_of(retainer, node, level);
        return node;
}

/* The node in hand begins a name with `$`, which the filter does not see [MQTT-4.7.2-1]. */
static bool cursor_shielded(const struct retained_cursor *cursor)
{
        const struct node *node = cursor->next;

        return cursor->shielded && cursor->depth == 1 && node->level_len > 0 &&
               node->edge[PARENT_SIZE] == '$';
}

/* The node's message, if its name matches. Each node on the walk matches the levels above it, so
 * its depth decides; "a/#" matches "a" too. */
static struct message *cursor_message(struct retained_cursor *cursor, uint64_t wall_us)
{
        struct node *node = cursor->next;
        bool         deep = cursor->many ? cursor->depth >= cursor->levels
                                         : cursor->depth == cursor->levels;

        if (!deep || node->message == NULL || cursor_shielded(cursor))
                return NULL;
        if (!message_expired(node->message, wall_us))
                return node->message;
        node_clear(cursor->retainer, node);     /* the node goes when the cursor has left it */
        return NULL;
}

/* The first node to visit below the one in hand. */
static struct node *cursor_descend(const struct retained_cursor *cursor)
{
        struct node *node = cursor->next;

        if (cursor_shielded(cursor) || node->child == NULL)
                return NULL;
        if (cursor_branches(cursor, cursor->depth))
                return node->child;
        if (cursor->depth == cursor->levels)
                return NULL;
        return child_of(cursor->retainer, node, cursor->level[cursor->depth]);
}

/* All children of a node at this depth are visited, not just one. */
static bool cursor_branches(const struct retained_cursor *cursor, unsigned depth)
{
        if (depth >= cursor->levels)
                return cursor->many;
        return str_eq(cursor->level[depth], STR("+"));
}

static void cursor_step(struct retained_cursor *cursor)
{
        struct node *below = cursor_descend(cursor);
        struct node *node  = cursor->next;

        if (below != NULL) {
                cursor_move(cursor, below, cursor->depth + 1);
                return;
        }
        for (unsigned depth = cursor->depth; depth > 0; depth--, node = node_parent(node)) {
                if (!cursor_branches(cursor, depth - 1) || node->next == NULL)
                        continue;
                cursor_move(cursor, node->next, depth);
                return;
        }
        cursor_move(cursor, NULL, 0);
}

/* Pins the new place before it lets go of the old one, whose removal may go far up. */
static void cursor_move(struct retained_cursor *cursor, struct node *to, unsigned depth)
{
        struct node *from = cursor->next;

        if (to != NULL)
                to->pins++;
        cursor->next  = to;
        cursor->depth = depth;
        if (from == NULL)
                return;
        assert(from->pins > 0);
        from->pins--;
        node_prune(cursor->retainer, from);
}
