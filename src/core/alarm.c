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

void alarm_tell(struct shard *shard, const char *kind, struct str who, const char *why)
{
        size_t             kind_len = strlen(kind);
        struct alarm_mail *mail     = loop_mail(&shard->loop, shard->loop.config.id, &alarm_ops,
                                                sizeof *mail + kind_len + 1 + who.len);

        if (mail == NULL)
                return;
        mail->why    = why;
        mail->id_len = (uint32_t)(kind_len + 1 + who.len);
        memcpy(mail->id, kind, kind_len);
        mail->id[kind_len] = '.';
        memcpy(mail->id + kind_len + 1, who.ptr, who.len);
}
