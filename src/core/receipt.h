/* What stands between a PUBLISH and its acknowledgement: the records that must be safe first.
 *
 * A message that must not be lost carries a receipt. Whoever makes a record of it owes; when the
 * record is safe, or not needed any more, the debt is paid. Mail that takes the message to another
 * shard owes as well, until it was handled. When nothing is owed the publisher is acknowledged. At
 * QoS 2 its packet id must be safe first (core/journal), and not before the records: were it to
 * come back without them, the message would be taken for one that was delivered.
 */
#ifndef LINNET_CORE_RECEIPT_H
#define LINNET_CORE_RECEIPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/message.h"
#include "rt/role.h"

struct session;
struct shard;

struct receipt {
        _Atomic uint32_t refs;          /* of messages, and of the origin until it is done */
        _Atomic uint32_t owed;
        _Atomic bool     confirmed;     /* its packet id is safe (QoS 2 of a durable session) */
        _Atomic bool     lost;          /* a record or mail could not be made: no memory */
        bool             exact;         /* QoS 2 of a durable session; never changes */
        struct shard    *origin;

        /* Of the origin's thread only. */
        bool             open;          /* publish() is under way */
        bool             remote;        /* another shard has had the message */
        bool             finished;
        uint16_t         packet_id;     /* of an exact one */
        uint64_t         key;           /* of its record; 0: never on its way */
        uint32_t         owed_here;     /* of `owed`: records of the origin's own */
        struct guid      guid;
        struct session  *session;       /* of an exact one; NULL once it has ended */
        struct list      in_session;
        struct list      in_journal;    /* of its kind, in order */
        uint64_t         batch;         /* of those that wait for one */
        void           (*done)(struct receipt *receipt);        /* NULL: nobody asks any more */
        void            *context;
};

/* Gives the message a receipt, before publish(); `session` is the durable publisher of a QoS 2
 * message, or NULL. NULL without memory. */
struct receipt *receipt_open(struct shard *shard, struct message *message, struct session *session,
                             uint16_t packet_id) ON_SHARD;

/* After publish(). RECEIPT_WAITS: `done` will be called, on this shard, unless receipt_forget()
 * comes first. The others: it is done, and gone. */
enum receipt_state { RECEIPT_DONE, RECEIPT_LOST, RECEIPT_WAITS };

enum receipt_state receipt_close(struct receipt *receipt, void (*done)(struct receipt *),
                                 void *context) ON_SHARD;

/* Nobody asks any more; what is owed at QoS 2 is still brought to its end. */
void receipt_forget(struct receipt *receipt) ON_SHARD;

/* A record that must become safe, and has; `shard` is the caller's. Nothing without a receipt. */
void receipt_owe(const struct message *message, const struct shard *shard) ON_SHARD;
void receipt_pay(const struct message *message, struct shard *shard) ON_SHARD;

/* The message goes to another shard by mail, and was handled there. */
void receipt_mail(const struct message *message, const struct shard *shard) ON_SHARD;
void receipt_mailed(const struct message *message, struct shard *shard) ON_SHARD;

/* A record or a mail could not be made. */
void receipt_lose(const struct message *message);

/* The exact receipt of a packet id that is not done yet; NULL: there is none. */
struct receipt *receipt_find(struct session *session, uint16_t packet_id) ON_SHARD;

/* The packet id is free again: it is not to be kept for that message any more. */
void receipt_release(struct session *session, uint16_t packet_id) ON_SHARD;
void receipt_detach(struct receipt *receipt) ON_SHARD;

/* The journal's: the origin's work is done. */
void receipt_finish(struct receipt *receipt) ON_SHARD;

void receipt_put(struct receipt *receipt);      /* any thread; NULL is nothing */

#endif
