#include "core/replay.h"

#include <assert.h>
#include <limits.h>

#include "base/memory.h"
#include "core/pubsub.h"

/* The subscriber's side: one per subscription and retainer shard. */
struct replay {
        struct list     in_session;     /* those with an answer in hand stand in front */
        uint64_t        id;             /* of this shard; the key in shard->replays */
        struct session *session;
        uint64_t        cursor;         /* of the retainer's shard; 0: it has ended there */
        unsigned        from;           /* the retainer's shard */
        bool            asked;          /* an answer is on its way */
        unsigned        at, count;      /* of the batch in hand */
        struct message *batch[RETAINED_BATCH_MAX];
        uint64_t       *seen;           /* hashes of topics whose live message came in between */
        uint32_t        seen_count, seen_size;
        uint16_t        name_len;
        char            name[];         /* of the subscription */
};

/* The retainer's side: a walk that has not ended. */
struct walk {
        uint64_t                id;
        uint64_t                replay;
        unsigned                to;     /* the subscriber's shard */
        struct shard           *shard;
        struct retained_cursor *cursor;
        struct chore            go_on;  /* a slice ended without a match: more next turn */
};

enum query_kind { QUERY_START, QUERY_MORE, QUERY_END };

struct query_mail {
        struct mail mail;
        uint64_t    replay;
        uint64_t    cursor;
        uint32_t    kind;
        uint32_t    filter_len;
        char        filter[];
};

struct answer_mail {
        struct mail     mail;
        uint64_t        replay;
        uint64_t        cursor;         /* 0: that was all */
        uint32_t        count;
        struct message *messages[];
};

struct retain_mail {
        struct mail     mail;
        struct message *message;
};

static unsigned shard_of_topic(const struct shard *shard, struct str topic)
{
        return (unsigned)(hash_str(&shard->broker->key, topic) % shard->broker->shard_count);
}

static void count_retained(struct shard *shard)
{
        stat_set(&shard->stats.retained, retainer_count(shard->retainer));
        stat_set(&shard->stats.retained_bytes, retainer_bytes(shard->retainer));
}

/* Here, on the shard of its topic. An empty payload removes [MQTT5-3.3.1-6] [MQTT3-3.3.1-10], and
 * is not stored [MQTT5-3.3.1-7] [MQTT3-3.3.1-11]. What is too large for us is not kept, but what
 * was there is no longer true [MQTT3-3.3.1-7]. */
ON_SHARD static void retain_here(struct shard *shard, struct message *message)
{
        const struct settings *settings = shard->settings;
        struct str             topic    = message_topic(message);

        if (message->payload_len == 0 || (settings->retained_max_payload != 0 &&
                                          message->payload_len > settings->retained_max_payload)) {
                retainer_remove(shard->retainer, topic);
                entry_removal(shard, message);
        } else if (settings->retained_max_messages != 0 &&
                   retainer_count(shard->retainer) >=
                           broker_share(shard->broker, settings->retained_max_messages) &&
                   retainer_find(shard->retainer, topic, shard->loop.now.wall_us) == NULL) {
                return;
        } else {                                                /* [MQTT-3.3.1-5] */
                struct entry *entry = entry_of_retained(shard, message);

                if (!retainer_put(shard->retainer, message, entry)) {
                        entry_free(entry);
                        receipt_lose(message);
                        metric_add(&shard->metrics.messages_dropped_memory, 1);
                }
        }
        count_retained(shard);
}

static void retain_deliver(struct loop *loop, struct mail *mail)
{
        struct retain_mail *retain = (struct retain_mail *)(void *)mail;

        on_shard(loop);
        retain_here(shard_of(loop), retain->message);
        receipt_mailed(retain->message, shard_of(loop));
        message_put(retain->message);
}

static void retain_drop(struct mail *mail)
{
        message_put(((struct retain_mail *)(void *)mail)->message);
}

static const struct mail_ops retain_ops = { "retain", retain_deliver, retain_drop };

