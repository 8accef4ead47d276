#include "client/reply.h"

#include <assert.h>

#include "base/memory.h"
#include "client/protocol.h"

struct reply {
        struct list      in_replies;
        struct client   *client;
        struct receipt  *receipt;       /* that it waits for; NULL: it is ready */
        enum packet_type type;
        enum reason      reason;
        uint16_t         packet_id;
        bool             ready;
        uint32_t         codes_len;     /* of a SUBACK or UNSUBACK */
        char             codes[];
};

void replies_init(struct replies *replies)
{
        *replies = (struct replies){ .count = 0 };
        list_init(&replies->waiting);
}

static void reply_free(struct reply *reply)
{
        struct replies *replies = &reply->client->replies;

        list_remove(&reply->in_replies);
        replies->count--;
        replies->pubacks -= reply->type == PACKET_PUBACK;
        mem_free(reply);
}

void replies_drop(struct client *c)
{
        list_each(link, after, &c->replies.waiting) {
                struct reply *reply = list_entry(link, struct reply, in_replies);

                if (reply->receipt != NULL)
                        receipt_forget(TAKE(reply->receipt));
                reply_free(reply);
        }
}

ON_SHARD static void say(struct client *c, const struct reply *reply)
{
        const struct suback_packet suback = { .packet_id = reply->packet_id,
                                              .reasons   = str_from(reply->codes,
                                                                    reply->codes_len) };

        if (reply->type == PACKET_SUBACK || reply->type == PACKET_UNSUBACK)
                send_suback(c, reply->type, &suback);
        else
                send_ack(c, reply->type, reply->packet_id, reply->reason);
}

/* Sends from the front what is ready. */
ON_SHARD static void send_ready(struct client *c)
{
        list_each(link, after, &c->replies.waiting) {
                struct reply *reply = list_entry(link, struct reply, in_replies);

                if (!reply->ready)
                        break;
                say(c, reply);
                reply_free(reply);
        }
        client_dirty(c);                /* which may read again */
}

ON_SHARD static struct reply *reply_new(struct client *c, const struct reply *like,
                                        struct str codes)
{
        struct reply *reply;

        if (c->state >= CLIENT_CLOSING)
                return NULL;
        reply = mem_alloc(sizeof *reply + codes.len);
        if (reply == NULL) {
                client_lost(c, "no memory");
                return NULL;
        }
        *reply           = *like;
        reply->client    = c;
        reply->codes_len = (uint32_t)codes.len;
        if (codes.len > 0)
                memcpy(reply->codes, codes.ptr, codes.len);
        list_push_back(&c->replies.waiting, &reply->in_replies);
        c->replies.count++;
        c->replies.pubacks += reply->type == PACKET_PUBACK;
        return reply->ready ? NULL : reply;
}

struct reply *reply_ack(struct client *c, enum packet_type type, uint16_t packet_id,
                        enum reason reason, bool ready)
{
        const struct reply like = {
                .type = type, .packet_id = packet_id, .reason = reason, .ready = ready
        };

        if (!ready || !list_empty(&c->replies.waiting))
                return reply_new(c, &like, (struct str){ 0 });
        send_ack(c, type, packet_id, reason);
        return NULL;
}

struct reply *reply_suback(struct client *c, enum packet_type type,
                           const struct suback_packet *suback, bool ready)
{
        const struct reply like = { .type = type, .packet_id = suback->packet_id, .ready = ready };

        if (!ready || !list_empty(&c->replies.waiting))
                return reply_new(c, &like, suback->reasons);
        send_suback(c, type, suback);
        return NULL;
}

/* What was lost for want of memory is not acknowledged: a v5 client is told, an older one is cut
 * off and sends again. */
static void on_done(struct receipt *receipt)
{
        struct reply  *reply = receipt->context;
        struct client *c     = reply->client;

        on_shard(&c->shard->loop);
        reply->receipt = NULL;
        reply->ready   = true;
        if (atomic_load_explicit(&receipt->lost, memory_order_relaxed)) {
                reply->reason = REASON_QUOTA_EXCEEDED;
                if (c->version != MQTT_5) {
                        client_close(c, REASON_QUOTA_EXCEEDED, "no memory to keep its message");
                        return;
                }
        }
        send_ready(c);
}

void reply_waits(struct reply *reply, struct receipt *receipt)
{
        assert(reply->receipt == NULL && !reply->ready);
        reply->receipt   = receipt;
        receipt->done    = on_done;
        receipt->context = reply;
}
