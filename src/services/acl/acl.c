#include "services/acl/acl.h"

#include "base/log.h"
#include "base/memory.h"
#include "core/alarm.h"
#include "core/review.h"

enum { LINES_LOGGED = 10 };             /* a second and shard */

struct acl {
        struct broker    *broker;
        struct acl_rules *of_shard[SHARDS_MAX];         /* each its shard's; owned */
        struct log_limit  lines[SHARDS_MAX];
};

struct rules_mail {
        struct mail       mail;
        struct acl       *acl;
        struct acl_rules *rules;        /* owned; NULL: none */
};

struct alarm_mail {
        struct mail mail;
        const char *why;
};

static bool has_rules(void *context, const struct shard *shard)
{
        return ((const struct acl *)context)->of_shard[shard->loop.config.id] != NULL;
}

UNCHECKED static enum access_verdict check(void *context, struct access_request *request)
{
        const struct acl       *acl   = context;
        const struct acl_rules *rules = acl->of_shard[request->shard->loop.config.id];

        if (rules == NULL || request->kind == ACCESS_CONNECT)
                return ACCESS_IGNORE;
        return acl_rules_check(rules, request, request->shard->settings->acl_check_delivery);
}

/* What ends by a change of the rules is told once. */
UNCHECKED static enum hook_result on_unsubscribed(void *context, struct hook_args *args)
{
        struct acl      *acl     = context;
        struct log_limit *lines  = &acl->lines[args->shard->loop.config.id];
        uint32_t         skipped = 0;

        if (args->why == NULL ||
            !log_allowed(lines, LINES_LOGGED, args->shard->loop.now.mono_ms, &skipped))
                return HOOK_OK;
        LOG(WARNING, "subscription.revoked", F_STR("client", args->client_id),
            F_STR("username", args->username), F_STR("filter", args->topic),
            F_U64("skipped", skipped));
        return HOOK_OK;
}

/* Of a session's queue: those in memory are dropped at once, those on disk as their turn comes. */
UNCHECKED static enum hook_result on_withheld(void *context, struct hook_args *args)
{
        struct acl *acl     = context;
        uint32_t    skipped = 0;

        if (!log_allowed(&acl->lines[args->shard->loop.config.id], LINES_LOGGED,
                         args->shard->loop.now.mono_ms, &skipped))
                return HOOK_OK;
        LOG(WARNING, "message.withheld", F_STR("client", args->client_id),
            F_STR("username", args->username), F_STR("topic", args->topic),
            F_TEXT("why", args->why), F_U64("skipped", skipped));
        return HOOK_OK;
}

struct acl *acl_new(struct broker *broker)
{
        static const struct access_provider provider = { .name      = "acl_file",
                                                         .kinds     = ACCESS_TOPICS,
                                                         .check     = check,
                                                         .has_rules = has_rules };
        struct acl *acl = mem_zalloc(sizeof *acl);

        if (acl == NULL)
                return NULL;
        acl->broker = broker;
        if (access_add(broker->access, &provider, acl) &&
            hooks_add(broker->hooks, HOOK_SESSION_UNSUBSCRIBED, on_unsubscribed, acl, 0) &&
            hooks_add(broker->hooks, HOOK_MESSAGE_WITHHELD, on_withheld, acl, 0))
                return acl;
        mem_free(acl);
        return NULL;
}

void acl_free(struct acl *acl)
{
        if (acl == NULL)
                return;
        for (unsigned i = 0; i < SHARDS_MAX; i++)
                acl_rules_put(acl->of_shard[i]);
        mem_free(acl);
}

void acl_begin(struct acl *acl, struct acl_rules *rules)
{
        for (unsigned i = 0; rules != NULL && i < acl->broker->shard_count; i++)
                acl->of_shard[i] = acl_rules_get(rules);
        acl_rules_put(rules);
}

static void rules_deliver(struct loop *loop, struct mail *mail)
{
        struct rules_mail *to    = (struct rules_mail *)(void *)mail;
        struct acl_rules **place = &to->acl->of_shard[loop->config.id];

        on_shard(loop);
        acl_rules_put(*place);
        *place = to->rules;
        review_start(shard_of(loop));
}

static void rules_drop(struct mail *mail)
{
        acl_rules_put(((struct rules_mail *)(void *)mail)->rules);
}

static const struct mail_ops rules_ops = { "acl rules", rules_deliver, rules_drop };

bool acl_apply(struct acl *acl, struct acl_rules *rules)
{
        bool good = true;

        for (unsigned i = 0; i < acl->broker->shard_count && good; i++) {
                struct parcel     *parcel = NULL;
                struct rules_mail *mail   = (struct rules_mail *)(void *)parcel_append(
                        &parcel, &rules_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

                good = mail != NULL;
                if (!good)
                        break;
                mail->acl   = acl;
                mail->rules = rules != NULL ? acl_rules_get(rules) : NULL;
                loop_post(acl->broker->loops[i], parcel);
        }
        acl_rules_put(rules);
        return good;
}

static void alarm_deliver(struct loop *loop, struct mail *mail)
{
        on_shard(loop);
        alarm_tell(shard_of(loop), "acl_file", STR("rules"),
                   ((const struct alarm_mail *)(const void *)mail)->why);
}

static const struct mail_ops alarm_ops = { "acl alarm", alarm_deliver, NULL };

void acl_alarm(struct acl *acl, const char *why)
{
        struct parcel     *parcel = NULL;
        struct alarm_mail *mail   = (struct alarm_mail *)(void *)parcel_append(
                &parcel, &alarm_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return;
        mail->why = why;
        loop_post(acl->broker->loops[0], parcel);
}
