#include "services/admin/clients.h"

#include "base/memory.h"
#include "core/session.h"

enum { PAGE_BYTES = 65536 };            /* a page ends behind the row that reaches it */

enum question_kind { ASK_CLIENTS, ASK_SESSIONS, ASK_SHOW, ASK_KICK };

/* To a shard. */
struct question_mail {
        struct mail        mail;
        struct admin      *admin;
        uint64_t           call;
        struct map_walk    walk;                /* of its sessions: where a list goes on */
        enum question_kind kind;
        uint32_t           id_len;
        char               client_id[];         /* of SHOW and KICK */
};

/* From a shard. */
struct answer_mail {
        struct mail     mail;
        struct admin   *admin;
        uint64_t        call;
        struct map_walk walk;                   /* of a list: where it goes on */
        bool            found;
        uint32_t        len;
        char            rows[];
};

/* ---- on the shard ---------------------------------------------------------------------------- */

static void answer_deliver(struct loop *loop, struct mail *mail);

static const struct mail_ops answer_ops = { "admin answer", answer_deliver, NULL };

/* `text` is where it is written. */
ON_SHARD static struct str address_of(const struct session *session,
                                      char text[static ACCESS_ADDRESS_SIZE])
{
        struct access_request client = { .shard = session->shard };

        if (session->peer != NULL && session->peer->ops->identify != NULL)
                session->peer->ops->identify(session->peer, &client, text);
        return client.address;
}

ON_SHARD static void say_session(const struct session *session, const char *kind,
                                 struct buffer *out)
{
        const struct shard    *shard = session->shard;
        char                   address[ACCESS_ADDRESS_SIZE];
        const struct str       none  = { NULL, 0 };
        const bool             named = session->username.len > 0;
        uint64_t               since = session->peer != NULL ? 0 : session->disconnected_us;
        const struct log_field fields[] = {
                F_STR("client_id", session->client_id),
                F_STR("username", named ? session->username : none),
                F_STR("address", address_of(session, address)),
                F_TEXT("state", session->peer != NULL ? "connected" : "away"),
                F_U64("shard", shard->loop.config.id),
                F_U64("subscriptions", session->subscriptions.count),
                F_U64("queued", session->mqueue.len),
                F_U64("inflight", session->inflight.count),
                F_U64("expiry_s", session->expiry_s),
                F_U64("created_s", session->created_us / 1000000),
                F_U64("away_since_s", since / 1000000),
        };

        admin_row(out, kind, fields, sizeof fields / sizeof fields[0]);
}

/* A page of a list. */
ON_SHARD static void say_page(const struct shard *shard, bool connected_only,
                              struct map_walk *walk, struct buffer *out)
{
        const struct session *session;
        size_t                slots = CLIENTS_LOOK_MAX;

        for (unsigned rows = 0; rows < ADMIN_ROWS_MAX && buffer_len(out) < PAGE_BYTES;) {
                session = map_walk_next(&shard->sessions, walk, &slots);
                if (session == NULL)
                        return;
                if (connected_only && session->peer == NULL)
                        continue;
                rows++;
                say_session(session, connected_only ? "client" : "session", out);
        }
}

ON_SHARD static void say_subscriptions(const struct session *session, struct buffer *out)
{
        const struct subscription *one;
        size_t                     at = 0;

        for (unsigned i = 0; i < ADMIN_ROWS_MAX &&
                             (one = map_next(&session->subscriptions, &at)) != NULL; i++) {
                const struct log_field fields[] = {
                        F_STR("filter", subscription_name_of(one)),
                        F_U64("qos", one->options.qos),
                };

                admin_row(out, "subscription", fields, sizeof fields / sizeof fields[0]);
        }
}

ON_SHARD static bool answer_one(struct shard *shard, const struct question_mail *question,
                                struct buffer *out)
{
        struct session *session = session_find(shard, str_from(question->client_id,
                                                               question->id_len));

        if (session == NULL || (question->kind == ASK_KICK && session->peer == NULL))
                return false;
        if (question->kind == ASK_KICK) {
                session->peer->ops->refuse(session->peer, REASON_ADMINISTRATIVE_ACTION,
                                           "kicked by an operator");
                return true;
        }
        say_session(session, "session", out);
        say_subscriptions(session, out);
        return true;
}