ON_SHARD static void retain_store(struct shard *shard, struct message *message)
{
        unsigned            home = shard_of_topic(shard, message_topic(message));
        struct retain_mail *mail;

        if (home == shard->loop.config.id) {
                retain_here(shard, message);
                return;
        }
        mail = loop_mail(&shard->loop, home, &retain_ops, sizeof *mail);
        if (mail == NULL) {
                receipt_lose(message);
                metric_add(&shard->metrics.messages_dropped_memory, 1);
                return;
        }
        mail->message = message_get(message);
        receipt_mail(message, shard);
}

/* [MQTT3-3.3.1-12] [MQTT5-3.3.1-8] */
UNCHECKED static enum hook_result on_publish(void *context, struct hook_args *args)
{
        (void)context;
        if ((*args->message)->retain)
                retain_store(args->shard, *args->message);
        return HOOK_OK;
}

bool retain_hook(struct hooks *hooks)
{
        return hooks_add(hooks, HOOK_MESSAGE_PUBLISH, on_publish, NULL, INT_MAX);
}

bool retain_restore(struct shard *shard, struct message *message, uint64_t key)
{
        struct entry *entry = entry_adopt(shard, message, KEPT_RETAINED, key);

        if (entry == NULL)
                return false;
        if (!retainer_put(shard->retainer, message, entry)) {
                entry_leave(entry);
                return false;
        }
        count_retained(shard);
        return true;
}

/* ---- the retainer's side --------------------------------------------------------------------- */

static void answer_deliver(struct loop *loop, struct mail *mail);

static void answer_drop(struct mail *mail)
{
        struct answer_mail *answer = (struct answer_mail *)(void *)mail;

        for (uint32_t i = 0; i < answer->count; i++)
                message_put(answer->messages[i]);
}

static const struct mail_ops answer_ops = { "retained", answer_deliver, answer_drop };

static struct walk *walk_find(struct shard *shard, uint64_t id)
{
        return map_find(&shard->cursors, str_from(&id, sizeof id));
}

static void walk_end(struct walk *walk)
{
        map_remove(&walk->shard->cursors, str_from(&walk->id, sizeof walk->id));
        chore_cancel(&walk->go_on);
        retained_cursor_free(walk->cursor);
        mem_free(walk);
}

ON_SHARD static void answer(struct walk *walk, struct message **messages, unsigned count, bool done)
{
        struct answer_mail *mail =
                loop_mail(&walk->shard->loop, walk->to, &answer_ops,
                          sizeof *mail + count * sizeof mail->messages[0]);

        if (mail == NULL) {
                for (unsigned i = 0; i < count; i++)
                        message_put(messages[i]);
                metric_add(&walk->shard->metrics.messages_dropped_memory, count);
                return;
        }
        mail->replay = walk->replay;
        mail->cursor = done ? 0 : walk->id;
        mail->count  = count;
        for (unsigned i = 0; i < count; i++)
                mail->messages[i] = messages[i];
}

/* One batch, or one slice of the tree without a match and the rest in the next turn. */
static void walk_on(struct loop *loop, struct chore *chore)
{
        struct walk    *walk = list_entry(chore, struct walk, go_on);
        struct message *messages[RETAINED_BATCH_MAX];
        bool            done  = false;
        unsigned        count;

        on_shard(loop);
        count = retained_next(walk->cursor, loop->now.wall_us, messages, RETAINED_BATCH_MAX, &done);
        if (count == 0 && !done) {
                loop_at_next_turn(loop, &walk->go_on);
                return;
        }
        answer(walk, messages, count, done);
        if (done)
                walk_end(walk);
}

static struct str walk_key(const void *value)
{
        return str_from(&((const struct walk *)value)->id, sizeof(uint64_t));
}

