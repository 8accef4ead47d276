#include "services/certificates/certificates.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "core/alarm.h"
#include "core/publish.h"
#include "services/certificates/file_watch.h"

enum {
        LOOK_MS   = 60000,      /* between two looks at files of which the kernel says nothing */
        SETTLE_MS = 500,        /* a certificate and its key are written one after the other */
        SAY_MS    = 60000,      /* between two counts of days */
        SLOTS_MAX = 64,
        DAY_S     = 86400,
};

#define ALARM_UNUSABLE "certificate_unusable"
#define ALARM_EXPIRES  "certificate_expires"

struct certificates_slot {
        const char          *name;
        struct tls_config    config;
        struct tls_context  *of_shard[SHARDS_MAX];      /* each shard's own reference */
        uint64_t             stamp;     /* of the files, before they were last read */
        bool                 unusable;  /* an alarm says so */
        bool                 expires;   /* the first shard's: an alarm says so */
};

struct certificates {
        struct loop               loop;
        struct loop              *self[1];
        struct broker            *broker;
        struct file_watch         files;
        struct timer              look;         /* both on its own loop */
        struct timer              soon;
        struct timer              say;          /* on the first shard */
        unsigned                  count;
        struct certificates_slot *slots[SLOTS_MAX];
};

/* A new context on its way to a shard. */
struct context_mail {
        struct mail               mail;
        struct certificates_slot *slot;
        struct tls_context       *context;      /* owned */
};

struct reload_mail {
        struct mail mail;
};

static struct certificates *certificates_of(struct loop *loop)
{
        return list_entry(loop, struct certificates, loop);
}

/* ---- on the shards --------------------------------------------------------------------------- */

static void context_deliver(struct loop *loop, struct mail *mail)
{
        struct context_mail *fresh = (struct context_mail *)(void *)mail;

        on_shard(loop);
        tls_context_put(fresh->slot->of_shard[loop->config.id]);
        fresh->slot->of_shard[loop->config.id] = TAKE(fresh->context);
}

static void context_drop(struct mail *mail)
{
        tls_context_put(((struct context_mail *)(void *)mail)->context);
}

static const struct mail_ops context_ops = { "tls context", context_deliver, context_drop };

struct tls_context *certificates_get(const struct certificates_slot *slot,
                                     const struct shard *shard)
{
        return slot->of_shard[shard->loop.config.id];
}

ON_SHARD static void say_days(struct shard *shard, const struct certificates_slot *slot,
                              unsigned at, int64_t days)
{
        char                  topic[512], payload[24];
        struct message_fields fields = { .retain = true };

        snprintf(topic, sizeof topic, "$SYS/brokers/%s/certificates/%s/%u/days",
                 shard->broker->node_name, slot->name, at);
        snprintf(payload, sizeof payload, "%" PRId64, days);
        fields.topic   = str_of(topic);
        fields.payload = str_of(payload);
        publish_fields(shard, &fields);
}

