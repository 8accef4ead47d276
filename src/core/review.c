#include "core/review.h"

#include <assert.h>

#include "base/memory.h"
#include "core/due.h"
#include "core/pending.h"
#include "core/session_end.h"

static const char not_allowed[] = "a subscription is no longer allowed";
static const char no_more_for_it[] = "its receiver may not have it, nor others maybe";
static const char user_changed[] = "its user was removed or changed";

/* A user whose clients are to go. */
struct leaver {
        struct list in_shard;
        size_t      len;
        char        name[];
};

struct user_mail {
        struct mail mail;
        uint32_t    len;
        char        name[];
};

/* A question for a session's client, or in its place: of one that is away its name and user are
 * known. What is remembered of it stays with the client. */
ON_SHARD static enum access_verdict ask(struct session *session, struct access_request *request)
{
        char                 address[ACCESS_ADDRESS_SIZE];
        struct access_note **notes = NULL;
        enum access_verdict  verdict;

        request->shard        = session->shard;
        request->review       = true;
        request->away         = session->peer == NULL;
        request->client_id    = session->client_id;
        request->username     = session->username;
        request->has_username = session->username.len > 0;
        if (session->peer != NULL)
                notes = session->peer->ops->identify(session->peer, request, address);
        verdict = access_check(request);
        if (notes != NULL)
                *notes = TAKE(request->notes);
        access_forget(&request->notes);
        request->address = (struct str){ 0 };
        return verdict;
}

ON_SHARD static bool is_open(const struct session *session)
{
        return session->superuser || !access_has_rules(session->shard);
}

bool review_allows(struct session *session, struct str topic, bool unchecked)
{
        struct access_request request = { .kind      = ACCESS_DELIVER,
                                          .topic     = topic,
                                          .unchecked = unchecked };

        if (is_open(session))
                return true;
        return ask(session, &request) == ACCESS_ALLOW;
}

/* ---- one session ----------------------------------------------------------------------------- */

static bool is_wanted(const struct session *session, struct str topic)
{
        const struct subscription *one;
        size_t                     at = 0;

        while ((one = map_next(&session->subscriptions, &at)) != NULL)
                if (topic_matches(route_filter(one->route), topic))
                        return true;
        return false;
}

/* By a subscription that is not asked about with each message; or not known to be. */
ON_SHARD static bool is_let_through(struct session *session, struct str topic)
{
        const struct subscription *one;
        size_t                     at = 0;

        while ((one = map_next(&session->subscriptions, &at)) != NULL)
                if ((!one->options.partly || one->options.unchecked) &&
                    topic_matches(route_filter(one->route), topic) &&
                    (!one->options.partly || review_allows(session, topic, true)))
                        return true;
        return false;
}

ON_SHARD static bool may_go(struct session *session, const struct delivery *delivery)
{
        struct str topic = message_topic(delivery->message);

        return (!session->revoked || is_wanted(session, topic)) &&
               (!session->partly || review_allows(session, topic, false) ||
                is_let_through(session, topic));
}

/* What waits in a session is lost to it: many perhaps, told once. */
ON_SHARD static void withhold(struct session *session, struct message *message)
{
        struct hook_args args = { .shard     = session->shard,
                                  .client_id = session->client_id,
                                  .username  = session->username,
                                  .message   = &message,
                                  .topic     = message_topic(message),
                                  .why       = "denied" };

        metric_add(&session->shard->metrics.messages_dropped_denied, 1);
        hooks_run(session->shard->broker->hooks, HOOK_MESSAGE_DROPPED, &args);
        args.why = no_more_for_it;
        if (!session->withheld)
                hooks_run(session->shard->broker->hooks, HOOK_MESSAGE_WITHHELD, &args);
        session->withheld = true;
}

bool review_lets_out(struct session *session, const struct delivery *delivery)
{
        if (may_go(session, delivery))
                return true;
        withhold(session, delivery->message);
        return false;
}

