/* Mail, circuits and the calls under way; what libcurl does is in http_transfer.c. */
#include "net/http_client.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "net/http_call.h"

struct call_mail {
        struct mail       mail;
        struct http_call *call;
};

struct cancel_mail {
        struct mail mail;
        uint64_t    id;
};

static struct http_client *client_of(struct loop *loop)
{
        return list_entry(loop, struct http_client, loop);
}

static struct str id_of(const void *value)
{
        const struct http_call *call = value;

        return str_from(&call->id, sizeof call->id);
}

/* Requests and answers are about people and their passwords. */
static void call_free(struct http_call *call)
{
        parcel_drop(call->reply);
        if (call->body.bytes != NULL)
                explicit_bzero(call->body.bytes, call->body.size);
        buffer_deinit(&call->body);
        explicit_bzero(call->bytes, call->size);
        mem_free(call);
}

static void count_out(struct http_client *client)
{
        atomic_fetch_sub_explicit(&client->pending, 1, memory_order_relaxed);
}

static void call_drop(struct mail *mail)
{
        struct http_call *call = TAKE(((struct call_mail *)(void *)mail)->call);

        if (call != NULL)
                call_free(call);
}

/* ---- the way back ---------------------------------------------------------------------------- */

static void answer_deliver(struct loop *loop, struct mail *mail)
{
        struct http_call *call = TAKE(((struct call_mail *)(void *)mail)->call);

        on_shard(loop);
        if (call->answered != NULL)
                call->answered(call->context, &call->answer);
        call_free(call);
}

static const struct mail_ops answer_ops = { "http answer", answer_deliver, call_drop };

/* Once for every call, cancelled or not: its asker's thread frees it. */
static void reply(struct http_call *call)
{
        struct parcel    *parcel = TAKE(call->reply);
        uint32_t          at     = 0;
        struct call_mail *mail   = (struct call_mail *)(void *)parcel_next(parcel, &at);

        count_out(call->target->client);
        mail->call = call;
        loop_post(call->from, parcel);
}

/* ---- on the client's thread ------------------------------------------------------------------ */

ON_SHARD static void tell_circuit(struct http_call *call)
{
        struct http_target       *target = call->target;
        struct http_client       *client = target->client;
        const struct http_answer *answer = &call->answer;
        bool                      good   = answer->result == HTTP_ANSWERED && answer->status < 500;
        const char               *why    = answer->why != NULL ? answer->why : "its own error";
        enum circuit_change       change = circuit_tell(&target->circuit, &target->config.circuit,
                                                        call->pass, good, client->loop.now.mono_ms);

        if (change != CIRCUIT_SAME && client->config.circuit_changed != NULL)
                client->config.circuit_changed(client->config.context, target->config.name,
                                               change == CIRCUIT_OPENED ? why : NULL);
}

void http_call_done(struct http_call *call)
{
        map_remove(&call->target->client->calls, id_of(call));
        http_transfer_end(call);
        tell_circuit(call);
        reply(call);
}

static void ask_deliver(struct loop *loop, struct mail *mail)
{
        struct http_call   *call   = TAKE(((struct call_mail *)(void *)mail)->call);
        struct http_client *client = client_of(loop);

        on_shard(loop);
        call->pass = circuit_ask(&call->target->circuit, loop->now.mono_ms);
        if (call->pass == CIRCUIT_REFUSES) {
                call->answer = (struct http_answer){ .result = HTTP_CIRCUIT_OPEN,
                                                     .why    = "it failed too often just now" };
                reply(call);
                return;
        }
        if (map_add(&client->calls, call) && http_transfer_begin(call))
                return;
        map_remove(&client->calls, id_of(call));
        http_transfer_end(call);
        circuit_forget(&call->target->circuit, call->pass);
        call->answer = (struct http_answer){ .result = HTTP_FAILED, .why = "no memory" };
        reply(call);
}

static const struct mail_ops ask_ops = { "http request", ask_deliver, call_drop };

static void cancel_deliver(struct loop *loop, struct mail *mail)
{
        const struct cancel_mail *cancel = (const struct cancel_mail *)(void *)mail;
        struct http_call         *call   = map_remove(&client_of(loop)->calls,
                                                      str_from(&cancel->id, sizeof cancel->id));

        on_shard(loop);
        if (call == NULL)               /* the answer and this have crossed */
                return;
        http_transfer_end(call);
        circuit_forget(&call->target->circuit, call->pass);
        reply(call);
}