static void walk_start(struct shard *shard, const struct query_mail *query)
{
        struct walk *walk = mem_zalloc(sizeof *walk);

        if (walk == NULL)
                return;
        walk->id        = ++shard->serial;
        walk->replay    = query->replay;
        walk->to        = query->mail.from;
        walk->shard     = shard;
        walk->go_on.run = walk_on;
        walk->cursor    = retained_cursor_new(shard->retainer,
                                              str_from(query->filter, query->filter_len));
        if (walk->cursor == NULL || !map_add(&shard->cursors, walk)) {
                retained_cursor_free(walk->cursor);
                mem_free(walk);
                return;
        }
        walk_on(&shard->loop, &walk->go_on);
}

static void query_deliver(struct loop *loop, struct mail *mail)
{
        const struct query_mail *query = (const struct query_mail *)(const void *)mail;
        struct shard            *shard = shard_of(loop);
        struct walk             *walk;

        on_shard(loop);
        if (query->kind == QUERY_START) {
                walk_start(shard, query);
                return;
        }
        walk = walk_find(shard, query->cursor);
        if (walk == NULL)
                return;
        if (query->kind == QUERY_MORE)
                walk_on(loop, &walk->go_on);
        else
                walk_end(walk);
}

static const struct mail_ops query_ops = { "retained query", query_deliver, NULL };

void replay_teardown(struct shard *shard)
{
        struct walk *walk;
        size_t       at = 0;

        while ((walk = map_next(&shard->cursors, &at)) != NULL) {
                walk_end(walk);
                at--;           /* another may have moved to its place */
        }
        map_deinit(&shard->cursors);
        map_deinit(&shard->replays);
}

/* ---- the subscriber's side ------------------------------------------------------------------- */

static struct str replay_key(const void *value)
{
        return str_from(&((const struct replay *)value)->id, sizeof(uint64_t));
}

void replay_init(struct shard *shard)
{
        map_init(&shard->replays, replay_key, shard->broker->key);
        map_init(&shard->cursors, walk_key, shard->broker->key);
}

ON_SHARD static void ask(struct replay *replay, enum query_kind kind, struct str filter)
{
        struct shard      *shard = replay->session->shard;
        struct query_mail *mail  = loop_mail(&shard->loop, replay->from, &query_ops,
                                             sizeof *mail + filter.len);

        if (mail == NULL)
                return;
        mail->replay     = replay->id;
        mail->cursor     = replay->cursor;
        mail->kind       = kind;
        mail->filter_len = (uint32_t)filter.len;
        memcpy(mail->filter, filter.len > 0 ? filter.ptr : "", filter.len);
        replay->asked = kind != QUERY_END;
}

ON_SHARD static void replay_end(struct replay *replay)
{
        if (replay->cursor != 0)
                ask(replay, QUERY_END, STR(""));
        for (; replay->at < replay->count; replay->at++)
                message_put(replay->batch[replay->at]);
        map_remove(&replay->session->shard->replays, replay_key(replay));
        list_remove(&replay->in_session);
        mem_free(replay->seen);
        mem_free(replay);
}

ON_SHARD static void start_from(struct session *session, struct str name, struct str filter,
                                unsigned from)
{
        struct shard  *shard  = session->shard;
        struct replay *replay = mem_zalloc(sizeof *replay + name.len);

        if (replay == NULL)
                return;
        replay->id       = ++shard->serial;
        replay->session  = session;
        replay->from     = from;
        replay->name_len = (uint16_t)name.len;
        memcpy(replay->name, name.ptr, name.len);
        if (!map_add(&shard->replays, replay)) {
                mem_free(replay);
                return;
        }
        list_push_back(&session->replays, &replay->in_session);
        ask(replay, QUERY_START, filter);
        if (!replay->asked)
                replay_end(replay);
}

void replay_start(struct session *session, struct str name)
{
        struct subscription_name parsed;
        struct shard            *shard = session->shard;

        if (!subscription_name_parse(name, &parsed))
                return;
        if (!topic_is_wild(parsed.filter)) {
                start_from(session, name, parsed.filter, shard_of_topic(shard, parsed.filter));
                return;
        }
        for (unsigned i = 0; i < shard->broker->shard_count; i++)
                start_from(session, name, parsed.filter, i);
}

