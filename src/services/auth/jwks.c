#include "services/auth/jwks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/alarm.h"
#include "services/auth/text_file.h"

enum { CONNECT_TIMEOUT_MS = 5000, TIMEOUT_MS = 15000 };

/* Counted: one for each shard that uses it, one for the actor. */
struct snapshot {
        _Atomic uint32_t refs;
        struct jwk_set   set;
};

struct jwks {
        struct broker      *broker;
        struct jwks_config  config;
        struct loop         loop;
        struct loop        *self[1];
        struct http_target *target;             /* NULL: it is a file */
        struct http_call   *call;               /* under way; NULL: none */
        struct timer        timer;              /* for the next look */
        uint64_t            looked_ms;          /* when it was last looked at; 0: never */
        struct stat         seen;               /* the file, then */
        bool                failing;
        struct snapshot    *current[SHARDS_MAX];        /* each its shard's; NULL: none yet */
        struct list         waiting[SHARDS_MAX];        /* the same */
};

/* To the shards: what there is now (NULL: what there was), and that it was looked at. */
struct looked_mail {
        struct mail      mail;
        struct jwks     *jwks;
        struct snapshot *fresh;                 /* one reference */
};

struct wanted_mail {
        struct mail mail;
        uint32_t    shard;
};

static const struct jwk_set no_keys;

static void snapshot_drop(struct snapshot *snapshot)
{
        if (snapshot == NULL ||
            atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) > 1)
                return;
        jwk_set_deinit(&snapshot->set);
        mem_free(snapshot);
}

/* ---- on a shard ------------------------------------------------------------------------------ */

const struct jwk_set *jwks_keys(const struct jwks *jwks, const struct shard *shard)
{
        const struct snapshot *current = jwks->current[shard->loop.config.id];

        return current != NULL ? &current->set : &no_keys;
}

static void tell_waiting(struct list *waiting)
{
        struct list now;

        list_init(&now);
        list_splice(&now, waiting);     /* some may wait again */
        while (!list_empty(&now)) {
                struct jwks_waiter *waiter = list_entry(list_pop(&now), struct jwks_waiter,
                                                        in_waiting);

                waiter->looked(waiter);
        }
}

static void looked_deliver(struct loop *loop, struct mail *mail)
{
        struct looked_mail *looked = (struct looked_mail *)(void *)mail;
        unsigned            id     = loop->config.id;

        on_shard(loop);
        if (looked->fresh != NULL) {
                snapshot_drop(looked->jwks->current[id]);
                looked->jwks->current[id] = TAKE(looked->fresh);
        }
        tell_waiting(&looked->jwks->waiting[id]);
}

static void looked_drop(struct mail *mail)
{
        snapshot_drop(((struct looked_mail *)(void *)mail)->fresh);
}

static const struct mail_ops looked_ops = { "key set", looked_deliver, looked_drop };

/* ---- on the actor's thread ------------------------------------------------------------------- */

