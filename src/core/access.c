#include "core/access.h"

#include <assert.h>

#include "base/memory.h"
#include "core/shard.h"

struct link {
        const struct access_provider *provider;
        void                         *context;
};

struct access {
        struct link *links;
        unsigned     count;
};

struct access *access_new(void)
{
        return mem_zalloc(sizeof(struct access));
}

void access_free(struct access *access)
{
        if (access == NULL)
                return;
        mem_free(access->links);
        mem_free(access);
}

bool access_add(struct access *access, const struct access_provider *provider, void *context)
{
        struct link *links = mem_realloc_array(access->links, access->count + 1, sizeof *links);

        if (links == NULL)
                return false;
        links[access->count++] = (struct link){ provider, context };
        access->links          = links;
        return true;
}

bool access_has_method(const struct access *access, struct str method)
{
        for (unsigned i = 0; i < access->count; i++)
                if (access->links[i].provider->method.ptr != NULL &&
                    str_eq(access->links[i].provider->method, method))
                        return true;
        return false;
}

/* Nobody had an opinion. */
static enum access_verdict chain_end(struct access_request *request)
{
        const struct settings *settings = request->shard->settings;

        if (request->kind == ACCESS_CONNECT && request->method.ptr != NULL) {
                request->reason = REASON_BAD_AUTHENTICATION_METHOD;     /* [MQTT-4.12.0-1] */
                request->why    = "nobody who speaks this method knows this client";
                return ACCESS_DENY;     /* the anonymous policy is for who offers nothing */
        }
        if (request->kind != ACCESS_CONNECT || request->identified ||
            request->anonymous == ANONYMOUS_ALLOWED)
                return ACCESS_ALLOW;
        if (request->anonymous == ANONYMOUS_DENIED) {
                request->reason = REASON_NOT_AUTHORIZED;
                request->why    = "no authenticator knows this client, and its listener says "
                                  "allow_anonymous = off";
                return ACCESS_DENY;
        }
        if (settings->allow_anonymous || (request->loopback && settings->allow_anonymous_loopback))
                return ACCESS_ALLOW;
        request->reason = REASON_NOT_AUTHORIZED;
        request->why    = "no authenticator knows this client, and anonymous clients are let in "
                          "from loopback only: set mqtt.allow_anonymous = on, or configure "
                          "authentication";
        return ACCESS_DENY;
}

/* Denied, whatever the policy: who could not ask has no answer that lets anyone in. */
static void timed_out(struct loop *loop, struct timer *timer)
{
        struct access_request *request = list_entry(timer, struct access_request, timer);
        struct shard          *shard   = request->shard;

        on_shard(loop);
        assert(&shard->loop == loop && request->waiting);
        request->late = shard->broker->access->links[request->at].provider->name;
        access_cancel(request);
        request->reason = REASON_SERVER_BUSY;
        request->why    = "no answer from access provider in time";
        metric_add(&shard->metrics.access_timeout, 1);
        request->answered(request, ACCESS_DENY);
}

/* One limit for all the providers of a question. */
ON_SHARD static void wait_for_answer(struct access_request *request)
{
        request->waiting = true;
        if (timer_is_set(&request->timer))
                return;
        request->timer.fire = timed_out;
        loop_timer(&request->shard->loop, &request->timer,
                   request->shard->settings->access_timeout_ms);
}

ON_SHARD static enum access_verdict ask(struct access_request *request)
{
        const struct access *access = request->shard->broker->access;

        for (; request->at < access->count; request->at++) {
                const struct link            *link     = &access->links[request->at];
                const struct access_provider *provider = link->provider;
                bool enhanced = request->kind == ACCESS_CONNECT && request->method.ptr != NULL;

                if (enhanced ? !str_eq(provider->method, request->method)
                             : provider->method.ptr != NULL)
                        continue;

                enum access_verdict verdict = provider->check(link->context, request);

                if (verdict == ACCESS_LATER)
                        wait_for_answer(request);
                if (verdict != ACCESS_IGNORE)
                        return verdict;
        }
        return chain_end(request);
}

enum access_verdict access_check(struct access_request *request)
{
        assert(!request->waiting);
        request->at      = 0;
        request->late    = NULL;
        if (request->kind == ACCESS_CONNECT) {
                request->superuser = false;
                request->until_us  = 0;
        }
        request->reason  = request->kind == ACCESS_CONNECT ? REASON_BAD_USER_NAME_OR_PASSWORD
                                                           : REASON_NOT_AUTHORIZED;
        return ask(request);
}

enum access_verdict access_continue(struct access_request *request)
{
        assert(!request->waiting);
        request->late = NULL;
        return ask(request);
}

void access_answer(struct access_request *request, enum access_verdict verdict)
{
        assert(request->waiting && verdict != ACCESS_LATER);
        request->waiting = false;
        if (verdict == ACCESS_IGNORE) {
                request->at++;
                verdict = ask(request);
        }
        if (verdict == ACCESS_LATER)
                return;
        loop_timer_cancel(&request->shard->loop, &request->timer);
        request->answered(request, verdict);
}

void access_cancel(struct access_request *request)
{
        if (!request->waiting)
                return;

        const struct link *link = &request->shard->broker->access->links[request->at];

        request->waiting = false;
        loop_timer_cancel(&request->shard->loop, &request->timer);
        if (link->provider->cancel != NULL)
                link->provider->cancel(link->context, request);
}

void access_keep(struct access_request *request, struct access_note *note)
{
        struct access_note **place = &request->notes;

        while (*place != NULL && (*place)->owner != note->owner)
                place = &(*place)->next;

        struct access_note *old = *place;

        note->next = old != NULL ? old->next : NULL;
        *place     = note;
        if (old != NULL)
                old->free(old);
}

struct access_note *access_note(const struct access_request *request, const void *owner)
{
        struct access_note *note = request->notes;

        while (note != NULL && note->owner != owner)
                note = note->next;
        return note;
}

void access_forget(struct access_request *request)
{
        while (request->notes != NULL) {
                struct access_note *note = request->notes;

                request->notes = note->next;
                note->free(note);
        }
}
