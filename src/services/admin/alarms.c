#include "services/admin/alarms.h"

#include "base/memory.h"

enum { ALARMS_MAX = 256 };              /* more are not listed: they are in the log */

struct alarm {
        struct list in_alarms;
        uint64_t    raised_us;
        size_t      id_len, why_len;
        char        text[];             /* the id, and behind it why */
};

struct alarms {
        struct admin *admin;
        struct list   list;
        unsigned      count;
};

struct change_mail {
        struct mail    mail;
        struct alarms *alarms;
        uint64_t       at_us;
        bool           raised;
        uint32_t       id_len, why_len;
        char           text[];          /* the id, and behind it why */
};

static struct alarm *find(const struct alarms *alarms, struct str id)
{
        for (struct list *link = alarms->list.next; link != &alarms->list; link = link->next) {
                struct alarm *alarm = list_entry(link, struct alarm, in_alarms);

                if (str_eq(str_from(alarm->text, alarm->id_len), id))
                        return alarm;
        }
        return NULL;
}

static void drop(struct alarms *alarms, struct alarm *alarm)
{
        list_remove(&alarm->in_alarms);
        mem_free(alarm);
        alarms->count--;
}

static void change_deliver(struct loop *loop, struct mail *mail)
{
        const struct change_mail *change = (const struct change_mail *)(const void *)mail;
        struct alarms            *alarms = change->alarms;
        struct alarm             *old = find(alarms, str_from(change->text, change->id_len));
        struct alarm             *alarm;
        size_t                    size = (size_t)change->id_len + change->why_len;

        on_shard(loop);
        if (old != NULL)
                drop(alarms, old);
        if (!change->raised || alarms->count == ALARMS_MAX ||
            (alarm = mem_alloc(sizeof *alarm + size)) == NULL)
                return;
        *alarm = (struct alarm){ .raised_us = change->at_us, .id_len = change->id_len,
                                 .why_len = change->why_len };
        memcpy(alarm->text, change->text, size);
        list_push_back(&alarms->list, &alarm->in_alarms);
        alarms->count++;
}

static const struct mail_ops change_ops = { "alarm change", change_deliver, NULL };

UNCHECKED static enum hook_result on_alarm(void *context, struct hook_args *args)
{
        struct alarms      *alarms = context;
        struct parcel      *parcel = NULL;
        struct str          why    = str_of(args->why);
        struct change_mail *mail;

        mail = (struct change_mail *)(void *)parcel_append(
                &parcel, &change_ops, sizeof *mail + args->topic.len + why.len, MAIL_FROM_OUTSIDE);
        if (mail == NULL)
                return HOOK_OK;
        mail->alarms  = alarms;
        mail->at_us   = args->shard->loop.now.wall_us;
        mail->raised  = args->why != NULL;
        mail->id_len  = (uint32_t)args->topic.len;
        mail->why_len = (uint32_t)why.len;
        memcpy(mail->text, args->topic.ptr, args->topic.len);
        if (why.len > 0)
                memcpy(mail->text + args->topic.len, why.ptr, why.len);
        loop_post(admin_loop(alarms->admin), parcel);
        return HOOK_OK;
}

static enum admin_progress run_list(void *context, struct admin_call *call)
{
        const struct alarms *alarms = context;

        for (struct list *link = alarms->list.next; link != &alarms->list; link = link->next) {
                const struct alarm *alarm = list_entry(link, struct alarm, in_alarms);

                ADMIN_ROW(call, "alarm", F_U64("raised_s", alarm->raised_us / 1000000),
                          F_STR("id", str_from(alarm->text, alarm->id_len)),
                          F_STR("why", str_from(alarm->text + alarm->id_len, alarm->why_len)));
        }
        return ADMIN_DONE;
}

static const struct admin_command list_command = {
        .name = "alarms list", .usage = "", .help = "what an operator should look at",
        .run = run_list
};

struct alarms *alarms_new(struct admin *admin)
{
        struct alarms *alarms = mem_zalloc(sizeof *alarms);

        if (alarms == NULL)
                return NULL;
        alarms->admin = admin;
        list_init(&alarms->list);
        if (!hooks_add(admin_broker(admin)->hooks, HOOK_ALARM, on_alarm, alarms, 0)) {
                mem_free(alarms);
                return NULL;
        }
        admin_add(admin, &list_command, alarms);
        return alarms;
}

void alarms_free(struct alarms *alarms)
{
        while (alarms->count > 0)
                drop(alarms, list_entry(alarms->list.next, struct alarm, in_alarms));
        mem_free(alarms);
}