UNCHECKED static bool queued_may_go(void *session, const struct delivery *delivery)
{
        return may_go(session, delivery);
}

UNCHECKED static void drop_queued(void *context, struct delivery *delivery)
{
        struct session *session = context;

        stat_change(&session->shard->stats.queued, -1);
        withhold(session, delivery->message);
        delivery_release(delivery);
}

/* What waits for what has ended goes at once as far as it is in memory; the rest when its turn
 * comes. */
ON_SHARD static void purge(struct session *session)
{
        session->revoked  = true;
        session->withheld = false;
        mqueue_sift(&session->mqueue, queued_may_go, drop_queued, session);
}

/* Asks about one subscription again; false: it has ended. */
ON_SHARD static bool still_allowed(struct session *session, struct subscription *subscription)
{
        struct access_request request = { .kind  = ACCESS_SUBSCRIBE,
                                          .topic = route_filter(subscription->route),
                                          .qos   = subscription->options.qos };

        if (ask(session, &request) == ACCESS_ALLOW) {
                if (!request.unsure) {
                        subscription->options.partly    = request.partly;
                        subscription->options.unchecked = false;
                }
                session->partly |= subscription->options.partly;
                return true;
        }
        metric_add(&session->shard->metrics.subscriptions_revoked, 1);
        session_hand_over(session, subscription);
        subscription_revoke(subscription);
        return false;
}

/* Goes on with the session's subscriptions, as many as *budget, which it lessens. True when that
 * was all; *ended: some have ended. */
ON_SHARD static bool look(struct session *session, size_t *at, uint32_t *budget, bool *ended)
{
        struct subscription *subscription;
        uint8_t              epoch = (uint8_t)session->shard->access_epoch;

        if (*at == 0)
                session->partly = false;
        while (*budget > 0) {
                subscription = map_next(&session->subscriptions, at);
                if (subscription == NULL)
                        return true;
                --*budget;
                session->partly |= subscription->options.partly;
                if (subscription->reviewed == epoch)
                        continue;
                subscription->reviewed = epoch;

                size_t here = *at;

                if (still_allowed(session, subscription))
                        continue;
                *ended = true;
                *at    = here - 1;      /* the next one has moved to its place */
        }
        return false;
}

void review_session(struct session *session)
{
        struct subscription *subscription;
        uint32_t             all   = UINT32_MAX;
        size_t               at    = 0;
        bool                 ended = false;

        session->partly  = false;
        session->revoked = session->revoked && !is_open(session);
        if (is_open(session) || session->subscriptions.count == 0)
                return;
        while ((subscription = map_next(&session->subscriptions, &at)) != NULL)
                subscription->reviewed = (uint8_t)(session->shard->access_epoch - 1);
        at = 0;
        look(session, &at, &all, &ended);
        if (ended)
                purge(session);
}

/* ---- all sessions, in slices ----------------------------------------------------------------- */

static bool leaves(const struct session *session)
{
        const struct list *leavers = &session->shard->leavers;

        for (const struct list *link = leavers->next; link != leavers; link = link->next) {
                const struct leaver *leaver = list_entry(link, struct leaver, in_shard);

                if (str_eq(session->username, str_from(leaver->name, leaver->len)))
                        return true;
        }
        return false;
}

ON_SHARD static void refuse(struct session *session, const char *why)
{
        if (session->peer != NULL)
                session->peer->ops->refuse(session->peer, REASON_NOT_AUTHORIZED, why);
}

/* Of who was put out, nothing goes out. */
ON_SHARD static void drop_will(struct session *session)
{
        if (session->will == NULL)
                return;
        due_drop(session->shard, session->will, user_changed);
        session_drop_will(session);
        journal_session(session);
}

