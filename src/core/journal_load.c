/* Deliveries that come back from the store. */
#include "core/journal.h"

#include "core/journal_internal.h"
#include "core/record.h"
#include "core/session.h"

enum { RELOAD_MS = 500 };

struct loaded_item {
        uint64_t        key;
        struct message *message;        /* a reference, or NULL: not to be had */
        uint64_t        value_len;      /* of the record; its bytes follow, padded to 8 */
};

struct loaded_mail {
        struct mail mail;
        uint64_t    session;
        uint64_t    count;
        char        items[];
};

static size_t item_size(size_t value_len)
{
        return sizeof(struct loaded_item) + (value_len + 7) / 8 * 8;
}

static struct loaded_item *item_at(struct loaded_mail *mail, size_t at)
{
        return (struct loaded_item *)(void *)(mail->items + at);
}

/* NULL: it has ended meanwhile. */
static struct session *find_loading(struct journal *journal, uint64_t serial)
{
        list_each(link, after, &journal->loading) {
                struct session *session = list_entry(link, struct session, in_loading);

                if (session->serial == serial)
                        return session;
        }
        return NULL;
}

void journal_reload(struct loop *loop, struct timer *timer)
{
        struct journal *journal = list_entry(timer, struct journal, reload);

        on_shard(loop);
        while (!list_empty(&journal->unread))
                session_loads_end(list_entry(journal->unread.next, struct session, in_loading));
}

/* The store cannot be read, or there is no memory: who asked again at once would ask for ever. */
ON_SHARD static void reload_later(struct journal *journal, struct session *session)
{
        list_remove(&session->in_loading);
        list_push_back(&journal->unread, &session->in_loading);
        loop_timer(&journal->shard->loop, &journal->reload, RELOAD_MS);
}

static void loaded_deliver(struct loop *loop, struct mail *mail)
{
        struct loaded_mail *loaded  = (struct loaded_mail *)(void *)mail;
        struct session     *session = NULL;
        size_t              at      = 0;
        bool                unread  = loaded->count == 0;

        on_shard(loop);
        session = find_loading(&shard_of(loop)->journal, loaded->session);
        for (uint64_t i = 0; i < loaded->count; i++) {
                const struct loaded_item *item   = item_at(loaded, at);
                struct record             record = { .kind = RECORD_KINDS };

                at += item_size(item->value_len);
                if (!record_decode(str_from(item + 1, item->value_len), &record))
                        record.kind = RECORD_KINDS;
                if (session != NULL)
                        unread |= !session_load(session, item->key, &record, item->message);
                else
                        message_put(item->message);
        }
        if (session != NULL && unread)
                reload_later(&shard_of(loop)->journal, session);
        else if (session != NULL)
                session_loads_end(session);
}

static void loaded_drop(struct mail *mail)
{
        struct loaded_mail *loaded = (struct loaded_mail *)(void *)mail;
        size_t              at     = 0;

        for (uint64_t i = 0; i < loaded->count; i++) {
                const struct loaded_item *item = item_at(loaded, at);

                at += item_size(item->value_len);
                message_put(item->message);
        }
}

static const struct mail_ops loaded_ops = { "journal loaded", loaded_deliver, loaded_drop };

bool journal_tell_loaded(struct shard *shard, const struct store_load *load,
                         const struct str values[], struct message *const messages[])
{
        struct parcel      *parcel = NULL;
        struct loaded_mail *mail;
        size_t              size = sizeof *mail, at = 0;

        for (uint32_t i = 0; i < load->count; i++)
                size += item_size(values[i].len);
        mail = (struct loaded_mail *)(void *)parcel_append(&parcel, &loaded_ops, size,
                                                           MAIL_FROM_OUTSIDE);
        if (mail == NULL)
                return false;
        mail->session = load->session;
        mail->count   = load->count;
        for (uint32_t i = 0; i < load->count; i++) {
                struct loaded_item *item = item_at(mail, at);

                *item = (struct loaded_item){ load->keys[i], messages[i], values[i].len };
                if (values[i].len > 0)
                        memcpy(item + 1, values[i].ptr, values[i].len);
                at += item_size(values[i].len);
        }
        loop_post(&shard->loop, parcel);
        return true;
}