/* Without memory the shard keeps what it has, and who waits there is denied in time. */
static void tell_shard(struct jwks *jwks, unsigned id, struct snapshot *fresh)
{
        struct parcel      *parcel = NULL;
        struct looked_mail *mail   = (struct looked_mail *)(void *)parcel_append(
                &parcel, &looked_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return;
        mail->jwks  = jwks;
        mail->fresh = fresh;
        if (fresh != NULL)
                atomic_fetch_add_explicit(&fresh->refs, 1, memory_order_relaxed);
        loop_post(jwks->broker->loops[id], parcel);
}

static void tell_all(struct jwks *jwks, struct snapshot *fresh)
{
        for (unsigned i = 0; i < jwks->broker->shard_count; i++)
                tell_shard(jwks, i, fresh);
}

static const char *source(const struct jwks *jwks)
{
        return jwks->target != NULL ? jwks->config.url : jwks->config.file;
}

/* The set that the text is, with one reference; NULL: `why`. */
static struct snapshot *read_set(struct str text, bool of_file, char *why)
{
        struct snapshot *snapshot = mem_zalloc(sizeof *snapshot);

        snprintf(why, JWK_WHY_SIZE, "no memory");
        if (snapshot == NULL)
                return NULL;
        atomic_init(&snapshot->refs, 1);
        if (jwk_add_json(&snapshot->set, text, of_file, why))
                return snapshot;
        snapshot_drop(snapshot);
        return NULL;
}

static void say_failing(struct jwks *jwks, const char *why)
{
        LOG(WARNING, "jwks.failed", F_TEXT("source", source(jwks)), F_TEXT("why", why),
            F_TEXT("hint", "the keys that were last good stay in use"));
        if (!jwks->failing)
                alarm_post(jwks->broker, "jwks_failing", str_of(source(jwks)),
                           "the key set for tokens cannot be read");
        jwks->failing = true;
}

static void say_good(struct jwks *jwks, const struct snapshot *fresh)
{
        LOG(INFO, "jwks.loaded", F_TEXT("source", source(jwks)), F_U64("keys", fresh->set.count));
        if (jwks->failing)
                alarm_post(jwks->broker, "jwks_failing", str_of(source(jwks)), NULL);
        jwks->failing = false;
}

/* The text came, or what has gone wrong. */
ON_SHARD static void take_text(struct jwks *jwks, struct str text, const char *wrong)
{
        char             why[JWK_WHY_SIZE];
        struct snapshot *fresh = wrong == NULL ? read_set(text, jwks->target == NULL, why) : NULL;
        uint32_t         next_ms;

        if (fresh != NULL)
                say_good(jwks, fresh);
        else
                say_failing(jwks, wrong != NULL ? wrong : why);
        tell_all(jwks, fresh);
        snapshot_drop(fresh);
        if (jwks->target == NULL)
                return;                 /* the file is looked at all the time */
        next_ms = fresh != NULL || JWKS_RETRY_MS > jwks->config.refresh_ms
                          ? jwks->config.refresh_ms
                          : JWKS_RETRY_MS;
        loop_timer(&jwks->loop, &jwks->timer, next_ms);
}

static void on_answer(void *context, const struct http_answer *answer)
{
        struct jwks *jwks  = context;
        const char  *wrong = answer->why;

        on_shard(&jwks->loop);
        jwks->call = NULL;
        if (answer->result == HTTP_ANSWERED && answer->status != 200)
                wrong = "its status is not 200";
        take_text(jwks, answer->body, wrong);
}

ON_SHARD static void look_at_url(struct jwks *jwks)
{
        const struct http_request request = { .method  = HTTP_GET,
                                              .url     = str_of(jwks->config.url),
                                              .headers = STR("Accept: application/json\n") };

        if (jwks->call != NULL)
                return;
        jwks->call = http_ask(jwks->target, &request, &jwks->loop, on_answer, jwks);
        if (jwks->call == NULL)
                take_text(jwks, (struct str){ 0 }, "too many requests are under way");
}

static bool file_changed(struct jwks *jwks)
{
        struct stat now;
        bool        same;

        if (stat(jwks->config.file, &now) != 0)
                memset(&now, 0, sizeof now);    /* once more when it is back */
        same = now.st_ino == jwks->seen.st_ino && now.st_size == jwks->seen.st_size &&
               now.st_mtim.tv_sec == jwks->seen.st_mtim.tv_sec &&
               now.st_mtim.tv_nsec == jwks->seen.st_mtim.tv_nsec;
        jwks->seen = now;
        return !same;
}

ON_SHARD static void look_at_file(struct jwks *jwks)
{
        struct buffer text = { 0 };
        const char   *wrong;

        if (!file_changed(jwks))
                return;
        wrong = text_file_read(jwks->config.file, JWK_TEXT_BYTES_MAX, &text);
        take_text(jwks, buffer_str(&text), wrong);
        text_file_wipe(&text);
}

ON_SHARD static void look(struct jwks *jwks)
{
        jwks->looked_ms = jwks->loop.now.mono_ms;
        if (jwks->target != NULL)
                look_at_url(jwks);
        else
                look_at_file(jwks);
}

static void on_time(struct loop *loop, struct timer *timer)
{
        struct jwks *jwks = list_entry(timer, struct jwks, timer);

        on_shard(loop);
        look(jwks);
        if (jwks->target == NULL)
                loop_timer(loop, timer, JWKS_FILE_LOOK_MS);
}

static void wanted_deliver(struct loop *loop, struct mail *mail)
{
        struct jwks *jwks    = list_entry(loop, struct jwks, loop);
        uint64_t     next_ms = jwks->looked_ms + JWKS_UNKNOWN_PAUSE_MS;

        on_shard(loop);
        if (jwks->call == NULL && (jwks->target == NULL || loop->now.mono_ms >= next_ms))
                look(jwks);
        if (jwks->call == NULL)         /* else its answer is everybody's */
                tell_shard(jwks, ((struct wanted_mail *)(void *)mail)->shard, NULL);
}

static const struct mail_ops wanted_ops = { "key set wanted", wanted_deliver, NULL };

void jwks_wait(struct jwks *jwks, struct shard *shard, struct jwks_waiter *waiter)
{
        struct list        *waiting = &jwks->waiting[shard->loop.config.id];
        struct parcel      *parcel  = NULL;
        struct wanted_mail *mail;

        list_push_back(waiting, &waiter->in_waiting);
        mail = (struct wanted_mail *)(void *)parcel_append(&parcel, &wanted_ops, sizeof *mail,
                                                           MAIL_FROM_OUTSIDE);
        if (mail == NULL)
                return;                 /* denied in time */
        mail->shard = shard->loop.config.id;
        loop_post(&jwks->loop, parcel);
}

void jwks_cancel(struct jwks_waiter *waiter)
{
        if (list_linked(&waiter->in_waiting))
                list_remove(&waiter->in_waiting);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct snapshot *read_file(const char *file, char why[static JWK_WHY_SIZE])
{
        struct buffer    text  = { 0 };
        struct snapshot *set   = NULL;
        const char      *wrong = text_file_read(file, JWK_TEXT_BYTES_MAX, &text);

        if (wrong != NULL)
                snprintf(why, JWK_WHY_SIZE, "%s", wrong);
        else
                set = read_set(buffer_str(&text), true, why);
        text_file_wipe(&text);
        return set;
}

/* A file that is not good stops the start, as any other file does. */
static bool read_first(struct jwks *jwks, char why[static JWK_WHY_SIZE])
{
        struct snapshot *first;

        if (jwks->target != NULL)
                return true;
        file_changed(jwks);
        first = read_file(jwks->config.file, why);
        if (first == NULL)
                return false;
        for (unsigned i = 0; i < jwks->broker->shard_count; i++)
                jwks->current[i] = first;
        atomic_store_explicit(&first->refs, jwks->broker->shard_count, memory_order_relaxed);
        return true;
}

bool jwks_inspect(const char *file, char why[static JWK_WHY_SIZE])
{
        struct snapshot *set = read_file(file, why);

        snapshot_drop(set);
        return set != NULL;
}

static bool add_target(struct jwks *jwks, struct http_client *http)
{
        if (jwks->config.url == NULL)
                return true;
        jwks->target = http_client_target(http, &(struct http_target_config){
                                                        .name               = "auth.jwt.jwks_url",
                                                        .ca_file            = jwks->config.ca_file,
                                                        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                                        .timeout_ms         = TIMEOUT_MS,
                                                        .answer_bytes_max   = JWK_TEXT_BYTES_MAX });
        return jwks->target != NULL;
}

struct jwks *jwks_new(struct broker *broker, struct http_client *http,
                      const struct jwks_config *config, const struct loop_config *config_of_loop,
                      char why[static JWK_WHY_SIZE])
{
        struct jwks       *jwks = mem_zalloc(sizeof *jwks);
        struct loop_config loop = *config_of_loop;

        why[0] = '\0';
        if (jwks == NULL)
                return NULL;
        jwks->broker     = broker;
        jwks->config     = *config;
        jwks->self[0]    = &jwks->loop;
        jwks->timer.fire = on_time;
        loop.id          = 0;
        loop.count       = 1;
        loop.peers       = jwks->self;
        for (unsigned i = 0; i < SHARDS_MAX; i++)
                list_init(&jwks->waiting[i]);
        if (!add_target(jwks, http) || !read_first(jwks, why)) {
                mem_free(jwks);
                return NULL;
        }
        loop_init(&jwks->loop, &loop);
        return jwks;
}

struct loop *jwks_loop(struct jwks *jwks)
{
        return &jwks->loop;
}

void jwks_begin(struct jwks *jwks)
{
        role_claim(&jwks->loop);
        loop_timer(&jwks->loop, &jwks->timer, jwks->target != NULL ? 0 : JWKS_FILE_LOOK_MS);
        role_leave();
}

void jwks_free(struct jwks *jwks)
{
        if (jwks == NULL)
                return;
        for (unsigned i = 0; i < jwks->broker->shard_count; i++)
                snapshot_drop(jwks->current[i]);
        role_claim(&jwks->loop);
        loop_timer_cancel(&jwks->loop, &jwks->timer);
        role_leave();
        loop_deinit(&jwks->loop);
        mem_free(jwks);
}
