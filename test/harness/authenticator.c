#include "harness/authenticator.h"

#include <assert.h>

#include "base/memory.h"

/* An answer that is owed. */
struct debt {
        struct timer           timer;
        struct authenticator  *authenticator;
        struct access_request *request;
        enum access_verdict    verdict;
};

static void pay(struct loop *loop, struct timer *timer)
{
        struct debt           *debt    = list_entry(timer, struct debt, timer);
        struct access_request *request = debt->request;
        enum access_verdict    verdict = debt->verdict;

        on_shard(loop);
        assert(&request->shard->loop == loop && request->provider_data == debt);
        debt->authenticator->owed--;
        request->provider_data = NULL;
        mem_free(debt);
        access_answer(request, verdict);
}

/* ACCESS_LATER is the answer that never comes. */
static enum access_verdict put_off(struct authenticator *authenticator,
                                   struct access_request *request, enum access_verdict verdict)
{
        struct debt *debt = mem_zalloc(sizeof *debt);

        if (debt == NULL)
                return ACCESS_DENY;
        debt->timer.fire       = pay;
        debt->authenticator    = authenticator;
        debt->request          = request;
        debt->verdict          = verdict;
        request->provider_data = debt;
        authenticator->owed++;
        if (verdict != ACCESS_LATER)
                loop_timer(&request->shard->loop, &debt->timer, AUTHENTICATOR_DELAY_MS);
        return ACCESS_LATER;
}

static void cancel(void *context, struct access_request *request)
{
        struct authenticator *authenticator = context;
        struct debt          *debt          = request->provider_data;

        assert(debt != NULL && debt->request == request && authenticator->owed > 0);
        authenticator->owed--;
        loop_timer_cancel(&request->shard->loop, &debt->timer);
        request->provider_data = NULL;
        mem_free(debt);
}

static enum access_verdict perhaps_late(struct authenticator *authenticator,
                                        struct access_request *request, enum access_verdict verdict)
{
        if (authenticator->parts & AUTHENTICATOR_NEVER)
                return put_off(authenticator, request, ACCESS_LATER);
        if (authenticator->parts & AUTHENTICATOR_LATE)
                return put_off(authenticator, request, verdict);
        return verdict;
}

static enum access_verdict check_user(void *context, struct access_request *request)
{
        static const struct {
                const char *name, *password;
                uint64_t    lasts_us;           /* 0: it may stay */
        } users[] = {
                { "alice", "secret", 0 },
                { "bob", "builder", 0 },
                { "carol", "briefly", AUTHENTICATOR_LASTS_MS * 1000ull },
        };
        enum access_verdict verdict = ACCESS_DENY;
        uint64_t            now_us  = request->shard->loop.now.wall_us;

        if (!request->has_username || !request->has_password)
                request->reason = REASON_NOT_AUTHORIZED;
        for (unsigned i = 0; i < sizeof users / sizeof users[0]; i++) {
                if (request->has_username && str_eq(request->username, str_of(users[i].name)) &&
                    request->has_password && str_eq(request->password, str_of(users[i].password))) {
                        verdict = ACCESS_ALLOW;
                        if (users[i].lasts_us > 0)
                                request->until_us = now_us + users[i].lasts_us;
                }
        }
        return perhaps_late(context, request, verdict);
}

static enum access_verdict check_topic(void *context, struct access_request *request)
{
        if (str_starts(request->topic, STR("forbidden/")))
                return ACCESS_DENY;
        if (str_starts(request->topic, STR("slow/")))
                return put_off(context, request, ACCESS_ALLOW);
        if (str_starts(request->topic, STR("later-no/")))
                return put_off(context, request, ACCESS_DENY);
        if (str_starts(request->topic, STR("never/")))
                return put_off(context, request, ACCESS_LATER);
        return ACCESS_IGNORE;
}

static enum access_verdict check_exchange(void *context, struct access_request *request)
{
        enum access_verdict verdict = ACCESS_DENY;

        request->reason   = REASON_NOT_AUTHORIZED;
        request->data_out = (struct str){ 0 };
        if (str_eq(request->data, STR("hello"))) {
                request->data_out = STR("what is 6 times 7");
                verdict           = ACCESS_CONTINUE;
        } else if (str_eq(request->data, STR("42"))) {
                request->data_out = STR("welcome");
                verdict           = ACCESS_ALLOW;
        } else if (str_eq(request->data, STR("mallory"))) {
                request->identity = request->data;
                verdict           = ACCESS_ALLOW;
        } else if (str_eq(request->data, STR("briefly"))) {
                request->until_us = request->shard->loop.now.wall_us +
                                    AUTHENTICATOR_LASTS_MS * 1000ull;
                verdict           = ACCESS_ALLOW;
        }
        return perhaps_late(context, request, verdict);
}

bool authenticator_parse(struct authenticator *authenticator, struct str words)
{
        static const char *const names[] = { "users", "topics", "exchange", "late", "never" };
        const unsigned           count   = sizeof names / sizeof names[0];
        struct str               word;

        while (str_cut(&words, ',', &word)) {
                unsigned i = 0;

                while (i < count && !str_eq(word, str_of(names[i])))
                        i++;
                if (i == count)
                        return false;
                authenticator->parts |= 1u << i;
        }
        return true;
}

bool authenticator_add(struct broker *broker, void *authenticator)
{
        static struct access_provider users    = { .name   = "test users",
                                                   .kinds  = ACCESS_CONNECTS,
                                                   .check  = check_user,
                                                   .cancel = cancel };
        static struct access_provider topics   = { .name   = "test topics",
                                                   .kinds  = ACCESS_TOPICS,
                                                   .check  = check_topic,
                                                   .cancel = cancel };
        static struct access_provider exchange = { .name   = "test exchange",
                                                   .kinds  = ACCESS_CONNECTS,
                                                   .check  = check_exchange,
                                                   .cancel = cancel };
        unsigned parts = ((struct authenticator *)authenticator)->parts;

        exchange.method = STR("TEST-CHALLENGE");
        return (!(parts & AUTHENTICATOR_USERS) ||
                access_add(broker->access, &users, authenticator)) &&
               (!(parts & AUTHENTICATOR_EXCHANGE) ||
                access_add(broker->access, &exchange, authenticator)) &&
               (!(parts & AUTHENTICATOR_TOPICS) ||
                access_add(broker->access, &topics, authenticator));
}
