#include "core/access.h"

#include <assert.h>

#include "base/memory.h"
#include "core/shard.h"
#include "core/verdicts.h"

struct link {
        const struct access_provider *provider;
        void                         *context;
};

struct access {
        struct link *links;
        unsigned     count;
        unsigned     authenticators;
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

        assert(provider->kinds != 0 &&
               (provider->method.ptr == NULL || provider->kinds == ACCESS_CONNECTS));
        if (links == NULL)
                return false;
        links[access->count++] = (struct link){ provider, context };
        access->links          = links;
        access->authenticators += (provider->kinds & ACCESS_CONNECTS) != 0;
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

bool access_has_rules(const struct shard *shard)
{
        const struct access *access = shard->broker->access;

        for (unsigned i = 0; i < access->count; i++)
                if (access->links[i].provider->has_rules != NULL &&
                    access->links[i].provider->has_rules(access->links[i].context, shard))
                        return true;
        return false;
}

bool access_is_asked(const struct shard *shard)
{
        const struct access *access = shard->broker->access;

        for (unsigned i = 0; i < access->count; i++) {
                const struct link *link = &access->links[i];

                if ((link->provider->kinds & ACCESS_TOPICS) != 0 &&
                    (link->provider->has_rules == NULL ||
                     link->provider->has_rules(link->context, shard)))
                        return true;
        }
        return false;
}

bool access_granted(const struct access_request *request)
{
        const struct access *access = request->shard->broker->access;

        for (unsigned i = 0; i < access->count; i++)
                if (access->links[i].provider->grants != NULL &&
                    access->links[i].provider->grants(access->links[i].context, request))
                        return true;
        return false;
}

/* Nobody knows a rule for it. */
ON_SHARD static enum access_verdict topic_end(struct access_request *request)
{
        struct shard *shard = request->shard;

        if (!access_has_rules(shard))
                return ACCESS_ALLOW;
        metric_add(&shard->metrics.acl_ignore, 1);
        request->why = "no rule matches";
        return shard->settings->acl_nomatch_allow ? ACCESS_ALLOW : ACCESS_DENY;
}

static bool anonymous_may(const struct access_request *request)
{
        const struct settings *settings = request->shard->settings;
        bool                   as_set   = request->anonymous == ANONYMOUS_AS_SET;
        bool may = request->anonymous == ANONYMOUS_ALLOWED || (as_set && settings->allow_anonymous);

        if (request->shard->broker->access->authenticators > 0)
                return may && !request->has_username && !request->has_password;
        return may || (as_set && request->loopback && settings->allow_anonymous_loopback);
}

/* Nobody had an opinion. */
ON_SHARD static enum access_verdict chain_end(struct access_request *request)
{
        request->by = "none";
        if (request->kind != ACCESS_CONNECT)
                return topic_end(request);
        request->unknown = true;
        if (request->method.ptr != NULL) {      /* it offers something: it is not anonymous */
                request->reason = REASON_BAD_AUTHENTICATION_METHOD;     /* [MQTT-4.12.0-1] */
                request->why    = "nobody who speaks this method knows this client";
                return ACCESS_DENY;
        }
        if (request->identified && request->shard->broker->access->authenticators == 0)
                return ACCESS_ALLOW;
        if (anonymous_may(request)) {
                request->by_policy = true;
                return ACCESS_ALLOW;
        }
        if (request->anonymous == ANONYMOUS_DENIED && !request->has_password) {
                request->reason = REASON_NOT_AUTHORIZED;
                request->why    = "its listener says allow_anonymous = off";
        } else if (request->shard->broker->access->authenticators == 0) {
                request->reason = REASON_NOT_AUTHORIZED;
                request->why    = "anonymous clients are let in from loopback only: add to the "
                                  "configuration auth.chain = password_file and "
                                  "auth.password_file = FILE (linnet passwd -c FILE USER makes "
                                  "it), or mqtt.allow_anonymous = on";
        } else if (!request->has_username && !request->has_password) {
                request->reason = REASON_NOT_AUTHORIZED;
                request->why    = "it has neither user name nor password";
        } else {
                request->why    = "nobody in auth.chain knows it";
        }
        return ACCESS_DENY;
}

/* Whoever has let it in: its client id may be bound to its name, so that nobody takes over the
 * session of another. Who has no name would take over anyone's. */
static bool client_id_is_its(const struct access_request *request)
{
        struct str name = request->identity.ptr != NULL ? request->identity : request->username;

        if (name.len == 0 && request->id_is_its)
                return true;
        switch (request->shard->settings->clientid_rule) {
        case CLIENTID_ANY:
                return true;
        case CLIENTID_USERNAME:
                return name.len > 0 && str_eq(request->client_id, name);
        case CLIENTID_USERNAME_PREFIX:
                return name.len > 0 && str_starts(request->client_id, name);
        }
        return false;
}

ON_SHARD static enum access_verdict settle_connect(struct access_request *request,
                                                   enum access_verdict    verdict)
{
        struct metrics *metrics = &request->shard->metrics;

