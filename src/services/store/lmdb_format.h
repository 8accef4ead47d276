/* LMDB's pages, as bytes; for the two files that read them.
 *
 *      page     | number 8 | pad 2 | flags 2 | lower 2, upper 2 | offsets of nodes 2 each … nodes |
 *      overflow | number 8 | pad 2 | flags 2 | pages 4          | bytes of one value              |
 *      leaf's node    | size of value 4         | flags 2 | size of key 2 | key | value or page 8 |
 *      branch's node  | lower 32 bits of a page | upper 2 | size of key 2 | key |
 *      tree     | pad 4 | flags 2 | depth 2 | branch, leaf, overflow pages, entries, root 8 each  |
 *      meta     | a page's first 16 | magic 4 | version 4 | 8 | map size 8 | tree of free pages |
 *               | tree of trees | last page 8 | transaction 8 |
 *
 * The first key of a branch is not looked at: it stands for all that are smaller. */
#ifndef LINNET_SERVICES_STORE_LMDB_FORMAT_H
#define LINNET_SERVICES_STORE_LMDB_FORMAT_H

#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "services/store/lmdb_pages.h"

enum {
        HEADER        = 16,
        PAGE_SIZE_MIN = 512,
        PAGE_SIZE_MAX = 32768,
        NODE_HEADER   = 8,
        TREE_BYTES    = 48,
        META_BYTES    = 16 + 8 + 16 + 2 * TREE_BYTES + 16,
        KEY_MAX       = 511,
        DEPTH_MAX     = 32,             /* of LMDB's cursors */
        METAS         = 2,

        IS_BRANCH   = 0x01,
        IS_LEAF     = 0x02,
        IS_OVERFLOW = 0x04,
        IS_META     = 0x08,

        NODE_BIG  = 0x01,               /* the value is on overflow pages */
        NODE_TREE = 0x02,               /* it is a tree */
};

#define META_MAGIC   0xBEEFC0DEu
#define META_VERSION 1u
#define NO_ROOT      UINT64_MAX

static_assert(sizeof(size_t) == 8, "LMDB's files differ on other machines");

enum tree_kind { TREE_FREE, TREE_TREES, TREE_TABLE };

struct tree {
        enum tree_kind kind;
        uint16_t       depth;
        uint64_t       branches, leaves, overflows, entries, root;
};

struct pages {
        int                 file;
        uint64_t            file_size;
        size_t              page_size;
        uint64_t            count;      /* the last page and one */
        uint8_t            *seen;       /* a bit per page */
        struct lmdb_damage *damage;
};

struct node {
        struct str key;
        uint16_t   flags;               /* of a leaf's */
        uint32_t   size;                /* of a leaf's value */
        uint64_t   page;                /* a branch's child, a big value's first page */
        struct str value;               /* as far as it is in the page */
};

/* Keys of a page are in [low, high); a NULL pointer is no bound. */
struct bounds {
        struct str low, high;
};

/* A number as the file has it: of `size` bytes, the lowest first. */
static inline uint64_t number(const char *from, size_t size)
{
        uint64_t value = 0;

        memcpy(&value, from, size);
        return value;
}

static inline size_t node_count(const char *page)
{
        return (number(page + 12, 2) - HEADER) / 2;
}

/* The newest committed state of an open file: page size, page count, and its two trees. False:
 * *pages->damage says why. */
bool lmdb_read_metas(struct pages *pages, struct tree *free, struct tree *trees);

/* The free space of a page lies where it could. */
bool lmdb_page_is_sane(const struct pages *pages, const char *page);

/* A node of a page that is sane. False: it does not lie within its page. */
bool lmdb_node_at(const struct pages *pages, const char *page, size_t index, bool of_leaf,
                  struct node *out);

/* All of the tree holds. Its pages, and those that a list of free ones names, are `seen` then. */
bool lmdb_tree_holds(struct pages *pages, const struct tree *tree);

#endif
