/* Who may read and write which topics, and a provider on the access chain that says so: at once, or
 * later, or never. The law changes while clients are connected; each shard learns of it by mail, so
 * for a while some of them still go by an older one. */
#include <limits.h>
#include <stdio.h>

#include "base/memory.h"
#include "core/review.h"
#include "mqtt/topic.h"
#include "rt/loop.h"
#include "sim.h"

enum { OWED_MS_MAX = 300, ALL_TOPICS = (1 << TOPICS) - 1 };

/* An answer that is owed. */
struct debt {
        struct timer           timer;
        struct sim            *sim;
        struct access_request *request;
};

struct law_mail {
        struct mail mail;
        struct sim *sim;
        unsigned    law;
};

/* ---- what a law says ------------------------------------------------------------------------- */

static uint8_t topics_of(struct str filter)
{
        uint8_t topics = 0;

        for (unsigned t = 0; t < TOPICS; t++)
                if (topic_matches(filter, str_of(sim_topics[t])))
                        topics |= (uint8_t)(1u << t);
        return topics;
}

static bool allows(const struct sim *sim, unsigned law, unsigned client, unsigned topic,
                   enum access_kind kind)
{
        const struct law *is = &sim->laws[law];

        return client >= sim->mix.clients ||
               (kind == ACCESS_PUBLISH ? is->writes : is->reads)[client] >> topic & 1;
}

bool law_ever(const struct sim *sim, struct law_span span, unsigned client, unsigned topic,
              enum access_kind kind)
{
        bool any = false;

        for (unsigned law = span.from; law <= span.to; law++)
                any |= allows(sim, law, client, topic, kind);
        return any;
}

bool law_always(const struct sim *sim, struct law_span span, unsigned client, unsigned topic,
                enum access_kind kind)
{
        bool all = true;

        for (unsigned law = span.from; law <= span.to; law++)
                all &= allows(sim, law, client, topic, kind);
        return all;
}

/* Of one of the clients' filters: none of its topics may be read, so that it is refused. */
static bool denies_filter(const struct sim *sim, unsigned law, unsigned client, unsigned filter)
{
        struct str name = str_of(sim_filters[filter]);

        if (str_starts(name, STR("$share/g/")))
                name = str_skip(name, 9);
        return client < sim->mix.clients && !(sim->laws[law].reads[client] & topics_of(name));
}

bool law_ever_denies(const struct sim *sim, struct law_span span, unsigned client, unsigned filter)
{
        bool any = false;

        for (unsigned law = span.from; law <= span.to; law++)
                any |= denies_filter(sim, law, client, filter);
        return any;
}

bool law_always_denies(const struct sim *sim, struct law_span span, unsigned client,
                       unsigned filter)
{
        bool all = true;

        for (unsigned law = span.from; law <= span.to; law++)
                all &= denies_filter(sim, law, client, filter);
        return all;
}

struct law_span law_now(const struct sim *sim)
{
        struct law_span span = { sim->law, sim->law };

        for (unsigned i = 0; sim->world != NULL && i < sim->world->broker.shard_count; i++)
                if (sim->law_of[i] < span.from)
                        span.from = sim->law_of[i];
        return span;
}

/* ---- the provider ---------------------------------------------------------------------------- */

/* The watcher and the reader may do everything, and wait for no answer. */
static unsigned asker(const struct access_request *request)
{
        char     name[16] = "";
        unsigned client   = UINT_MAX;

        snprintf(name, sizeof name, "%.*s", STR_ARGS(request->client_id));
        return sscanf(name, "c%u", &client) == 1 ? client : UINT_MAX;
}

static enum access_verdict judge(const struct sim *sim, struct access_request *request)
{
        const struct law *law = &sim->laws[sim->law_of[request->shard->loop.config.id]];
        uint8_t           topics, allowed;
        unsigned          client = asker(request);

        if (request->kind == ACCESS_CONNECT || str_starts(request->topic, STR("will/")))
                return ACCESS_ALLOW;
        if (client >= sim->mix.clients)
                return ACCESS_ALLOW;
        topics  = topics_of(request->topic);
        allowed = request->kind == ACCESS_PUBLISH ? law->writes[client] : law->reads[client];
        request->partly = request->kind == ACCESS_SUBSCRIBE && (topics & allowed) != topics;
        return topics & allowed ? ACCESS_ALLOW : ACCESS_DENY;
}

