#include "core/alarm.h"

#include <string.h>

struct alarm_mail {
        struct mail mail;
        bool        raised;
        uint32_t    id_len;
        char        text[];             /* the id, and behind it why, with a NUL */
};

static void alarm_deliver(struct loop *loop, struct mail *mail)
{
        const struct alarm_mail *alarm = (const struct alarm_mail *)(const void *)mail;
        struct hook_args         args  = { .shard = shard_of(loop),
                                           .topic = str_from(alarm->text, alarm->id_len) };

        on_shard(loop);
        if (alarm->raised)
                args.why = alarm->text + alarm->id_len;
        hooks_run(args.shard->broker->hooks, HOOK_ALARM, &args);
}

static const struct mail_ops alarm_ops = { "alarm", alarm_deliver, NULL };

static size_t size_of(const char *kind, struct str who, const char *why)
{
        size_t why_size = why != NULL ? strlen(why) + 1 : 0;

        return sizeof(struct alarm_mail) + strlen(kind) + 1 + who.len + why_size;
}

static void fill(struct alarm_mail *mail, const char *kind, struct str who, const char *why)
{
        size_t kind_len = strlen(kind);

        mail->raised = why != NULL;
        mail->id_len = (uint32_t)(kind_len + 1 + who.len);
        memcpy(mail->text, kind, kind_len);
        mail->text[kind_len] = '.';
        memcpy(mail->text + kind_len + 1, who.ptr, who.len);
        if (why != NULL)
                memcpy(mail->text + mail->id_len, why, strlen(why) + 1);
}

void alarm_tell(struct shard *shard, const char *kind, struct str who, const char *why)
{
        struct alarm_mail *mail = loop_mail(&shard->loop, shard->loop.config.id, &alarm_ops,
                                            size_of(kind, who, why));

        if (mail != NULL)
                fill(mail, kind, who, why);
}

void alarm_post(struct broker *broker, const char *kind, struct str who, const char *why)
{
        struct parcel     *parcel = NULL;
        struct alarm_mail *mail   = (struct alarm_mail *)(void *)parcel_append(
                &parcel, &alarm_ops, size_of(kind, who, why), MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return;
        fill(mail, kind, who, why);
        loop_post(broker->loops[0], parcel);
}
