#include "services/auth/keeper.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/alarm.h"
#include "core/review.h"
#include "services/auth/cache.h"
#include "services/auth/hasher.h"

enum { LOOK_MS = 1000 };        /* between two looks at the files */

#define RELOAD_ALARM "auth_reload"

/* What a file looked like when it was last read, good or bad. */
struct stamp {
        dev_t           device;
        ino_t           inode;
        off_t           size;
        struct timespec written, changed;
};

struct keeper {
        struct auth        *auth;
        struct loop        *loop;
        struct timer        look;
        struct auth_config *config;                     /* owned */
        struct stamp        stamps[AUTH_CHAIN_MAX];     /* by link */
        bool                failing[AUTH_CHAIN_MAX];
        struct auth_data   *known[AUTH_CHAIN_MAX];      /* what was read last; a reference each */
};

struct reload_mail {
        struct mail         mail;
        struct keeper      *keeper;
        struct auth_config *config;                     /* owned */
};

struct data_mail {
        struct mail       mail;
        struct auth_link *link;
        struct auth_data *data;                         /* one reference */
};

static void on_look(struct loop *loop, struct timer *timer);

/* Zero when there is no such file. */
static struct stamp stamp_of(const struct auth_kind *kind, const struct auth_config *config)
{
        const char  *path  = kind->file != NULL ? kind->file(config) : NULL;
        struct stamp stamp = { 0 };
        struct stat  status;

        if (path != NULL && stat(path, &status) == 0) {
                stamp.device  = status.st_dev;
                stamp.inode   = status.st_ino;
                stamp.size    = status.st_size;
                stamp.written = status.st_mtim;
                stamp.changed = status.st_ctim;
        }
        return stamp;
}

static bool same_time(struct timespec a, struct timespec b)
{
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               same_time(a->written, b->written) && same_time(a->changed, b->changed);
}

struct keeper *keeper_new(struct auth *auth, const struct auth_config *config)
{
        struct keeper *keeper = mem_zalloc(sizeof *keeper);

        if (keeper == NULL)
                return NULL;
        keeper->auth   = auth;
        keeper->loop   = hasher_loop(auth->hasher, 0);
        keeper->config = mem_alloc(sizeof *config);
        if (keeper->config == NULL) {
                mem_free(keeper);
                return NULL;
        }
        *keeper->config   = *config;
        keeper->look.fire = on_look;
        for (unsigned at = 0; at < auth->count; at++) {
                keeper->stamps[at] = stamp_of(auth->links[at].kind, config);
                if (auth->links[at].kind->lost != NULL)
                        keeper->known[at] = auth_data_take(auth->links[at].data[0]);
        }
        role_claim(keeper->loop);
        loop_timer(keeper->loop, &keeper->look, LOOK_MS);
        role_leave();
        return keeper;
}

static void config_free(struct auth_config *config)
{
        if (config != NULL)
                explicit_bzero(config, sizeof *config);
        mem_free(config);
}

void keeper_free(struct keeper *keeper)
{
        if (keeper == NULL)
                return;
        role_claim(keeper->loop);
        loop_timer_cancel(keeper->loop, &keeper->look);
        role_leave();
        for (unsigned at = 0; at < keeper->auth->count; at++)
                auth_data_drop(keeper->known[at]);
        config_free(keeper->config);
        mem_free(keeper);
}

/* ---- to the shards --------------------------------------------------------------------------- */

static void data_deliver(struct loop *loop, struct mail *mail)
{
        struct data_mail *fresh = (struct data_mail *)(void *)mail;
        unsigned          shard = loop->config.id;

        on_shard(loop);
        auth_data_drop(fresh->link->data[shard]);
        fresh->link->data[shard] = fresh->data;
        if (fresh->link->auth->caches[shard] != NULL)   /* who left must not be let in from there */
                cache_clear(fresh->link->auth->caches[shard]);
        if (fresh->link->kind->renewed != NULL)
                fresh->link->kind->renewed(fresh->link, shard_of(loop));
        if (fresh->link->kind->provider.kinds & ACCESS_TOPICS)  /* it may say otherwise now */
                review_start(shard_of(loop));
}

static void data_drop(struct mail *mail)
{
        auth_data_drop(((struct data_mail *)(void *)mail)->data);
}

static const struct mail_ops data_ops = { "auth data", data_deliver, data_drop };

