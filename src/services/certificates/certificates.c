#include "services/certificates/certificates.h"

#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "core/alarm.h"
#include "services/certificates/expiry.h"
#include "services/certificates/file_watch.h"
#include "services/certificates/slot.h"

enum {
        LOOK_MS   = 60000,      /* between two looks at files of which the kernel says nothing */
        SETTLE_MS = 500,        /* a certificate and its key are written one after the other */
};

#define ALARM_UNUSABLE "certificate_unusable"

struct certificates {
        struct loop               loop;
        struct loop              *self[1];
        struct broker            *broker;
        struct file_watch         files;
        struct list               reading;      /* slots whose files the loop looks at */
        struct timer              look;         /* both on its own loop */
        struct timer              soon;
        struct expiry             expiry;       /* on the first shard */
        struct certificates_slot *slots;        /* all that were committed, to be freed */
};

/* A new context on its way to a shard. */
struct context_mail {
        struct mail               mail;
        struct certificates_slot *slot;
        struct tls_context       *context;      /* owned; NULL: the listener is no more */
};

/* That a slot has come, or that it goes. */
struct slot_mail {
        struct mail               mail;
        struct certificates_slot *slot;
};

static struct certificates *certificates_of(struct loop *loop)
{
        return list_entry(loop, struct certificates, loop);
}

/* ---- on the shards --------------------------------------------------------------------------- */

static void context_deliver(struct loop *loop, struct mail *mail)
{
        struct context_mail      *fresh   = (struct context_mail *)(void *)mail;
        struct certificates_slot *slot    = fresh->slot;
        struct tls_context      **context = &slot->of_shard[loop->config.id];

        on_shard(loop);
        if (fresh->context == NULL && loop->config.id == 0)
                expiry_remove(&slot->service->expiry, shard_of(loop), slot);
        tls_context_put(*context);
        *context = TAKE(fresh->context);
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

static void tell_deliver(struct loop *loop, struct mail *mail)
{
        struct certificates_slot *slot = ((struct slot_mail *)(void *)mail)->slot;

        on_shard(loop);
        expiry_add(&slot->service->expiry, shard_of(loop), slot);
}

static const struct mail_ops tell_ops = { "tls expiry", tell_deliver, NULL };

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

/* NULL: it is taken away. Without memory for a mail that shard keeps the old one until the files
 * change again. */
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
                mail->context = context != NULL ? tls_context_get(context) : NULL;
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
        for (struct list *at = self->reading.next; at != &self->reading; at = at->next) {
                struct certificates_slot *slot  = list_entry(at, struct certificates_slot, reading);
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
ON_SHARD static void look_soon(struct certificates *self)
{
        if (!timer_is_set(&self->soon))
                loop_timer(&self->loop, &self->soon, SETTLE_MS);
}

static void on_changed(struct file_watch *watch)
{
        struct certificates *self = list_entry(watch, struct certificates, files);

        on_shard(&self->loop);
        look_soon(self);
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

        if (parcel_append(&parcel, &reload_ops, sizeof(struct mail), MAIL_FROM_OUTSIDE))
                loop_post(&certificates->loop, parcel);
}

/* What was written between its reading and this watch is noticed, too. */
static void enter_deliver(struct loop *loop, struct mail *mail)
{
        struct certificates_slot *slot = ((struct slot_mail *)(void *)mail)->slot;
        struct certificates      *self = slot->service;

        on_shard(loop);
        list_push_back(&self->reading, &slot->reading);
        watch_files(self, &slot->config);
        if (stamp_of(&slot->config) != slot->stamp)
                look_soon(self);
        if (!timer_is_set(&self->look))
                loop_timer(loop, &self->look, LOOK_MS);
}

/* The last mail to the shards about it. */
static void leave_deliver(struct loop *loop, struct mail *mail)
{
        struct certificates_slot *slot = ((struct slot_mail *)(void *)mail)->slot;

        on_shard(loop);
        list_remove(&slot->reading);
        tell_trouble(slot->service, slot, NULL);
        hand_out(slot->service, slot, NULL);
}

static const struct mail_ops enter_ops = { "tls enter", enter_deliver, NULL };
static const struct mail_ops leave_ops = { "tls leave", leave_deliver, NULL };

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
        self->files.changed   = on_changed;
        list_init(&self->reading);
        expiry_init(&self->expiry);
        loop_init(&self->loop, &config);
        file_watch_open(&self->files, config.poll);
        return self;
}

static struct parcel *slot_parcel(struct certificates_slot *slot, const struct mail_ops *ops)
{
        struct parcel    *parcel = NULL;
        struct slot_mail *mail   = (struct slot_mail *)(void *)parcel_append(
                &parcel, ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail != NULL)
                mail->slot = slot;
        return mail != NULL ? parcel : NULL;
}

static void slot_free(struct certificates_slot *slot)
{
        for (unsigned i = 0; i < slot->service->broker->shard_count; i++)
                tls_context_put(slot->of_shard[i]);
        parcel_drop(slot->enters);
        parcel_drop(slot->tells);
        parcel_drop(slot->leaves);
        mem_free(slot);
}

struct certificates_slot *certificates_prepare(struct certificates *certificates, const char *name,
                                               const struct tls_config *config,
                                               char why[static TLS_WHY_SIZE])
{
        struct certificates_slot *slot = mem_zalloc(sizeof *slot);
        struct tls_context       *context;

        snprintf(why, TLS_WHY_SIZE, "out of memory");
        if (slot == NULL)
                return NULL;
        slot->service = certificates;
        snprintf(slot->name, sizeof slot->name, "%s", name);
        slot->config = *config;
        slot->stamp  = stamp_of(config);
        slot->enters = slot_parcel(slot, &enter_ops);
        slot->tells  = slot_parcel(slot, &tell_ops);
        slot->leaves = slot_parcel(slot, &leave_ops);
        context      = slot->enters != NULL && slot->tells != NULL && slot->leaves != NULL
                               ? tls_context_new(config, why) : NULL;
        if (context == NULL) {
                slot_free(slot);
                return NULL;
        }
        for (unsigned i = 0; i < certificates->broker->shard_count; i++)
                slot->of_shard[i] = tls_context_get(context);
        tls_context_put(context);
        return slot;
}

void certificates_abandon(struct certificates_slot *slot)
{
        slot_free(slot);
}

void certificates_commit(struct certificates_slot *slot)
{
        struct certificates *self = slot->service;

        slot->older = self->slots;
        self->slots = slot;
        loop_post(&self->loop, TAKE(slot->enters));
        loop_post(self->broker->loops[0], TAKE(slot->tells));
}

void certificates_withdraw(struct certificates_slot *slot)
{
        loop_post(&slot->service->loop, TAKE(slot->leaves));
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
        while (certificates->slots != NULL) {
                struct certificates_slot *slot = certificates->slots;

                certificates->slots = slot->older;
                slot_free(slot);
        }
        mem_free(certificates);
}