/* The one that ends first. */
ON_SHARD static void say_slot(struct shard *shard, struct certificates_slot *slot)
{
        const struct tls_context *context = slot->of_shard[shard->loop.config.id];
        const struct tls_own     *first   = NULL;
        int64_t                   now_s   = (int64_t)(shard->loop.now.wall_us / 1000000);
        int64_t                   warn_s  = shard->settings->tls_expiry_warning_s;
        char                      why[TLS_PATH_SIZE + 128];
        bool                      expires;

        for (unsigned i = 0; i < context->count; i++) {
                const struct tls_own *own = &context->own[i];

                if (first == NULL || own->expires_s < first->expires_s)
                        first = own;
                if (shard->settings->sys_interval_ms > 0)
                        say_days(shard, slot, i, tls_days_left(own->expires_s, now_s));
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
        struct certificates *self = list_entry(timer, struct certificates, say);

        on_shard(loop);
        for (unsigned i = 0; i < self->count; i++)
                say_slot(shard_of(loop), self->slots[i]);
        loop_timer(loop, timer, SAY_MS);
}

void certificates_start(struct certificates *certificates, struct shard *shard)
{
        if (certificates->count > 0)
                loop_timer(&shard->loop, &certificates->say, 0);
}

/* ---- files ----------------------------------------------------------------------------------- */

static uint64_t stamp_of(const struct tls_config *config)
{
        const char *const lists[] = { config->certificates, config->keys,    config->password_file,
                                      config->ca_file,      config->ca_dir,  config->crl_files,
                                      config->psk_file };
        uint64_t          stamp   = 0;

        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
                stamp = file_stamp(str_of(lists[i]), stamp + i);
        return stamp;
}

static void watch_list(struct certificates *self, const char *list)
{
        struct str rest = str_of(list);
        char       path[TLS_PATH_SIZE];

        while (path_next(&rest, path, sizeof path))
                if (path[0] != '\0')
                        file_watch_add(&self->files, path);
}

static void watch_files(struct certificates *self, const struct tls_config *config)
{
        watch_list(self, config->certificates);
        watch_list(self, config->keys);
        watch_list(self, config->password_file);
        watch_list(self, config->ca_file);
        if (config->ca_dir[0] != '\0') {
                char inside[TLS_PATH_SIZE + 2];

                snprintf(inside, sizeof inside, "%s/.", config->ca_dir);
                file_watch_add(&self->files, inside);
        }
        watch_list(self, config->crl_files);
        watch_list(self, config->psk_file);
}

/* Without memory for a mail that shard keeps the old one until the files change again. */
static void hand_out(struct certificates *self, struct certificates_slot *slot,
                     struct tls_context *context)
{
        for (unsigned i = 0; i < self->broker->shard_count; i++) {
                struct parcel       *parcel = NULL;
                struct context_mail *mail   = (struct context_mail *)(void *)parcel_append(
                        &parcel, &context_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

                if (mail == NULL) {
                        slot->stamp = 0;
                        continue;
                }
                mail->slot    = slot;
                mail->context = tls_context_get(context);
                loop_post(self->broker->loops[i], parcel);
        }
}

/* Raised anew when it is another trouble, and cleared once. */
static void tell_trouble(struct certificates *self, struct certificates_slot *slot, const char *why)
{
        if (why != NULL || slot->unusable)
                alarm_post(self->broker, ALARM_UNUSABLE, str_of(slot->name), why);
        slot->unusable = why != NULL;
}

static void read_anew(struct certificates *self, struct certificates_slot *slot)
{
        char                why[TLS_WHY_SIZE];
        struct tls_context *context = tls_context_new(&slot->config, why);

        if (context == NULL) {
                LOG(ERROR, "certificates.refused", F_TEXT("listener", slot->name),
                    F_TEXT("reason", why), F_TEXT("hint", "the old ones stay in use"));
                tell_trouble(self, slot, why);
                return;
        }
        hand_out(self, slot, context);
        tls_context_put(context);
        LOG(INFO, "certificates.swapped", F_TEXT("listener", slot->name));
        tell_trouble(self, slot, NULL);
}

/* The stamp is taken before the files are read: what changes meanwhile is seen by the next look. */
static void look(struct certificates *self, bool anew)
{
        for (unsigned i = 0; i < self->count; i++) {
                struct certificates_slot *slot  = self->slots[i];
                uint64_t                  stamp = stamp_of(&slot->config);

                watch_files(self, &slot->config);
                if (stamp == slot->stamp && !anew)
                        continue;
                slot->stamp = stamp;
                read_anew(self, slot);
        }
}

static void on_look(struct loop *loop, struct timer *timer)
{
        on_shard(loop);
        look(certificates_of(loop), false);
        loop_timer(loop, timer, LOOK_MS);
}

static void on_soon(struct loop *loop, struct timer *timer)
{
        (void)timer;
        on_shard(loop);
        look(certificates_of(loop), false);
}

/* Not put off by further changes, of which a busy folder may have no end. */
static void on_changed(struct file_watch *watch)
{
        struct certificates *self = list_entry(watch, struct certificates, files);

        on_shard(&self->loop);
        if (!timer_is_set(&self->soon))
                loop_timer(&self->loop, &self->soon, SETTLE_MS);
}

static void reload_deliver(struct loop *loop, struct mail *mail)
{
        (void)mail;
        on_shard(loop);
        look(certificates_of(loop), true);
}

static const struct mail_ops reload_ops = { "tls reload", reload_deliver, NULL };

void certificates_reload(struct certificates *certificates)
{
        struct parcel *parcel = NULL;

        if (certificates->count > 0 &&
            parcel_append(&parcel, &reload_ops, sizeof(struct reload_mail), MAIL_FROM_OUTSIDE))
                loop_post(&certificates->loop, parcel);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct certificates *certificates_new(struct broker *broker,
                                      const struct loop_config *clock_and_poll)
{
        struct certificates *self   = mem_zalloc(sizeof *self);
        struct loop_config   config = *clock_and_poll;

        if (self == NULL)
                return NULL;
        config.id             = 0;
        config.count          = 1;
        config.peers          = self->self;
        self->self[0]         = &self->loop;
        self->broker          = broker;
        self->look.fire       = on_look;
        self->soon.fire       = on_soon;
        self->say.fire        = on_say;
        self->files.changed   = on_changed;
        loop_init(&self->loop, &config);
        file_watch_open(&self->files, config.poll);
        return self;
}

struct certificates_slot *certificates_add(struct certificates *certificates, const char *name,
                                           const struct tls_config *config,
                                           char why[static TLS_WHY_SIZE])
{
        struct certificates_slot *slot = certificates->count < SLOTS_MAX ? mem_zalloc(sizeof *slot)
                                                                         : NULL;
        struct tls_context       *context;

        if (slot == NULL) {
                snprintf(why, TLS_WHY_SIZE, "out of memory");
                return NULL;
        }
        slot->name   = name;
        slot->config = *config;
        slot->stamp  = stamp_of(config);
        context      = tls_context_new(config, why);
        if (context == NULL) {
                mem_free(slot);
                return NULL;
        }
        for (unsigned i = 0; i < certificates->broker->shard_count; i++)
                slot->of_shard[i] = tls_context_get(context);
        tls_context_put(context);
        watch_files(certificates, config);
        certificates->slots[certificates->count++] = slot;
        role_claim(&certificates->loop);
        loop_timer(&certificates->loop, &certificates->look, LOOK_MS);
        role_leave();
        return slot;
}

bool certificates_any(const struct certificates *certificates)
{
        return certificates->count > 0;
}

struct loop *certificates_loop(struct certificates *certificates)
{
        return &certificates->loop;
}

void certificates_free(struct certificates *certificates)
{
        if (certificates == NULL)
                return;
        role_claim(&certificates->loop);
        loop_timer_cancel(&certificates->loop, &certificates->look);
        loop_timer_cancel(&certificates->loop, &certificates->soon);
        file_watch_close(&certificates->files);
        role_leave();
        loop_deinit(&certificates->loop);
        for (unsigned i = 0; i < certificates->count; i++) {
                for (unsigned s = 0; s < certificates->broker->shard_count; s++)
                        tls_context_put(certificates->slots[i]->of_shard[s]);
                mem_free(certificates->slots[i]);
        }
        mem_free(certificates);
}