/* To all shards, or to none. */
static bool send_data(struct auth_link *link, struct auth_data *data)
{
        const struct broker *broker = link->auth->broker;
        struct parcel       *parcels[SHARDS_MAX] = { NULL };
        bool                 good = true;

        for (unsigned i = 0; i < broker->shard_count && good; i++) {
                struct data_mail *mail = (struct data_mail *)(void *)parcel_append(
                        &parcels[i], &data_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

                good = mail != NULL;
                if (good) {
                        mail->link = link;
                        mail->data = auth_data_take(data);
                }
        }
        for (unsigned i = 0; i < broker->shard_count; i++) {
                if (good)
                        loop_post(broker->loops[i], parcels[i]);
                else
                        parcel_drop(parcels[i]);
        }
        return good;
}

static void tell_alarm(const struct keeper *keeper, const struct auth_link *link, const char *why)
{
        alarm_post(keeper->auth->broker, RELOAD_ALARM, str_of(link->kind->word), why);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void failed(struct keeper *keeper, unsigned at, const char *why)
{
        const struct auth_link *link = &keeper->auth->links[at];

        LOG(ERROR, "auth.reload_failed", F_TEXT("provider", link->kind->word),
            F_TEXT("why", why[0] != '\0' ? why : "no memory"),
            F_TEXT("hint", "what it knew before stays in force"));
        if (!keeper->failing[at])
                tell_alarm(keeper, link, "what it is to know cannot be read; see the log");
        keeper->failing[at] = true;
}

/* Behind the mail that lets nobody in by it any more. */
static void end_user(void *context, struct str username)
{
        const struct keeper *keeper = context;

        LOG(INFO, "auth.revoked", F_STR("user", username));
        if (!review_user(keeper->auth->broker, username))
                LOG(ERROR, "auth.revoke_failed", F_STR("user", username),
                    F_TEXT("why", "no memory"));
}

static void end_lost(struct keeper *keeper, unsigned at, struct auth_data *data)
{
        const struct auth_kind *kind = keeper->auth->links[at].kind;

        if (kind->lost == NULL)
                return;
        if (keeper->known[at] != NULL)
                kind->lost(keeper->known[at], data, end_user, keeper);
        auth_data_drop(keeper->known[at]);
        keeper->known[at] = auth_data_take(data);
}

static void reload(struct keeper *keeper, unsigned at)
{
        struct auth_link *link  = &keeper->auth->links[at];
        const char       *lacks = link->kind->lacks(keeper->config);
        char              why[AUTH_WHY_SIZE] = "";
        struct auth_data *data;

        keeper->stamps[at] = stamp_of(link->kind, keeper->config);
        data               = lacks == NULL ? link->kind->load(keeper->config, why) : NULL;
        if (data == NULL || !send_data(link, data)) {
                failed(keeper, at, lacks != NULL ? lacks : why);
        } else {
                LOG(INFO, "auth.loaded", F_TEXT("provider", link->kind->word),
                    F_U64("entries", data->entries));
                if (keeper->failing[at])
                        tell_alarm(keeper, link, NULL);
                keeper->failing[at] = false;
                end_lost(keeper, at, data);
        }
        auth_data_drop(data);
}

static void on_look(struct loop *loop, struct timer *timer)
{
        struct keeper *keeper = list_entry(timer, struct keeper, look);

        on_shard(loop);
        for (unsigned at = 0; at < keeper->auth->count; at++) {
                struct stamp now = stamp_of(keeper->auth->links[at].kind, keeper->config);

                if (!same_stamp(&now, &keeper->stamps[at]))
                        reload(keeper, at);
        }
        loop_timer(loop, timer, LOOK_MS);
}

static void reload_deliver(struct loop *loop, struct mail *mail)
{
        struct reload_mail *order  = (struct reload_mail *)(void *)mail;
        struct keeper      *keeper = order->keeper;

        on_shard(loop);
        config_free(keeper->config);
        keeper->config = order->config;
        for (unsigned at = 0; at < keeper->auth->count; at++)
                reload(keeper, at);
}

static void reload_drop(struct mail *mail)
{
        config_free(((struct reload_mail *)(void *)mail)->config);
}

static const struct mail_ops reload_ops = { "auth reload", reload_deliver, reload_drop };

bool keeper_reload(struct keeper *keeper, const struct auth_config *config)
{
        struct parcel      *parcel = NULL;
        struct auth_config *copy   = mem_alloc(sizeof *copy);
        struct reload_mail *mail   = NULL;

        if (copy != NULL)
                mail = (struct reload_mail *)(void *)parcel_append(&parcel, &reload_ops,
                                                                   sizeof *mail, MAIL_FROM_OUTSIDE);
        if (mail == NULL) {
                mem_free(copy);
                return false;
        }
        *copy        = *config;
        mail->keeper = keeper;
        mail->config = copy;
        loop_post(keeper->loop, parcel);
        return true;
}
