#include "services/store/lmdb_pages.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "services/store/lmdb_format.h"

static bool hold(struct pages *pages);

bool lmdb_pages_hold(int file, struct lmdb_damage *damage)
{
        struct pages pages = { .file = file, .damage = damage };
        struct stat  status;
        bool         holds;

        *damage = (struct lmdb_damage){ .what = "the file cannot be read" };
        if (fstat(file, &status) != 0)
                return false;
        pages.file_size = (uint64_t)status.st_size;
        holds           = hold(&pages);
        mem_free(pages.seen);
        return holds;
}

static bool damaged(struct pages *pages, uint64_t page, const char *what)
{
        *pages->damage = (struct lmdb_damage){ .page = page, .what = what };
        return false;
}

static bool hold(struct pages *pages)
{
        struct tree free = { 0 }, trees = { 0 };

        if (!lmdb_read_metas(pages, &free, &trees)) {
                pages->damage->foreign = true;
                return false;
        }
        pages->seen = mem_zalloc(pages->count / 8 + 1);
        if (pages->seen == NULL)
                return damaged(pages, 0, "there is no memory to check it");
        return lmdb_tree_holds(pages, &trees) && lmdb_tree_holds(pages, &free);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool read_at(struct pages *pages, uint64_t at, void *to, size_t size)
{
        size_t done = 0;

        while (done < size) {
                ssize_t len = pread(pages->file, (char *)to + done, size - done,
                                    (off_t)(at + done));

                if (len <= 0)
                        return false;
                done += (size_t)len;
        }
        return true;
}

static struct tree tree_at(const char *bytes, enum tree_kind kind)
{
        return (struct tree){
                .kind      = kind,
                .depth     = (uint16_t)number(bytes + 6, 2),
                .branches  = number(bytes + 8, 8),
                .leaves    = number(bytes + 16, 8),
                .overflows = number(bytes + 24, 8),
                .entries   = number(bytes + 32, 8),
                .root      = number(bytes + 40, 8),
        };
}

/* LMDB itself looks at both and takes the newer one. */
bool lmdb_read_metas(struct pages *pages, struct tree *free, struct tree *trees)
{
        uint64_t newest = 0;

        for (uint64_t page = 0; page < METAS; page++) {
                char        bytes[HEADER + META_BYTES];
                const char *meta = bytes + HEADER;

                if (!read_at(pages, page * pages->page_size, bytes, sizeof bytes))
                        return damaged(pages, page, "the file ends early");
                if ((number(bytes + 10, 2) & IS_META) == 0 || number(meta, 4) != META_MAGIC ||
                    number(meta + 4, 4) != META_VERSION)
                        return damaged(pages, page, "it is not LMDB's");

                uint64_t txn  = number(meta + 24 + 2 * TREE_BYTES + 8, 8);
                size_t   size = number(meta + 24, 4);

                if (size < PAGE_SIZE_MIN || size > PAGE_SIZE_MAX || (size & (size - 1)) != 0 ||
                    (page > 0 && size != pages->page_size))
                        return damaged(pages, page, "it has no page size that could be");
                pages->page_size = size;
                if (page > 0 && txn <= newest)
                        continue;
                newest       = txn;
                pages->count = number(meta + 24 + 2 * TREE_BYTES, 8) + 1;
                *free        = tree_at(meta + 24, TREE_FREE);
                *trees       = tree_at(meta + 24 + TREE_BYTES, TREE_TREES);
        }
        if (pages->count < METAS || pages->count > UINT64_MAX / PAGE_SIZE_MAX)
                return damaged(pages, 0, "it has no number of pages that could be");
        return true;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static bool take_pages(struct pages *pages, uint64_t first, uint64_t count)
{
        if (first < METAS || first >= pages->count || count > pages->count - first)
                return damaged(pages, first, "there is no such page");
        for (uint64_t page = first; page < first + count; page++) {
                if ((pages->seen[page / 8] >> page % 8 & 1) != 0)
                        return damaged(pages, page, "it is used twice, or used and free");
                pages->seen[page / 8] |= (uint8_t)(1u << page % 8);
        }
        return true;
}

bool lmdb_page_is_sane(const struct pages *pages, const char *page)
{
        size_t lower = number(page + 12, 2), upper = number(page + 14, 2);

        return lower >= HEADER + 2 && lower % 2 == 0 && lower <= upper && upper <= pages->page_size;
}

static bool read_page(struct pages *pages, uint64_t page, unsigned kind, char *to)
{
        if (!take_pages(pages, page, 1))
                return false;
        if (!read_at(pages, page * pages->page_size, to, pages->page_size))
                return damaged(pages, page, "it is not in the file");
        if (number(to, 8) != page)
                return damaged(pages, page, "it says another number");
        if (number(to + 10, 2) != kind)
                return damaged(pages, page, "it is of another kind");
        if (!lmdb_page_is_sane(pages, to))
                return damaged(pages, page, "its free space is not where it could be");
        return true;
}

bool lmdb_node_at(const struct pages *pages, const char *page, size_t index, bool of_leaf,
                  struct node *out)
{
        size_t      at   = number(page + HEADER + 2 * index, 2);
        size_t      room = pages->page_size;
        const char *node = page + at;

        if (at < number(page + 14, 2) || at > room - NODE_HEADER)
                return false;
        room -= at + NODE_HEADER;
        out->key = str_from(node + NODE_HEADER, number(node + 6, 2));
        if (out->key.len > KEY_MAX || out->key.len > room)
                return false;
        room -= out->key.len;
        out->flags = (uint16_t)number(node + 4, 2);
        out->size  = (uint32_t)number(node, 4);
        out->page  = number(node, 4) | number(node + 4, 2) << 32;
        if (!of_leaf)
                return true;
        out->value = str_from(out->key.ptr + out->key.len,
                              (out->flags & NODE_BIG) != 0 ? 8 : out->size);
        if (out->value.len > room)
                return false;
        if ((out->flags & NODE_BIG) != 0)
                out->page = number(out->value.ptr, 8);
        return true;
}

/* No two nodes share a byte, and together they are all that is behind the free space: LMDB counts
 * on that when it adds one, and would find more room than there is. */
static bool nodes_fill_it(const struct pages *pages, const char *page, bool of_leaf)
{
        uint8_t     taken[PAGE_SIZE_MAX / 2 / 8] = { 0 };       /* they begin and end evenly */
        size_t      room                         = pages->page_size - number(page + 14, 2);
        struct node node;

        for (size_t i = 0; i < node_count(page); i++) {
                size_t at = number(page + HEADER + 2 * i, 2);

                if (at % 2 != 0 || !lmdb_node_at(pages, page, i, of_leaf, &node))
                        return false;

                size_t end = at + NODE_HEADER + node.key.len + (of_leaf ? node.value.len : 0);

                for (; at < end; at += 2) {
                        if ((taken[at / 16] >> at / 2 % 8 & 1) != 0)
                                return false;
                        taken[at / 16] |= (uint8_t)(1u << at / 2 % 8);
                        room -= 2;      /* below 0 it is far from 0 */
                }
        }
        return room == 0;
}

static int key_compare(const struct tree *tree, struct str a, struct str b)
{
        if (tree->kind != TREE_FREE || a.len != 8 || b.len != 8)
                return str_compare(a, b);

        uint64_t x = number(a.ptr, 8), y = number(b.ptr, 8);

        return (x > y) - (x < y);
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool overflow_holds(struct pages *pages, const struct node *node, struct tree *found)
{
        uint64_t needed = (HEADER - 1 + (uint64_t)node->size) / pages->page_size + 1, there;
        char     header[HEADER];

        if (node->page < METAS || node->page >= pages->count ||
            !read_at(pages, node->page * pages->page_size, header, sizeof header))
                return damaged(pages, node->page, "it is not in the file");
        there = number(header + 12, 4);
        if (number(header, 8) != node->page || number(header + 10, 2) != IS_OVERFLOW ||
            there < needed)
                return damaged(pages, node->page, "it is not a large value's first");
        if (!take_pages(pages, node->page, there))
                return false;
        if (node->page * pages->page_size + HEADER + node->size > pages->file_size)
                return damaged(pages, node->page, "the file ends before its value does");
        found->overflows += there;
        return true;
}

/* A list of free pages: how many, and their numbers. */
static bool free_list_holds(struct pages *pages, uint64_t page, struct str list)
{
        uint64_t words = list.len / 8, count = words > 0 ? number(list.ptr, 8) : UINT64_MAX;

        if (count >= words)
                return damaged(pages, page, "a list of free pages is too short");
        for (uint64_t i = 1; i <= count; i++)
                if (!take_pages(pages, number(list.ptr + i * 8, 8), 1))
                        return false;
        return true;
}

static bool free_entry_holds(struct pages *pages, uint64_t page, const struct node *node)
{
        struct str list = node->value;
        char      *big  = NULL;
        bool       holds;

        if (node->key.len != 8)
                return damaged(pages, page, "a key is not as long as it is");
        if ((node->flags & NODE_BIG) != 0) {
                big = mem_alloc(node->size);
                if (big == NULL)
                        return damaged(pages, page, "there is no memory to check it");
                if (!read_at(pages, node->page * pages->page_size + HEADER, big, node->size)) {
                        mem_free(big);
                        return damaged(pages, node->page, "it is not in the file");
                }
                list = str_from(big, node->size);
        }
        holds = free_list_holds(pages, page, list);
        mem_free(big);
        return holds;
}

static bool entry_holds(struct pages *pages, uint64_t page, const struct node *node,
                        struct tree *found)
{
        struct tree below;

        if (node->flags != (found->kind == TREE_TREES ? NODE_TREE : node->flags & NODE_BIG))
                return damaged(pages, page, "an entry is of a kind that cannot be");
        if ((node->flags & NODE_BIG) != 0 && !overflow_holds(pages, node, found))
                return false;
        found->entries++;
        switch (found->kind) {
        case TREE_FREE:
                return free_entry_holds(pages, page, node);
        case TREE_TREES:
                if (node->size != TREE_BYTES)
                        return damaged(pages, page, "a tree is not as long as it is");
                below = tree_at(node->value.ptr, TREE_TABLE);
                return lmdb_tree_holds(pages, &below);
        case TREE_TABLE:
                return true;
        }
        return false;
}

static bool leaf_holds(struct pages *pages, const char *bytes, struct bounds bounds,
                       struct tree *found)
{
        uint64_t    page = number(bytes, 8);
        struct str  last = { 0 };
        struct node node;

        for (size_t i = 0; i < node_count(bytes); i++) {
                lmdb_node_at(pages, bytes, i, true, &node);
                if (node.key.len == 0 ||
                    (last.ptr != NULL && key_compare(found, last, node.key) >= 0) ||
                    (bounds.low.ptr != NULL && key_compare(found, bounds.low, node.key) > 0) ||
                    (bounds.high.ptr != NULL && key_compare(found, bounds.high, node.key) <= 0))
                        return damaged(pages, page, "a key is out of order");
                if (!entry_holds(pages, page, &node, found))
                        return false;
                last = node.key;
        }
        found->leaves++;
        return true;
}

/* ---- trees ---------------------------------------------------------------------------------- */

static bool branch_holds(struct pages *pages, const char *bytes, struct bounds bounds,
                         unsigned depth, struct tree *found);

/* `depth` is how many levels there are from this page on. */
static bool level_holds(struct pages *pages, uint64_t page, struct bounds bounds, unsigned depth,
                        struct tree *found)
{
        bool  is_leaf = depth == 1;
        char *bytes   = mem_alloc(pages->page_size);
        bool  holds;

        if (bytes == NULL)
                return damaged(pages, page, "there is no memory to check it");
        holds = read_page(pages, page, is_leaf ? IS_LEAF : IS_BRANCH, bytes);
        if (holds && !nodes_fill_it(pages, bytes, is_leaf))
                holds = damaged(pages, page, "an entry does not lie where it could");
        if (holds)
                holds = is_leaf ? leaf_holds(pages, bytes, bounds, found)
                                : branch_holds(pages, bytes, bounds, depth, found);
        mem_free(bytes);
        return holds;
}

static bool branch_holds(struct pages *pages, const char *bytes, struct bounds bounds,
                         unsigned depth, struct tree *found)
{
        size_t      count = node_count(bytes);
        struct node node, next;

        for (size_t i = 0; i < count; i++) {
                struct bounds inner = bounds;

                lmdb_node_at(pages, bytes, i, false, &node);
                if (i > 0)
                        inner.low = node.key;
                if (i + 1 < count && lmdb_node_at(pages, bytes, i + 1, false, &next))
                        inner.high = next.key;
                if (!level_holds(pages, node.page, inner, depth - 1, found))
                        return false;
        }
        found->branches++;
        return true;
}

bool lmdb_tree_holds(struct pages *pages, const struct tree *tree)
{
        struct tree found = { .kind = tree->kind };

        if (tree->root != NO_ROOT) {
                if (tree->depth == 0 || tree->depth > DEPTH_MAX)
                        return damaged(pages, tree->root, "its tree has no depth that could be");
                if (!level_holds(pages, tree->root, (struct bounds){ 0 }, tree->depth, &found))
                        return false;
        }
        if (found.branches != tree->branches || found.leaves != tree->leaves ||
            found.overflows != tree->overflows || found.entries != tree->entries)
                return damaged(pages, tree->root == NO_ROOT ? 0 : tree->root,
                               "its tree has not as many pages or entries as it says");
        return true;
}