        if (verdict == ACCESS_LATER || verdict == ACCESS_CONTINUE)
                return verdict;
        if (verdict == ACCESS_ALLOW && !client_id_is_its(request)) {
                request->reason = REASON_CLIENT_IDENTIFIER_NOT_VALID;
                request->why    = "auth.clientid_rule: its client id does not go with its user "
                                  "name; who has none may only leave it to the server";
                verdict         = ACCESS_DENY;
        }
        metric_add(verdict == ACCESS_ALLOW ? &metrics->auth_success : &metrics->auth_failure, 1);
        if (request->by_policy)
                metric_add(&metrics->auth_anonymous, 1);
        else if (request->unknown)
                metric_add(&metrics->auth_unknown, 1);
        if (verdict == ACCESS_ALLOW)
                verdicts_forget(request);
        return verdict;
}

/* A verdict on one topic, which holds for the next message, too. */
static bool is_lasting(const struct access_request *request)
{
        return request->kind == ACCESS_PUBLISH || request->kind == ACCESS_DELIVER;
}

/* Counts the final verdict of whoever is at `at`, and remembers it. */
ON_SHARD static enum access_verdict settle(struct access_request *request,
                                           enum access_verdict    verdict)
{
        struct shard        *shard  = request->shard;
        const struct access *access = shard->broker->access;

        if (request->at < access->count)
                request->by = access->links[request->at].provider->name;
        if (request->kind == ACCESS_CONNECT)
                return settle_connect(request, verdict);
        if (verdict == ACCESS_LATER || !access_has_rules(shard))
                return verdict;
        metric_add(verdict == ACCESS_ALLOW ? &shard->metrics.acl_allow : &shard->metrics.acl_deny,
                   1);
        if (shard->settings->acl_cache && is_lasting(request) && !request->unsure &&
            (verdict == ACCESS_ALLOW || request->reason == REASON_NOT_AUTHORIZED))
                verdicts_keep(request, verdict);
        return verdict;
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
        request->answered(request, settle(request, ACCESS_DENY));
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

/* Who asks in a review has no time; the provider is told that nobody waits. Of a message it has
 * nothing to say where another has let a part of the subscription through. */
ON_SHARD static enum access_verdict do_not_wait(struct access_request *request,
                                                const struct link     *link)
{
        if (link->provider->cancel != NULL)
                link->provider->cancel(link->context, request);
        if (request->kind == ACCESS_DELIVER && !request->unchecked)
                return ACCESS_IGNORE;
        request->unsure = true;
        return ACCESS_ALLOW;
}

/* True: the question concerns this provider. */
static bool is_for(const struct access_provider *provider, const struct access_request *request)
{
        if (!(provider->kinds & 1u << request->kind))
                return false;
        if (request->kind == ACCESS_CONNECT && request->method.ptr != NULL)
                return str_eq(provider->method, request->method);
        return provider->method.ptr == NULL;
}

ON_SHARD static enum access_verdict ask(struct access_request *request)
{
        const struct access *access = request->shard->broker->access;

        for (; request->at < access->count; request->at++) {
                const struct link *link = &access->links[request->at];

                if (!is_for(link->provider, request))
                        continue;

                enum access_verdict verdict = link->provider->check(link->context, request);

                if (request->kind == ACCESS_CONNECT)
                        request->exchange_at = request->at;
                if (verdict == ACCESS_LATER && request->review)
                        verdict = do_not_wait(request, link);
                if (verdict == ACCESS_LATER)
                        wait_for_answer(request);
                if (verdict != ACCESS_IGNORE)
                        return verdict;
        }
        return chain_end(request);
}

/* What was said of that topic not long ago; ACCESS_LATER: nothing. */
ON_SHARD static enum access_verdict remembered(struct access_request *request)
{
        struct shard       *shard = request->shard;
        enum access_verdict verdict;

        if (request->notes == NULL || !is_lasting(request) || !shard->settings->acl_cache)
                return ACCESS_LATER;
        verdict = verdicts_find(request);
        if (verdict == ACCESS_LATER)
                return verdict;
        metric_add(&shard->metrics.acl_cache_hit, 1);
        metric_add(verdict == ACCESS_ALLOW ? &shard->metrics.acl_allow : &shard->metrics.acl_deny,
                   1);
        return verdict;
}

enum access_verdict access_check(struct access_request *request)
{
        assert(!request->waiting);
        if (request->kind == ACCESS_CONNECT) {
                request->superuser = false;
                request->until_us  = 0;
                request->identity  = (struct str){ 0 };
        }
        request->at        = 0;
        request->late      = NULL;
        request->why       = NULL;
        request->by_policy = false;
        request->unknown   = false;
        request->partly    = false;
        request->unsure    = false;
        request->line      = 0;
        request->ttl_ms    = UINT32_MAX;
        request->reason    = request->kind == ACCESS_CONNECT ? REASON_BAD_USER_NAME_OR_PASSWORD
                                                             : REASON_NOT_AUTHORIZED;

        enum access_verdict verdict = remembered(request);

        return verdict != ACCESS_LATER ? verdict : settle(request, ask(request));
}

/* A topic that was asked about in between has moved the request along the chain. */
enum access_verdict access_continue(struct access_request *request)
{
        assert(!request->waiting && request->kind == ACCESS_CONNECT);
        request->at     = request->exchange_at;
        request->late   = NULL;
        request->reason = REASON_NOT_AUTHORIZED;
        return settle(request, ask(request));
}

/* Its notes of an exchange are of no use any more. */
void access_end(struct access_request *request)
{
        struct access_note **place = &request->notes;

        while (*place != NULL) {
                struct access_note *note = *place;

                if (!note->brief) {
                        place = &note->next;
                        continue;
                }
                *place = note->next;
                note->free(note);
        }
        request->data_out = (struct str){ 0 };
        request->identity = (struct str){ 0 };
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
        request->answered(request, settle(request, verdict));
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

void access_forget(struct access_note **notes)
{
        while (*notes != NULL) {
                struct access_note *note = *notes;

                *notes = note->next;
                note->free(note);
        }
}
