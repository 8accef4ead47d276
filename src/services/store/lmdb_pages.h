/* Is an LMDB file what LMDB takes it for? It keeps no checksums of its pages and believes what it
 * reads: on a damaged one it aborts, reads outside of its map, or walks in circles. So the pages
 * are read here first, as bytes. Pure but for reading the file.
 *
 * The format is that of LMDB 0.9 on 64-bit little-endian machines (version 1 in its meta pages). */
#ifndef LINNET_SERVICES_STORE_LMDB_PAGES_H
#define LINNET_SERVICES_STORE_LMDB_PAGES_H

#include <stdbool.h>
#include <stdint.h>

struct lmdb_damage {
        uint64_t    page;
        const char *what;               /* "a key is out of order"; static storage */
        bool        foreign;            /* its first pages are not LMDB's: no store, or no more */
};

/* True: of the newest committed state, every page is of its kind and says its own number, every
 * entry lies within its page, all keys are where a search finds them, counts are right, and no page
 * is used twice, or used and free. Values are not looked at. */
bool lmdb_pages_hold(int file, struct lmdb_damage *damage);

#endif
