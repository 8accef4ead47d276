#include "core/due.h"

#include "base/memory.h"
#include "core/pending.h"
#include "core/session.h"
#include "mqtt/topic.h"

/* One whose answer is awaited. The question's strings are the message's. */
struct due {
        struct list           in_shard;
        struct access_request request;
        struct message       *message;
        struct entry         *entry;
};

static const char not_allowed[] = "it may no longer publish what it has left";
static const char banned[]      = "it is banned";

/* The publisher's session as long as it is the same user's. */
ON_SHARD static struct session *session_of(struct shard *shard, const struct message *message)
{
        struct session *session = session_find(shard, message_client_id(message));

        return session != NULL && str_eq(session->username, message_username(message)) ? session
                                                                                       : NULL;
}

bool due_is_granted(struct shard *shard, const struct message *message)
{
        const struct session *session = session_of(shard, message);

        return session != NULL && (session->superuser || session->granted);
}

void due_drop(struct shard *shard, struct message *message, const char *why)
{
        struct hook_args args = { .shard     = shard,
                                  .client_id = message_client_id(message),
                                  .username  = message_username(message),
                                  .message   = &message,
                                  .topic     = message_topic(message),
                                  .why       = "denied" };

        metric_add(&shard->metrics.messages_dropped_denied, 1);
        hooks_run(shard->broker->hooks, HOOK_MESSAGE_DROPPED, &args);
        args.why = why;
        hooks_run(shard->broker->hooks, HOOK_MESSAGE_WITHHELD, &args);
}

/* By the topic that it will have. */
ON_SHARD static struct access_request question(struct shard *shard, const struct message *message)
{
        struct access_request request = { .shard        = shard,
                                          .kind         = ACCESS_PUBLISH,
                                          .client_id    = message_client_id(message),
                                          .username     = message_username(message),
                                          .has_username = message_username(message).len > 0,
                                          .address      = STR(""),      /* it may be anywhere */
                                          .away         = true,
                                          .qos          = message->qos,
                                          .retain       = message->retain };
        uint32_t              delay_s;

        topic_delayed(message_topic(message), &delay_s, &request.topic);
        return request;
}

/* While its publisher is connected all that is known of it counts, and stays with it. False: it is
 * not known at once. */
ON_SHARD static bool ask_connected(struct peer *peer, const struct access_request *about,
                                   enum access_verdict *verdict)
{
        char                   address[ACCESS_ADDRESS_SIZE];
        struct access_request  request = *about;
        struct access_note   **notes   = peer->ops->identify(peer, &request, address);

        request.away   = false;
        request.review = true;
        *verdict       = access_check(&request);
        if (notes != NULL)
                *notes = TAKE(request.notes);
        access_forget(&request.notes);
        request.address = (struct str){ 0 };
        return !request.unsure;
}

/* ACCESS_LATER: whoever knows must be asked, and may take its time. */
ON_SHARD static enum access_verdict known(struct shard *shard, const struct message *message,
                                          const struct access_request *request, bool granted)
{
        const struct session *session = session_of(shard, message);
        enum access_verdict   verdict;

        if (!access_has_rules(shard) || message_client_id(message).len == 0)    /* no client's */
                return ACCESS_ALLOW;
        if (session == NULL || session->peer == NULL)
                return granted ? ACCESS_ALLOW : ACCESS_LATER;
        if (session->superuser)
                return ACCESS_ALLOW;
        return ask_connected(session->peer, request, &verdict) ? verdict : ACCESS_LATER;
}

ON_SHARD static void settle(struct shard *shard, struct message *message, struct entry *entry,
                            enum access_verdict verdict)
{
        if (verdict == ACCESS_ALLOW) {
                pending_go(shard, entry, message);
                return;
        }
        due_drop(shard, message, not_allowed);
        entry_free(entry);
        message_put(message);
}

UNCHECKED static void answered(struct access_request *request, enum access_verdict verdict)
{
        struct due   *due   = list_entry(request, struct due, request);
        struct shard *shard = request->shard;

        access_forget(&request->notes);
        list_remove(&due->in_shard);
        settle(shard, due->message, due->entry, verdict);
        mem_free(due);
}

ON_SHARD static void ask(struct shard *shard, struct message *message, struct entry *entry,
                         const struct access_request *request)
{
        struct due         *due = mem_zalloc(sizeof *due);
        enum access_verdict verdict;

        if (due == NULL) {
                metric_add(&shard->metrics.messages_dropped_memory, 1);
                entry_free(entry);
                message_put(message);
                return;
        }
        due->request          = *request;
        due->request.answered = answered;
        due->message          = message;
        due->entry            = entry;
        list_push_back(&shard->dues, &due->in_shard);
        verdict = access_check(&due->request);
        if (verdict != ACCESS_LATER)
                answered(&due->request, verdict);
}

void due_publish(struct shard *shard, struct message *message, struct entry *entry, bool granted,
                 bool asked)
{
        struct hook_args            args    = { .shard     = shard,
                                                .client_id = message_client_id(message),
                                                .username  = message_username(message) };
        const struct access_request request = question(shard, message);
        enum access_verdict         verdict = ACCESS_ALLOW;

        if (hooks_run(shard->broker->hooks, HOOK_MESSAGE_DUE, &args) == HOOK_STOP) {
                due_drop(shard, message, banned);
                entry_free(entry);
                message_put(message);
                return;
        }
        if (!asked)
                verdict = known(shard, message, &request, granted);
        if (verdict == ACCESS_LATER)
                ask(shard, message, entry, &request);
        else
                settle(shard, message, entry, verdict);
}

ON_SHARD static void end(struct due *due)
{
        access_cancel(&due->request);
        access_forget(&due->request.notes);
        list_remove(&due->in_shard);
        entry_free(due->entry);
        message_put(due->message);
        mem_free(due);
}

void due_drop_user(struct shard *shard, struct str username)
{
        list_each(link, after, &shard->dues)
        {
                struct due *due = list_entry(link, struct due, in_shard);

                if (!str_eq(message_username(due->message), username))
                        continue;
                due_drop(shard, due->message, not_allowed);
                end(due);
        }
}

void due_clear(struct shard *shard)
{
        list_each(link, after, &shard->dues)
                end(list_entry(link, struct due, in_shard));
}