static void question_deliver(struct loop *loop, struct mail *mail)
{
        const struct question_mail *question = (const struct question_mail *)(const void *)mail;
        struct shard               *shard    = shard_of(loop);
        struct buffer               rows     = { 0 };
        struct parcel              *parcel   = NULL;
        struct map_walk             walk     = question->walk;
        bool                        found    = true;
        struct answer_mail         *answer;

        on_shard(loop);
        if (question->kind == ASK_CLIENTS || question->kind == ASK_SESSIONS)
                say_page(shard, question->kind == ASK_CLIENTS, &walk, &rows);
        else
                found = answer_one(shard, question, &rows);
        answer = (struct answer_mail *)(void *)parcel_append(
                &parcel, &answer_ops, sizeof *answer + buffer_len(&rows), MAIL_FROM_OUTSIDE);
        if (answer != NULL) {
                answer->admin = question->admin;
                answer->call  = question->call;
                answer->walk  = walk;
                answer->found = found;
                answer->len   = (uint32_t)buffer_len(&rows);
                if (answer->len > 0)
                        memcpy(answer->rows, buffer_str(&rows).ptr, answer->len);
                loop_post(admin_loop(question->admin), parcel);
        }
        buffer_deinit(&rows);
}

static const struct mail_ops question_ops = { "admin question", question_deliver, NULL };

/* ---- on the actor's thread ------------------------------------------------------------------- */

static enum admin_progress ask(struct admin_call *call, unsigned shard, enum question_kind kind,
                               struct str client_id)
{
        struct parcel        *parcel = NULL;
        struct question_mail *mail;

        mail = (struct question_mail *)(void *)parcel_append(
                &parcel, &question_ops, sizeof *mail + client_id.len, MAIL_FROM_OUTSIDE);
        if (mail == NULL)
                return admin_fail(call, "out of memory");
        mail->admin  = call->admin;
        mail->call   = call->id;
        mail->walk   = call->walk;
        mail->kind   = kind;
        mail->id_len = (uint32_t)client_id.len;
        if (client_id.len > 0)
                memcpy(mail->client_id, client_id.ptr, client_id.len);
        loop_post(admin_broker(call->admin)->loops[shard], parcel);
        return ADMIN_LATER;
}

static void answer_deliver(struct loop *loop, struct mail *mail)
{
        const struct answer_mail *answer = (const struct answer_mail *)(const void *)mail;
        struct admin_call        *call;

        on_shard(loop);
        call = admin_find(answer->admin, answer->call);
        if (call == NULL)
                return;
        if (!answer->found)
                admin_fail(call, "there is no such client");
        buffer_append(call->out, str_from(answer->rows, answer->len));
        call->walk = answer->walk;
        if (answer->walk.done) {
                call->walk = (struct map_walk){ .done = false };
                call->shard++;
        }
        call->asked = true;
        admin_resume(call);
}

static enum admin_progress walk(struct admin_call *call, enum question_kind kind)
{
        if (call->shard == admin_broker(call->admin)->shard_count)
                return ADMIN_DONE;
        return ask(call, call->shard, kind, (struct str){ NULL, 0 });
}

static enum admin_progress run_clients(void *context, struct admin_call *call)
{
        (void)context;
        return walk(call, ASK_CLIENTS);
}

static enum admin_progress run_sessions(void *context, struct admin_call *call)
{
        (void)context;
        return walk(call, ASK_SESSIONS);
}

static enum admin_progress ask_home(struct admin_call *call, enum question_kind kind)
{
        const struct broker *broker = admin_broker(call->admin);
        struct str           id     = call->words.at[0];

        if (call->asked)
                return ADMIN_DONE;
        return ask(call, broker_home(broker, id), kind, id);
}

static enum admin_progress run_show(void *context, struct admin_call *call)
{
        (void)context;
        return ask_home(call, ASK_SHOW);
}

static enum admin_progress run_kick(void *context, struct admin_call *call)
{
        (void)context;
        return ask_home(call, ASK_KICK);
}

static const struct admin_command commands[] = {
        { "clients list", "", "who is connected", 0, 0, false, run_clients },
        { "clients show", "ID", "a client, and up to 128 of its subscriptions", 1, 1, false,
          run_show },
        { "clients kick", "ID", "disconnects a client, which may come again", 1, 1, true,
          run_kick },
        { "sessions list", "", "sessions, of those who are away, too", 0, 0, false, run_sessions },
};

void clients_add(struct admin *admin)
{
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
                admin_add(admin, &commands[i], NULL);
}