/* False: the budget is spent before its end. */
ON_SHARD static bool look_at_session(struct shard *shard, struct session *session, uint32_t *budget)
{
        --*budget;
        if (leaves(session)) {
                refuse(session, user_changed);
                drop_will(session);
        }
        if (is_open(session))
                return true;
        if (!look(session, &shard->review_at, budget, &shard->review_ended))
                return false;
        /* The client may give a subscription up before what has come by it is asked about. */
        session->revoked |= session->mqueue.len > 0 || session->inflight.count > 0;
        if (!shard->review_ended)
                return true;
        purge(session);
        if (shard->settings->acl_revoke_disconnects)
                refuse(session, not_allowed);
        return true;
}

static struct session *first_of(const struct shard *shard)
{
        struct session *session = list_empty(&shard->order)
                                          ? NULL
                                          : list_entry(shard->order.next, struct session, in_order);

        return session != NULL && session->epoch != shard->access_epoch ? session : NULL;
}

static void forget_leavers(struct shard *shard)
{
        struct list *link;

        while ((link = list_pop(&shard->leavers)) != NULL)
                mem_free(list_entry(link, struct leaver, in_shard));
}

static void review_on(struct loop *loop, struct chore *chore)
{
        struct shard   *shard  = list_entry(chore, struct shard, review);
        uint32_t        budget = REVIEW_SLICE;
        struct session *session;

        on_shard(loop);
        while (budget > 0 && (session = first_of(shard)) != NULL) {
                if (!look_at_session(shard, session, &budget))
                        break;
                shard->review_at    = 0;
                shard->review_ended = false;
                session->epoch      = shard->access_epoch;
                list_remove(&session->in_order);
                list_push_back(&shard->order, &session->in_order);
        }
        if (first_of(shard) != NULL)
                loop_at_next_turn(loop, chore);
        else
                forget_leavers(shard);
}

void review_start(struct shard *shard)
{
        shard->access_epoch++;
        shard->review_at    = 0;
        shard->review_ended = false;
        loop_at_next_turn(&shard->loop, &shard->review);
}

static void user_deliver(struct loop *loop, struct mail *mail)
{
        const struct user_mail *user   = (const struct user_mail *)(const void *)mail;
        struct leaver          *leaver = mem_zalloc(sizeof *leaver + user->len);

        on_shard(loop);
        if (leaver == NULL)
                return;
        leaver->len = user->len;
        memcpy(leaver->name, user->name, user->len);
        list_push_back(&shard_of(loop)->leavers, &leaver->in_shard);
        pending_drop_user(shard_of(loop), str_from(leaver->name, leaver->len));
        review_start(shard_of(loop));
}

static const struct mail_ops user_ops = { "user", user_deliver, NULL };

bool review_user(struct broker *broker, struct str username)
{
        bool good = username.len > 0 && username.len <= UINT16_MAX;

        for (unsigned i = 0; i < broker->shard_count && good; i++) {
                struct parcel    *parcel = NULL;
                struct user_mail *mail   = (struct user_mail *)(void *)parcel_append(
                        &parcel, &user_ops, sizeof *mail + username.len, MAIL_FROM_OUTSIDE);

                good = mail != NULL;
                if (!good)
                        break;
                mail->len = (uint32_t)username.len;
                memcpy(mail->name, username.ptr, username.len);
                loop_post(broker->loops[i], parcel);
        }
        return good;
}

/* ---- where sessions stand -------------------------------------------------------------------- */

void review_enter(struct session *session)
{
        session->epoch = session->shard->access_epoch;
        list_push_back(&session->shard->order, &session->in_order);
}

void review_leave(struct session *session)
{
        struct shard *shard = session->shard;

        if (shard->order.next == &session->in_order) {
                shard->review_at    = 0;
                shard->review_ended = false;
        }
        list_remove(&session->in_order);
}

/* What has been looked at is marked, so to begin again costs little. */
void review_moved(struct session *session)
{
        struct shard *shard = session->shard;

        if (shard->order.next == &session->in_order)
                shard->review_at = 0;
}

void review_init(struct shard *shard)
{
        list_init(&shard->order);
        list_init(&shard->leavers);
        shard->review.run = review_on;
}

void review_deinit(struct shard *shard)
{
        chore_cancel(&shard->review);
        forget_leavers(shard);
}
