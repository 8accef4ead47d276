#include "core/alarm.h"

#include <string.h>

struct alarm_mail {
        struct mail mail;
        const char *why;
        uint32_t    id_len;
        char        id[];
};

static void alarm_deliver(struct loop *loop, struct mail *mail)
{
        const struct alarm_mail *alarm = (const struct alarm_mail *)(const void *)mail;
        struct hook_args         args  = { .shard = shard_of(loop),
                                           .topic = str_from(alarm->id, alarm->id_len),
                                           .why   = alarm->why };

        on_shard(loop);
        hooks_run(args.shard->broker->hooks, HOOK_ALARM, &args);
}

static const struct mail_ops alarm_ops = { "alarm", alarm_deliver, NULL };

static size_t size_of(const char *kind, struct str who)
{
        return sizeof(struct alarm_mail) + strlen(kind) + 1 + who.len;
}

static void fill(struct alarm_mail *mail, const char *kind, struct str who, const char *why)
{
        size_t kind_len = strlen(kind);

        mail->why    = why;
        mail->id_len = (uint32_t)(kind_len + 1 + who.len);
        memcpy(mail->id, kind, kind_len);
        mail->id[kind_len] = '.';
        memcpy(mail->id + kind_len + 1, who.ptr, who.len);
}

void alarm_tell(struct shard *shard, const char *kind, struct str who, const char *why)
{
        struct alarm_mail *mail = loop_mail(&shard->loop, shard->loop.config.id, &alarm_ops,
                                            size_of(kind, who));

        if (mail != NULL)
                fill(mail, kind, who, why);
}

void alarm_post(struct broker *broker, const char *kind, struct str who, const char *why)
{
        struct parcel     *parcel = NULL;
        struct alarm_mail *mail   = (struct alarm_mail *)(void *)parcel_append(
                &parcel, &alarm_ops, size_of(kind, who), MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return;
        fill(mail, kind, who, why);
        loop_post(broker->loops[0], parcel);
}
