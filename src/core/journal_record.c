#include "core/journal_record.h"

#include <assert.h>

#include "core/session.h"

static void of_session(const struct session *session, struct record *record,
                       struct message **message)
{
        record->kind    = RECORD_SESSION;
        record->session = (struct record_session){
                .client_id       = session->client_id,
                .username        = session->username,
                .created_us      = session->created_us,
                .disconnected_us = session->disconnected_us,
                .expiry_s        = session->expiry_s,
                .will_delay_s    = session->will_delay_s,
                .superuser       = session->superuser,
                .granted         = session->granted,
                .has_will        = session->will != NULL,
                .durability      = (uint8_t)session->durability,
        };
        if (session->will != NULL)
                record->session.will = session->will->guid;
        *message = session->will;
}

static void of_subscription(const struct subscription *subscription, struct record *record)
{
        record->kind         = RECORD_SUBSCRIPTION;
        record->subscription = (struct record_subscription){
                .session = subscription->session->kept.key,
                .name    = subscription_name_of(subscription),
                .options = subscription->options,
        };
}

static void of_delivery(const struct entry *entry, struct record *record)
{
        struct record_delivery *d       = &record->delivery;
        const struct message   *message = entry->message;

        record->kind = RECORD_DELIVERY;
        *d           = (struct record_delivery){
                .session     = entry->session->kept.key,
                .has_message = message != NULL,
                .qos         = entry->qos,
                .retain      = entry->retain,
                .shared      = entry->share != 0,
                .released    = entry->released,
                .packet_id   = entry->packet_id,
                .priority    = entry->priority,
        };
        if (message == NULL)
                return;
        d->message     = message->guid;
        d->size        = (uint32_t)message_size(message);
        d->expires_us  = message->expires_us;
        d->origin_qos2 = message->receipt != NULL && message->receipt->exact;
        if (entry->id != 0)
                d->ids[d->id_count++] = entry->id;
        for (unsigned i = 0; i < entry->more_count && d->id_count < SUBSCRIPTION_IDS_MAX; i++)
                d->ids[d->id_count++] = entry->more_ids[i];
}

bool journal_encode(struct buffer *to, const struct kept *kept, struct message **message)
{
        const struct entry *entry = list_entry(kept, struct entry, kept);
        struct record       record;             /* large: each kind fills what is its own */

        record.kind = RECORD_KINDS;
        *message    = NULL;
        switch (kept->kind) {
        case KEPT_SESSION:
                of_session(list_entry(kept, struct session, kept), &record, message);
                break;
        case KEPT_SUBSCRIPTION:
                of_subscription(list_entry(kept, struct subscription, kept), &record);
                break;
        case KEPT_DELIVERY:
                of_delivery(entry, &record);
                *message = entry->message;
                break;
        case KEPT_RETAINED:
                record.kind             = RECORD_RETAINED;
                record.retained.message = entry->message->guid;
                *message                = entry->message;
                break;
        case KEPT_PENDING:
                record.kind    = RECORD_PENDING;
                record.pending = (struct record_pending){ .message = entry->message->guid,
                                                          .due_us  = entry->due_us,
                                                          .granted = entry->granted,
                                                          .name    = entry->name };
                *message       = entry->message;
                break;
        }
        assert(record.kind != RECORD_KINDS);
        return record_encode(to, &record);
}
