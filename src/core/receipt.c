#include "core/receipt.h"

#include <assert.h>

#include "base/memory.h"
#include "core/journal.h"
#include "core/session.h"

/* The last debt was paid on another shard. */
struct settled_mail {
        struct mail     mail;
        struct receipt *receipt;        /* a reference */
};

ON_SHARD static void settled(struct receipt *receipt);

static void settled_deliver(struct loop *loop, struct mail *mail)
{
        struct receipt *receipt = ((struct settled_mail *)(void *)mail)->receipt;

        on_shard(loop);
        settled(receipt);
        receipt_put(receipt);
}

static void settled_drop(struct mail *mail)
{
        receipt_put(((struct settled_mail *)(void *)mail)->receipt);
}

static const struct mail_ops settled_ops = { "receipt", settled_deliver, settled_drop };

static struct receipt *receipt_get(struct receipt *receipt)
{
        atomic_fetch_add_explicit(&receipt->refs, 1, memory_order_relaxed);
        return receipt;
}

void receipt_put(struct receipt *receipt)
{
        if (receipt != NULL &&
            atomic_fetch_sub_explicit(&receipt->refs, 1, memory_order_acq_rel) == 1)
                mem_free(receipt);
}

struct receipt *receipt_open(struct shard *shard, struct message *message, struct session *session,
                             uint16_t packet_id)
{
        struct receipt *receipt = mem_zalloc(sizeof *receipt);

        assert(message->receipt == NULL);
        if (receipt == NULL)
                return NULL;
        atomic_init(&receipt->refs, 2);         /* the message's and the origin's */
        atomic_init(&receipt->owed, 1);         /* until receipt_close() */
        receipt->origin    = shard;
        receipt->open      = true;
        receipt->exact     = session != NULL;
        receipt->guid      = message->guid;
        receipt->packet_id = packet_id;
        receipt->session   = session;
        message->receipt   = receipt;
        if (session != NULL) {
                list_push_back(&session->receipts, &receipt->in_session);
                list_push_back(&shard->journal.exact, &receipt->in_journal);
        }
        return receipt;
}

enum receipt_state receipt_close(struct receipt *receipt, void (*done)(struct receipt *),
                                 void *context)
{
        bool lost = atomic_load_explicit(&receipt->lost, memory_order_relaxed);
        bool paid = atomic_fetch_sub_explicit(&receipt->owed, 1, memory_order_acq_rel) == 1;

        assert(receipt->open && !receipt->finished);
        receipt->open = false;
        if (receipt->exact) {
                journal_hurry(receipt->origin);
        } else if (paid || lost) {
                receipt_finish(receipt);
                return lost ? RECEIPT_LOST : RECEIPT_DONE;
        } else {
                list_push_back(&receipt->origin->journal.waiting, &receipt->in_journal);
        }
        receipt->done    = done;
        receipt->context = context;
        return RECEIPT_WAITS;
}

void receipt_forget(struct receipt *receipt)
{
        receipt->done    = NULL;
        receipt->context = NULL;
        if (receipt->batch != 0)        /* a barrier that nobody waits at */
                receipt_finish(receipt);
}

void receipt_owe(const struct message *message, const struct shard *shard)
{
        struct receipt *receipt = message->receipt;

        if (receipt == NULL)
                return;
        atomic_fetch_add_explicit(&receipt->owed, 1, memory_order_relaxed);
        if (receipt->origin == shard)
                receipt->owed_here++;
}

static void pay(struct receipt *receipt, struct shard *shard) ON_SHARD;

void receipt_pay(const struct message *message, struct shard *shard)
{
        struct receipt *receipt = message->receipt;

        if (receipt == NULL)
                return;
        if (receipt->origin == shard) {
                assert(receipt->owed_here > 0);
                receipt->owed_here--;
        }
        pay(receipt, shard);
}

void receipt_mail(const struct message *message, const struct shard *shard)
{
        struct receipt *receipt = message->receipt;

        if (receipt == NULL)
                return;
        atomic_fetch_add_explicit(&receipt->owed, 1, memory_order_relaxed);
        if (receipt->origin == shard)
                receipt->remote = true;
}

void receipt_mailed(const struct message *message, struct shard *shard)
{
        if (message->receipt != NULL)
                pay(message->receipt, shard);
}

/* Without memory for the mail the debt stands: the publisher is not acknowledged, and sends
 * again. */
static void pay(struct receipt *receipt, struct shard *shard)
{
        struct settled_mail *mail;

        if (shard->journal.closed)      /* teardown: the origin may be gone */
                return;
        if (atomic_fetch_sub_explicit(&receipt->owed, 1, memory_order_acq_rel) != 1)
                return;
        if (receipt->origin == shard) {
                settled(receipt);
                return;
        }
        mail = loop_mail(&shard->loop, receipt->origin->loop.config.id, &settled_ops, sizeof *mail);
        if (mail != NULL)
                mail->receipt = receipt_get(receipt);
}

void receipt_lose(const struct message *message)
{
        if (message->receipt != NULL)
                atomic_store_explicit(&message->receipt->lost, true, memory_order_relaxed);
}

/* Debts of a message that was acknowledged already (a retained one, delivered later) end here. */
static void settled(struct receipt *receipt)
{
        if (receipt->finished || receipt->open ||
            atomic_load_explicit(&receipt->owed, memory_order_acquire) != 0)
                return;
        if (receipt->exact)
                journal_hurry(receipt->origin);
        else
                receipt_finish(receipt);
}

void receipt_finish(struct receipt *receipt)
{
        assert(!receipt->finished);
        receipt->finished = true;
        if (receipt->session != NULL && atomic_load_explicit(&receipt->lost, memory_order_relaxed))
                session_pubrel(receipt->session, receipt->packet_id);   /* refused: it is free */
        if (list_linked(&receipt->in_session))
                list_remove(&receipt->in_session);
        if (list_linked(&receipt->in_journal))
                list_remove(&receipt->in_journal);
        receipt->session = NULL;
        if (receipt->done != NULL)
                receipt->done(receipt);
        receipt_put(receipt);
}

struct receipt *receipt_find(struct session *session, uint16_t packet_id)
{
        list_each(link, after, &session->receipts) {
                struct receipt *receipt = list_entry(link, struct receipt, in_session);

                if (receipt->packet_id == packet_id)
                        return receipt;
        }
        return NULL;
}

void receipt_release(struct session *session, uint16_t packet_id)
{
        struct receipt *receipt = receipt_find(session, packet_id);

        if (receipt != NULL)
                receipt_detach(receipt);
}

void receipt_detach(struct receipt *receipt)
{
        list_remove(&receipt->in_session);
        receipt->session = NULL;
}
