/* A record with a message: a delivery, the retained message of a topic, one that is to be
 * published. It is made and forgotten by whoever has the message, and may owe to the message's
 * receipt until it is safe. */
#ifndef LINNET_CORE_ENTRY_H
#define LINNET_CORE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/delivery.h"
#include "core/kept.h"
#include "rt/role.h"

struct session;
struct shard;

/* What an entry waits for before its session may go on with it. */
enum entry_wait { ENTRY_READY, ENTRY_TO_PUBLISH, ENTRY_TO_RELEASE };

struct entry {
        struct kept      kept;
        struct shard    *shard;
        struct session  *session;       /* of a delivery */
        struct message  *message;       /* its owner's; a pending one's own reference */
        uint64_t         due_us;        /* of a pending one */
        bool             granted;       /* of that: see record_pending */
        uint16_t         packet_id;     /* 0: not sent */
        uint8_t          qos;
        bool             owes;          /* to the message's receipt */
        bool             retain, released;
        bool             replaced;      /* another record takes the place of this one */
        uint32_t         share;         /* the delivery's */
        uint8_t          wait;          /* enum entry_wait */
        uint16_t         more_count;
        uint32_t         id;
        unsigned         priority;
        const uint32_t  *more_ids;      /* the delivery's */
        struct str       name;          /* of a pending one: owned; ptr NULL: for everyone */
};

/* Keeps the delivery, in delivery->entry; nothing below QoS 1 or when the session is not kept.
 * False without memory: the message's receipt shows the loss. */
bool entry_of_delivery(struct session *session, struct delivery *delivery) ON_SHARD;

/* The message of a topic, for a retainer; and one to be published at its time, whatever happens
 * meanwhile. NULL without memory, or when nothing is kept. */
struct entry *entry_of_retained(struct shard *shard, struct message *message) ON_SHARD;
struct entry *entry_of_pending(struct shard *shard, struct message *message, uint64_t due_us,
                               struct str name) ON_SHARD;

/* The entry of a delivery whose record is in the store. NULL without memory. */
struct entry *entry_adopt_delivery(struct session *session, struct delivery *delivery,
                                   uint64_t key) ON_SHARD;

/* The same of a message that a restart has found under that key. */
struct entry *entry_adopt(struct shard *shard, struct message *message, enum kept_kind kind,
                          uint64_t key) ON_SHARD;

/* The entry's delivery got its packet id; was released. True: the session may go on at once; else
 * session_go_on() is called when the record is safe. */
bool entry_send(struct entry *entry, uint16_t packet_id) ON_SHARD;
bool entry_release(struct entry *entry) ON_SHARD;
bool entry_is_safe(const struct entry *entry);  /* in the store as it is now */

/* Its publisher's packet id is safe, or need not be: it will not come again at QoS 2. */
bool entry_is_confirmed(const struct entry *entry);

void entry_free(struct entry *entry);   /* with its record; NULL is nothing */
void entry_pay_later(struct entry *entry);      /* what is owed: when all changed so far is safe */
void entry_replace(struct entry *entry);        /* the same, and its record goes no sooner */
void entry_leave(struct entry *entry);  /* memory, not the store: it is safe */

/* The message makes a record go: its publisher is acknowledged when that is safe. */
void entry_removal(struct shard *shard, struct message *message) ON_SHARD;

#endif