static void pay(struct loop *loop, struct timer *timer)
{
        struct debt           *debt    = list_entry(timer, struct debt, timer);
        struct access_request *request = debt->request;
        struct sim            *sim     = debt->sim;

        on_shard(loop);
        sim->owed--;
        request->provider_data = NULL;
        mem_free(debt);
        access_answer(request, judge(sim, request));
}

static enum access_verdict check(void *context, struct access_request *request)
{
        struct sim  *sim = context;
        struct debt *debt;

        /* Of who is gone it is known at once: the checkers have no time for a will that waits. */
        if (request->review || request->away || asker(request) >= sim->mix.clients ||
            !sim_chance(sim, sim->mix.late_percent))
                return judge(sim, request);
        debt = mem_zalloc(sizeof *debt);
        if (debt == NULL)
                return ACCESS_DENY;
        debt->sim              = sim;
        debt->request          = request;
        debt->timer.fire       = pay;
        request->provider_data = debt;
        sim->owed++;
        if (!sim_chance(sim, sim->mix.never_percent))
                loop_timer(&request->shard->loop, &debt->timer,
                           random_below(&sim->random, OWED_MS_MAX));
        return ACCESS_LATER;
}

static void cancel(void *context, struct access_request *request)
{
        struct sim  *sim  = context;
        struct debt *debt = request->provider_data;

        loop_timer_cancel(&request->shard->loop, &debt->timer);
        request->provider_data = NULL;
        mem_free(debt);
        sim->owed--;
}

static bool has_rules(void *context, const struct shard *shard)
{
        (void)context;
        (void)shard;
        return true;
}

static const struct access_provider law_provider = {
        .name      = "law",
        .kinds     = ACCESS_TOPICS | ACCESS_CONNECTS,
        .check     = check,
        .cancel    = cancel,
        .has_rules = has_rules,
};

/* A broker begins by the law as it is. */
bool law_begin(struct broker *broker, void *context)
{
        struct sim *sim = context;

        for (unsigned i = 0; i < SHARDS_DRAWN; i++)
                sim->law_of[i] = sim->law;
        sim->law_settled = sim->law;
        return sim->mix.law_percent == 0 || access_add(broker->access, &law_provider, sim);
}

/* ---- another one ----------------------------------------------------------------------------- */

static void learn(struct loop *loop, struct mail *mail)
{
        const struct law_mail *news = (const struct law_mail *)(const void *)mail;

        on_shard(loop);
        news->sim->law_of[loop->config.id] = news->law;
        review_start(shard_of(loop));
}

static const struct mail_ops law_ops = { "law", learn, NULL };

static uint8_t draw_topics(struct sim *sim)
{
        return sim_chance(sim, sim->mix.law_percent)
                       ? (uint8_t)random_below(&sim->random, ALL_TOPICS + 1)
                       : ALL_TOPICS;
}

void law_draw(struct sim *sim)
{
        for (unsigned c = 0; c < CLIENTS_MAX; c++) {
                sim->laws[sim->law].reads[c]  = draw_topics(sim);
                sim->laws[sim->law].writes[c] = draw_topics(sim);
        }
}

static bool proclaim(struct sim *sim)
{
        const struct broker *broker = &sim->world->broker;

        for (unsigned i = 0; i < broker->shard_count; i++) {
                struct parcel   *parcel = NULL;
                struct law_mail *mail   = (struct law_mail *)(void *)parcel_append(
                        &parcel, &law_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

                if (mail == NULL)
                        return sim_fail(sim, "no memory");
                mail->sim = sim;
                mail->law = sim->law;
                loop_post(broker->loops[i], parcel);
        }
        check_reformed(sim);
        return true;
}

bool act_reform(struct sim *sim, struct sim_client *client)
{
        (void)client;
        if (sim->mix.law_percent == 0 || sim->law + 2 >= LAWS_MAX)
                return true;
        sim->law++;
        law_draw(sim);
        return proclaim(sim);
}

/* Everybody may do everything, so that nobody is left with what cannot be sent. */
bool law_end(struct sim *sim)
{
        if (sim->mix.law_percent == 0)
                return true;
        sim->mix.law_percent = 0;
        sim->mix.late_percent = 0;
        sim->law++;
        law_draw(sim);
        return proclaim(sim);
}