static const struct mail_ops cancel_ops = { "http cancel", cancel_deliver, NULL };

/* ---- on the asker's -------------------------------------------------------------------------- */

/* Each string with a NUL behind it, as libcurl wants the URL. */
static struct str put(char **to, struct str from)
{
        struct str copy = str_from(*to, from.len);

        if (from.len > 0)
                memcpy(*to, from.ptr, from.len);
        *to += from.len + 1;
        return copy;
}

static struct http_call *call_new(struct http_target *target, const struct http_request *request)
{
        size_t            size = request->url.len + request->headers.len + request->body.len + 3;
        struct http_call *call = mem_zalloc(sizeof *call + size);
        char             *to;

        if (call == NULL)
                return NULL;
        call->size            = size;
        to                    = call->bytes;
        call->target          = target;
        call->request.method  = request->method;
        call->request.url     = put(&to, request->url);
        call->request.headers = put(&to, request->headers);
        call->request.body    = put(&to, request->body);
        call->id = atomic_fetch_add_explicit(&target->client->last_id, 1, memory_order_relaxed) + 1;
        return call;
}

static bool count_in(struct http_client *client)
{
        uint32_t before = atomic_fetch_add_explicit(&client->pending, 1, memory_order_relaxed);

        if (before < client->config.calls_max)
                return true;
        count_out(client);
        return false;
}

/* False without memory. */
static bool post(struct http_call *call)
{
        struct parcel    *parcel = NULL;
        struct call_mail *mail   = (struct call_mail *)(void *)parcel_append(
                &parcel, &ask_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL || parcel_append(&call->reply, &answer_ops, sizeof *mail,
                                          MAIL_FROM_OUTSIDE) == NULL) {
                parcel_drop(parcel);
                return false;
        }
        mail->call = call;
        loop_post(&call->target->client->loop, parcel);
        return true;
}

struct http_call *http_ask(struct http_target *target, const struct http_request *request,
                           struct loop *loop, http_answered *answered, void *context)
{
        struct http_call *call;

        if (!count_in(target->client))
                return NULL;
        call = call_new(target, request);
        if (call != NULL) {
                call->from     = loop;
                call->answered = answered;
                call->context  = context;
                if (post(call))
                        return call;
                call_free(call);
        }
        count_out(target->client);
        return NULL;
}

/* One that cannot be told for want of memory goes on until its timeout, for nobody. */
void http_cancel(struct http_call *call)
{
        struct parcel      *parcel = NULL;
        struct cancel_mail *mail   = (struct cancel_mail *)(void *)parcel_append(
                &parcel, &cancel_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        assert(call->answered != NULL);
        call->answered = NULL;
        if (mail == NULL)
                return;
        mail->id = call->id;
        loop_post(&call->target->client->loop, parcel);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct http_client *http_client_new(const struct http_client_config *config,
                                    const struct loop_config        *config_of_loop)
{
        struct http_client *client = mem_zalloc(sizeof *client);
        struct loop_config  loop   = *config_of_loop;
        struct hash_key     key;

        if (client == NULL)
                return NULL;
        client->config  = *config;
        client->self[0] = &client->loop;
        loop.id         = 0;
        loop.count      = 1;
        loop.peers      = client->self;
        random_secret(&key, sizeof key);
        map_init(&client->calls, id_of, key);
        if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && http_transfers_init(client)) {
                loop_init(&client->loop, &loop);
                return client;
        }
        if (client->multi != NULL)
                curl_multi_cleanup(client->multi);
        mem_free(client);
        return NULL;
}

struct http_target *http_client_target(struct http_client              *client,
                                       const struct http_target_config *config)
{
        struct http_target *target = mem_zalloc(sizeof *target);

        if (target == NULL)
                return NULL;
        target->config  = *config;
        target->client  = client;
        target->next    = client->targets;
        client->targets = target;
        return target;
}

struct loop *http_client_loop(struct http_client *client)
{
        return &client->loop;
}

void http_client_free(struct http_client *client)
{
        size_t            at = 0;
        struct http_call *call;

        if (client == NULL)
                return;
        role_claim(&client->loop);
        while ((call = map_next(&client->calls, &at)) != NULL) {
                http_transfer_end(call);
                call_free(call);
        }
        http_transfers_deinit(client);
        role_leave();
        map_deinit(&client->calls);
        loop_deinit(&client->loop);
        while (client->targets != NULL) {
                struct http_target *target = client->targets;

                client->targets = target->next;
                mem_free(target);
        }
        mem_free(client);
}
