/* Mail: the one door between threads.
 *
 * A mail is a run of plain bytes that begins with `struct mail`; its ops say what it is. Mails to
 * one destination are written one behind the other into a parcel, and the parcel is posted once,
 * at the end of the sender's turn: a turn costs each destination one post, and a message sent to
 * another shard costs no allocation of its own.
 *
 * A posted mail and what it points to belong to the receiver. Parcels from one sender are delivered
 * in the order in which they were posted, and parcels of all senders in the order in which they
 * reached the mailbox.
 */
#ifndef LINNET_RT_MAIL_H
#define LINNET_RT_MAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct mail;

struct mail_ops {
        const char *name;
        /* On the receiver's thread; the mail's bytes are gone when it returns. */
        void (*deliver)(struct loop *loop, struct mail *mail);
        /* Instead of deliver, when the receiver has stopped: gives back what the mail owns. Any
         * thread; NULL where there is nothing to give back. */
        void (*drop)(struct mail *mail);
};

struct mail {
        const struct mail_ops *ops;
        uint32_t               size;    /* of the whole mail, a multiple of 8 */
        uint32_t               from;    /* id of the sending loop; MAIL_FROM_OUTSIDE otherwise */
};

enum { MAIL_FROM_OUTSIDE = UINT32_MAX & 0x7fffffff };

/* A run of mails on its way. Owned by its writer until it is posted. What lies behind `len` is
 * zero. */
struct parcel {
        struct parcel *next;
        uint32_t       len, size;
        _Alignas(16) char bytes[];
};

/* Appends a zeroed mail of `size` bytes to *parcel, which is made when NULL and may move when it
 * grows. The returned pointer holds until the next append. NULL without memory, nothing changed. */
struct mail *parcel_append(struct parcel **parcel, const struct mail_ops *ops, size_t size,
                           unsigned from);
void parcel_drop(struct parcel *parcel);        /* drops its mails and frees it; NULL is nothing */

/* The mail at byte *at, and *at moved behind it; NULL at the end. Start with 0. */
struct mail *parcel_next(struct parcel *parcel, uint32_t *at);

/* Empties a delivered parcel for its next writer. */
void parcel_clear(struct parcel *parcel);

/* Many writers, one reader, first in first out. */
struct mailbox {
        _Atomic(struct parcel *) newest;        /* a chain in reverse; writers push here */
        _Atomic uint64_t         bytes;         /* posted and not yet delivered */
        struct parcel           *oldest;        /* the reader's: taken, not yet delivered */
        _Atomic bool             sleeping;      /* the reader waits for a wake-up */
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_deinit(struct mailbox *mailbox);   /* drops what is left; no writer may be active */

/* Any thread. Takes the parcel. True when the reader sleeps and this caller must wake it. */
bool mailbox_post(struct mailbox *mailbox, struct parcel *parcel);

/* The reader only: the oldest parcel, or NULL. The caller frees it (mem_free) or keeps it, after
 * mailbox_done() was told of it. */
struct parcel *mailbox_take(struct mailbox *mailbox);
void           mailbox_done(struct mailbox *mailbox, const struct parcel *parcel);

/* The reader only: announces that it will sleep. False when there is mail after all, and it must
 * not. A post that comes between the announcement and mailbox_awake() is told to wake the reader,
 * by something that lasts until the reader has slept (an eventfd). */
bool mailbox_sleep(struct mailbox *mailbox);
void mailbox_awake(struct mailbox *mailbox);

static inline uint64_t mailbox_bytes(const struct mailbox *mailbox)     /* any thread */
{
        return atomic_load_explicit(&mailbox->bytes, memory_order_relaxed);
}

#endif
