/* The store as the core sees it: an actor that takes batches of records and says when they are
 * safe. services/store implements it; without one (durability = memory) nothing is kept. */
#ifndef LINNET_CORE_STORE_PORT_H
#define LINNET_CORE_STORE_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/guid.h"
#include "core/message.h"
#include "rt/mail.h"

enum durability { DURABILITY_MEMORY, DURABILITY_RELAXED, DURABILITY_STRICT };

enum store_verb {
        STORE_PUT,              /* the value, new or in place of the old one */
        STORE_REMOVE,
        STORE_MARK,             /* guid: the newest QoS 2 message whose packet id is here */
};

/* One change, as a mail in the parcel that is a batch. It is never delivered: the store walks the
 * parcel, perhaps several times, and drops it once the batch is safe. */
struct store_change {
        struct mail     mail;
        enum store_verb verb;
        bool            again;          /* STORE_PUT: the store may have an older one */
        uint32_t        value_len;
        uint64_t        key;
        struct message *message;        /* a reference: what the record refers to, or NULL */
        struct guid     guid;           /* STORE_MARK; of a STORE_PUT: a mark with it, or zero */
        char            value[];
};

enum { STORE_LOAD_MAX = 128 };          /* records in one request */

/* Deliveries that a session wants back in memory, by their keys; answered by journal_loaded(). */
struct store_load {
        unsigned shard;
        uint32_t count;
        uint64_t session;               /* its serial on the shard */
        uint64_t keys[STORE_LOAD_MAX];
};

/* Written by the store, read by anyone. */
struct store_stats {
        _Atomic uint64_t commits;
        _Atomic uint64_t records;               /* changes written */
        _Atomic uint64_t commit_us;             /* time spent committing */
        _Atomic uint64_t commit_us_last;
        _Atomic uint64_t unsynced_bytes;        /* of batches taken and not yet safe */
        _Atomic uint64_t disk_bytes;
        _Atomic uint64_t damaged;               /* records that were set aside */
        _Atomic uint64_t failing;               /* 1: batches cannot be written just now */
};

struct store_port;

/* Any thread may call them. */
struct store_port_ops {
        /* Takes the batch of a shard; its number comes back by journal_tell_safe(), or, when there
         * is no room for it, by journal_tell_full(). `relief`: it takes no room, but makes some. */
        void (*post)(struct store_port *port, unsigned shard, uint64_t number,
                     struct parcel *batch, bool relief);

        /* False without memory. */
        bool (*load)(struct store_port *port, const struct store_load *load);
};

struct store_port {
        const struct store_port_ops *ops;
        enum durability              level;
        struct store_stats           stats;
};

#endif
