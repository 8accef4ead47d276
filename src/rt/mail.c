#include "rt/mail.h"

#include <assert.h>

#include "base/memory.h"
#include "base/platform.h"

/* Of AddressSanitizer, and called only where it is. */
void __asan_poison_memory_region(const volatile void *memory, size_t size);
void __asan_unpoison_memory_region(const volatile void *memory, size_t size);

enum {
        MAIL_ALIGN       = 8,
        PARCEL_ALLOC_MIN = 512,                 /* with the parcel's head, as are the others */
        PARCEL_ALLOC_MAX = 1 << 30,
};

static_assert(sizeof(struct mail) % MAIL_ALIGN == 0, "mails lie one behind the other");
static_assert(offsetof(struct parcel, bytes) == sizeof(struct parcel), "bytes follow the head");

static bool parcel_reserve(struct parcel **parcel, size_t more);

struct mail *parcel_append(struct parcel **parcel, const struct mail_ops *ops, size_t size,
                           unsigned from)
{
        assert(ops != NULL && ops->deliver != NULL);
        assert(size >= sizeof(struct mail));
        if (size > PARCEL_ALLOC_MAX)
                return NULL;
        size = (size + MAIL_ALIGN - 1) / MAIL_ALIGN * MAIL_ALIGN;
        if (!parcel_reserve(parcel, size))
                return NULL;

        struct mail *mail = (struct mail *)(void *)((*parcel)->bytes + (*parcel)->len);

        assert(mail->ops == NULL);              /* zero, as all behind len */
        mail->ops  = ops;
        mail->size = (uint32_t)size;
        mail->from = from;
        (*parcel)->len += (uint32_t)size;
        return mail;
}

void parcel_drop(struct parcel *parcel)
{
        uint32_t     at = 0;
        struct mail *mail;

        if (parcel == NULL)
                return;
        while ((mail = parcel_next(parcel, &at)) != NULL)
                if (mail->ops->drop != NULL)
                        mail->ops->drop(mail);
        mem_free(parcel);
}

struct mail *parcel_next(struct parcel *parcel, uint32_t *at)
{
        if (*at >= parcel->len)
                return NULL;

        struct mail *mail = (struct mail *)(void *)(parcel->bytes + *at);

        assert(mail->size >= sizeof *mail && mail->size <= parcel->len - *at);
        *at += mail->size;
        return mail;
}

/* Zeroing here rather than in parcel_append() costs the same, and whoever still looks at a mail
 * that was delivered finds nothing in it; with AddressSanitizer, is found out. */
void parcel_clear(struct parcel *parcel)
{
        memset(parcel->bytes, 0, parcel->len);
        parcel->len  = 0;
        parcel->next = NULL;
        if (PLATFORM_ASAN)
                __asan_poison_memory_region(parcel->bytes, parcel->size);
}

void mailbox_init(struct mailbox *mailbox)
{
        *mailbox = (struct mailbox){ .newest = NULL };
}

void mailbox_deinit(struct mailbox *mailbox)
{
        struct parcel *parcel;

        while ((parcel = mailbox_take(mailbox)) != NULL) {
                mailbox_done(mailbox, parcel);
                parcel_drop(parcel);
        }
        assert(mailbox_bytes(mailbox) == 0);
}

bool mailbox_post(struct mailbox *mailbox, struct parcel *parcel)
{
        assert(parcel->len > 0);

        /* Relaxed: a number to look at. It comes before the push, lest the reader subtract
         * first. */
        atomic_fetch_add_explicit(&mailbox->bytes, parcel->len, memory_order_relaxed);

        struct parcel *before = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

        /* Released to the reader's acquiring exchange: it sees what the writer wrote. And seq_cst
         * for the sleep protocol: in the one order of all such operations, either this push comes
         * before the reader's look at `newest` in mailbox_sleep(), or the reader's announcement
         * comes before our look at `sleeping` below. A push cannot be taken for another (ABA): the
         * reader never takes one parcel, always all. */
        do
                parcel->next = before;
        while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &before, parcel,
                                                      memory_order_seq_cst, memory_order_relaxed));

        /* Looked at first, since an exchange by every writer would fight over the line; exchanged,
         * so that one of several writers makes the system call. */
        return atomic_load_explicit(&mailbox->sleeping, memory_order_seq_cst) &&
               atomic_exchange_explicit(&mailbox->sleeping, false, memory_order_seq_cst);
}

struct parcel *mailbox_take(struct mailbox *mailbox)
{
        if (mailbox->oldest == NULL &&
            /* Relaxed: what is missed now is found by the next look, or by mailbox_sleep(). */
            atomic_load_explicit(&mailbox->newest, memory_order_relaxed) != NULL) {
                /* Acquires what the writers released with their pushes: all of the chain, since the
                 * later pushes continue the release of the earlier ones. */
                struct parcel *newest = atomic_exchange_explicit(&mailbox->newest, NULL,
                                                                 memory_order_acquire);

                while (newest != NULL) {
                        struct parcel *older = newest->next;

                        newest->next    = mailbox->oldest;
                        mailbox->oldest = newest;
                        newest          = older;
                }
        }

        struct parcel *taken = mailbox->oldest;

        if (taken != NULL) {
                mailbox->oldest = taken->next;
                taken->next     = NULL;
        }
        return taken;
}

void mailbox_done(struct mailbox *mailbox, const struct parcel *parcel)
{
        uint64_t before = atomic_fetch_sub_explicit(&mailbox->bytes, parcel->len,
                                                    memory_order_relaxed);

        assert(before >= parcel->len);
}

bool mailbox_sleep(struct mailbox *mailbox)
{
        if (mailbox->oldest != NULL)
                return false;

        /* Both seq_cst: the other half of what mailbox_post() says. */
        atomic_store_explicit(&mailbox->sleeping, true, memory_order_seq_cst);
        if (atomic_load_explicit(&mailbox->newest, memory_order_seq_cst) == NULL)
                return true;
        mailbox_awake(mailbox);
        return false;
}

void mailbox_awake(struct mailbox *mailbox)
{
        /* Relaxed: a writer that still sees it set wakes a reader that is awake, no more. */
        atomic_store_explicit(&mailbox->sleeping, false, memory_order_relaxed);
}

/* Makes room for `more` zeroed bytes: twice the size until they fit, so that appending costs a
 * constant. Counted with the head, so that what the heap is asked for stays a power of two. */
static bool parcel_reserve(struct parcel **parcel, size_t more)
{
        size_t len   = *parcel != NULL ? (*parcel)->len : 0;
        size_t old   = *parcel != NULL ? sizeof **parcel + (*parcel)->size : 0;
        size_t alloc = old > 0 ? old : PARCEL_ALLOC_MIN;

        if (PLATFORM_ASAN && *parcel != NULL && len == 0)
                __asan_unpoison_memory_region((*parcel)->bytes, (*parcel)->size);
        while (alloc - sizeof **parcel < len + more)
                alloc *= 2;
        if (alloc == old)
                return true;
        if (alloc > PARCEL_ALLOC_MAX)
                return false;

        struct parcel *grown = mem_realloc(*parcel, alloc);

        if (grown == NULL)
                return false;
        memset((char *)grown + old, 0, alloc - old);    /* of a new one, the head too */
        grown->size = (uint32_t)(alloc - sizeof *grown);
        *parcel     = grown;
        return true;
}