static bool was_seen(const struct replay *replay, const struct message *message)
{
        uint64_t hash;

        if (replay->seen_count == 0)
                return false;
        hash = hash_str(&replay->session->shard->broker->key, message_topic(message));
        for (uint32_t i = 0; i < replay->seen_count; i++)
                if (replay->seen[i] == hash)
                        return true;
        return false;
}

void replay_seen(struct session *session, const struct message *message)
{
        list_each(link, after, &session->replays) {
                struct replay *replay = list_entry(link, struct replay, in_session);

                if (was_seen(replay, message))
                        continue;
                if (replay->seen_count == replay->seen_size) {
                        uint32_t  size = replay->seen_size != 0 ? replay->seen_size * 2 : 8;
                        uint64_t *seen = mem_realloc_array(replay->seen, size, sizeof *seen);

                        if (seen == NULL)
                                continue;
                        replay->seen      = seen;
                        replay->seen_size = size;
                }
                replay->seen[replay->seen_count++] =
                        hash_str(&session->shard->broker->key, message_topic(message));
        }
}

/* The session went while the answer was on its way: its walk is to end. */
ON_SHARD static void abandon(struct shard *shard, struct answer_mail *answer_in)
{
        struct query_mail *mail;

        answer_drop(&answer_in->mail);
        if (answer_in->cursor == 0)
                return;
        mail = loop_mail(&shard->loop, answer_in->mail.from, &query_ops, sizeof *mail);
        if (mail == NULL)
                return;
        mail->cursor = answer_in->cursor;
        mail->kind   = QUERY_END;
}

static void answer_deliver(struct loop *loop, struct mail *mail)
{
        struct answer_mail *answer_in = (struct answer_mail *)(void *)mail;
        struct shard       *shard     = shard_of(loop);
        struct replay      *replay    = map_find(&shard->replays, str_from(&answer_in->replay, 8));

        on_shard(loop);
        if (replay == NULL) {
                abandon(shard, answer_in);
                return;
        }
        assert(replay->at == replay->count && answer_in->count <= RETAINED_BATCH_MAX);
        replay->asked  = false;
        replay->cursor = answer_in->cursor;
        replay->at     = 0;
        replay->count  = answer_in->count;
        for (uint32_t i = 0; i < answer_in->count; i++)
                replay->batch[i] = answer_in->messages[i];
        list_remove(&replay->in_session);
        list_push_front(&replay->session->replays, &replay->in_session);
        session_pump(replay->session);
}

/* False: there is no room for what is next. */
ON_SHARD static bool pump_one(struct session *session, struct replay *replay)
{
        struct subscription *subscription =
                map_find(&session->subscriptions, str_from(replay->name, replay->name_len));

        while (replay->at < replay->count) {
                struct message *message = replay->batch[replay->at];

                if (session->peer->ops->congested(session->peer) ||
                    (message->qos > 0 && !session_has_room(session)))
                        return false;
                replay->at++;
                if (subscription != NULL && !was_seen(replay, message))
                        pubsub_deliver(subscription, message, true);
                message_put(message);
        }
        return true;
}

/* Those that wait for an answer are not looked at: a SUBSCRIBE may begin thousands, and each of
 * their answers comes here. */
void replay_pump(struct session *session)
{
        list_each(link, after, &session->replays) {
                struct replay *replay = list_entry(link, struct replay, in_session);

                if (replay->asked || !pump_one(session, replay))
                        return;
                if (replay->cursor == 0) {
                        replay_end(replay);
                        continue;
                }
                ask(replay, QUERY_MORE, STR(""));
                if (!replay->asked)     /* no memory: the next time */
                        return;
                list_remove(&replay->in_session);
                list_push_back(&session->replays, &replay->in_session);
        }
}

void replay_end_all(struct session *session)
{
        list_each(link, after, &session->replays)
                replay_end(list_entry(link, struct replay, in_session));
}
