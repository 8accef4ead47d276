/* Where records lie: a transactional store of three ordered tables. One on LMDB, and its twin in
 * memory for tests, the simulator and `durability = memory`. One thread uses an engine.
 *
 *      records   key (8 bytes, big-endian)  -> core/record.h
 *      bodies    guid (16 bytes)            -> a message's body
 *      refs      guid                       -> how many records refer to the body, from two on
 *      aside     table, key                 -> what was found damaged, as it was
 *
 * Values carry a checksum (XXH3, over table, key and value), added and checked here. */
#ifndef LINNET_SERVICES_STORE_ENGINE_H
#define LINNET_SERVICES_STORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/guid.h"
#include "base/str.h"

enum engine_table { ENGINE_RECORDS, ENGINE_BODIES, ENGINE_REFS, ENGINE_ASIDE, ENGINE_TABLES };

enum engine_result {
        ENGINE_OK,
        ENGINE_NONE,            /* no such key */
        ENGINE_THERE,           /* there is such a key, and nothing was changed */
        ENGINE_DAMAGED,         /* there is a value, and its checksum does not fit */
        ENGINE_GROW,            /* abort, engine_grow(), and do the transaction again */
        ENGINE_FULL,            /* the disk is: abort, and try the transaction again later */
        ENGINE_FAILED,          /* anything else; engine_why() says what. Try again later */
};

struct engine;

struct engine_ops {
        const char *name;

        /* One transaction at a time. After any result but OK of put, remove or commit (and THERE
         * of add, NONE of remove) the transaction is to be aborted (after a failed commit: it has
         * been). */
        enum engine_result (*begin)(struct engine *engine);
        enum engine_result (*commit)(struct engine *engine);    /* it is on disk, or nothing is */
        void               (*abort)(struct engine *engine);
        enum engine_result (*grow)(struct engine *engine);      /* outside of a transaction */

        /* Within a transaction. What get shows lives until the transaction's next change. */
        enum engine_result (*get)(struct engine *engine, enum engine_table table, struct str key,
                                  struct str *value);
        enum engine_result (*put)(struct engine *engine, enum engine_table table, struct str key,
                                  struct str value);
        enum engine_result (*add)(struct engine *engine, enum engine_table table, struct str key,
                                  struct str value);    /* THERE when there is one already */
        enum engine_result (*remove)(struct engine *engine, enum engine_table table,
                                     struct str key);   /* NONE when there was none */

        /* Within a transaction: the first entry whose key is not below `from`, in key order. A
         * damaged one shows its key, and its raw value without the checksum. */
        enum engine_result (*next)(struct engine *engine, enum engine_table table, struct str from,
                                   struct str *key, struct str *value);

        /* The same for whoever looks at what may be damaged: the first entry, then the next one in
         * the order in which they lie, whatever their keys. Nothing is changed in between. */
        enum engine_result (*walk)(struct engine *engine, enum engine_table table, bool first,
                                   struct str *key, struct str *value);

        /* Outside of a transaction: much was read, and is not needed any more. */
        void (*rest)(struct engine *engine);

        uint64_t (*bytes)(const struct engine *engine);         /* on disk, or in memory */
        void     (*close)(struct engine *engine);
};

/* The first member of every engine. */
struct engine {
        const struct engine_ops *ops;
        char                     why[256];      /* words for the last FULL or FAILED */
};

/* Looks at every page of the store in folder `path`/store, without LMDB, which believes what it
 * reads and may crash on a damaged one. False, and `why` is one sentence: its structure is damaged.
 * True: it holds, there is none yet, or opening it says better what is wrong. Values are not
 * verified. */
bool engine_lmdb_check(const char *path, char why[static 256]);

/* Opens (or makes) the store in folder `path`/store. NULL, and `why` is one sentence that says what
 * is wrong and what to do: locked by another process (its pid), another owner, a newer version,
 * not a store, no room. */
struct engine *engine_lmdb_open(const char *path, bool read_only, char why[static 256]);

/* The same store when engine_lmdb_check() says no: what of it can still be read, by begin, get,
 * walk, bytes and close alone. Memory: 40 bytes an entry. */
struct engine *engine_salvage_open(const char *path, char why[static 256]);

#define ENGINE_FORMAT_KEY "linnet store format"         /* the one entry that is in no table */

const char *engine_table_name(enum engine_table table);         /* "records"; "unknown" */

/* Keys as tables want them. */
enum { ENGINE_RECORD_KEY = 8, ENGINE_GUID_KEY = 16, ENGINE_ASIDE_KEY = 1 + ENGINE_GUID_KEY };

void        engine_record_key(uint64_t key, char to[static ENGINE_RECORD_KEY]);
uint64_t    engine_record_key_of(struct str key);
void        engine_guid_key(struct guid guid, char to[static ENGINE_GUID_KEY]);
struct guid engine_guid_of(struct str key);

/* What is set aside: its table and its key, cut at ENGINE_GUID_KEY bytes (one may be damaged). */
struct str engine_aside_key(enum engine_table table, struct str key,
                            char to[static ENGINE_ASIDE_KEY]);

/* ---- the twin in memory ----------------------------------------------------------------------
 * Its contents (`vault`) outlive the engine, as a disk outlives a process: close the engine in
 * the middle of a transaction and open another one on the vault, and it shows what was committed.
 */
struct vault;

struct vault  *vault_new(void);
void           vault_free(struct vault *vault);
struct engine *engine_memory_open(struct vault *vault);

/* Faults, for tests: the commits after this many fail with FULL (UINT64_MAX: none), until it is
 * set anew; those that need room do while it is tight; after that many changes one fails, once; no
 * transaction begins while it is shut; and one byte of the stored value is changed (false: there is
 * no such value). */
void vault_fill_after(struct vault *vault, uint64_t commits);
void vault_tighten(struct vault *vault, bool tight);
void vault_fail_after(struct vault *vault, uint64_t changes);
void vault_shut(struct vault *vault, bool shut);
bool vault_damage(struct vault *vault, enum engine_table table, struct str key, size_t at);

#endif
