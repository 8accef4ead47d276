#include "services/certificates/expiry.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/alarm.h"
#include "core/publish.h"

enum { SAY_MS = 60000 };

#define ALARM_EXPIRES "certificate_expires"

/* Empty: what was said is forgotten. */
ON_SHARD static void say_days(struct shard *shard, const struct certificates_slot *slot,
                              unsigned at, const char *days)
{
        char                  topic[512];
        struct message_fields fields = { .retain = true };

        snprintf(topic, sizeof topic, "$SYS/brokers/%s/certificates/%s/%u/days",
                 shard->broker->node_name, slot->name, at);
        fields.topic   = str_of(topic);
        fields.payload = str_of(days);
        publish_fields(shard, &fields);
}

/* The one that ends first. */
ON_SHARD static void say_slot(struct shard *shard, struct certificates_slot *slot)
{
        const struct tls_context *context = slot->of_shard[shard->loop.config.id];
        const struct tls_own     *first   = NULL;
        int64_t                   now_s   = (int64_t)(shard->loop.now.wall_us / 1000000);
        int64_t                   warn_s  = shard->settings->tls_expiry_warning_s;
        char                      why[TLS_PATH_SIZE + 128], days_text[24];
        bool                      expires;

        for (unsigned i = 0; i < context->count; i++) {
                const struct tls_own *own = &context->own[i];

                if (first == NULL || own->expires_s < first->expires_s)
                        first = own;
                snprintf(days_text, sizeof days_text, "%" PRId64,
                         tls_days_left(own->expires_s, now_s));
                if (shard->settings->sys_interval_ms > 0)
                        say_days(shard, slot, i, days_text);
        }
        expires = first != NULL && first->expires_s - now_s < warn_s;
        if (expires && !slot->expires) {
                int64_t days = tls_days_left(first->expires_s, now_s);

                snprintf(why, sizeof why, "certfile %s: the certificate %s %" PRId64 " days%s",
                         first->file, days < 0 ? "ended" : "ends in", days < 0 ? -days : days,
                         days < 0 ? " ago" : "");
                alarm_tell(shard, ALARM_EXPIRES, str_of(slot->name), why);
        } else if (!expires && slot->expires) {
                alarm_tell(shard, ALARM_EXPIRES, str_of(slot->name), NULL);
        }
        slot->expires = expires;
}

static void on_say(struct loop *loop, struct timer *timer)
{
        struct expiry *expiry = list_entry(timer, struct expiry, say);

        on_shard(loop);
        for (struct list *at = expiry->slots.next; at != &expiry->slots; at = at->next)
                say_slot(shard_of(loop), list_entry(at, struct certificates_slot, telling));
        loop_timer(loop, timer, SAY_MS);
}

void expiry_init(struct expiry *expiry)
{
        list_init(&expiry->slots);
        expiry->say.fire = on_say;
}

void expiry_add(struct expiry *expiry, struct shard *shard, struct certificates_slot *slot)
{
        list_push_back(&expiry->slots, &slot->telling);
        say_slot(shard, slot);
        if (!timer_is_set(&expiry->say))
                loop_timer(&shard->loop, &expiry->say, SAY_MS);
}

static const struct certificates_slot *find(const struct expiry *expiry, const char *name)
{
        for (struct list *at = expiry->slots.next; at != &expiry->slots; at = at->next) {
                struct certificates_slot *slot = list_entry(at, struct certificates_slot, telling);

                if (strcmp(slot->name, name) == 0)
                        return slot;
        }
        return NULL;
}

void expiry_remove(struct expiry *expiry, struct shard *shard, struct certificates_slot *slot)
{
        const struct tls_context       *context = slot->of_shard[shard->loop.config.id];
        const struct certificates_slot *other;
        unsigned                        at = 0;

        list_remove(&slot->telling);
        other = find(expiry, slot->name);
        if (other != NULL)
                at = other->of_shard[shard->loop.config.id]->count;
        for (; at < context->count; at++)
                say_days(shard, slot, at, "");
        if (slot->expires && (other == NULL || !other->expires))
                alarm_tell(shard, ALARM_EXPIRES, str_of(slot->name), NULL);
}
