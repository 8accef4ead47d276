#include "services/auth/auth.h"

#include <assert.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/auth/auth_link.h"

struct auth {
        struct broker      *broker;
        struct http_client *http;
        struct auth_link    links[AUTH_CHAIN_MAX];
        unsigned            count;
};

struct data_mail {
        struct mail       mail;
        struct auth_link *link;
        struct auth_data *data;         /* one reference */
};

void auth_data_init(struct auth_data *data, void (*release)(struct auth_data *data))
{
        atomic_init(&data->refs, 1);
        data->free = release;
}

static struct auth_data *auth_data_take(struct auth_data *data)
{
        atomic_fetch_add_explicit(&data->refs, 1, memory_order_relaxed);
        return data;
}

void auth_data_drop(struct auth_data *data)
{
        if (data == NULL)
                return;

        uint32_t before = atomic_fetch_sub_explicit(&data->refs, 1, memory_order_acq_rel);

        assert(before > 0);
        if (before == 1)
                data->free(data);
}

static bool add_link(struct auth *auth, const struct auth_kind *kind,
                     const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct auth_link *link = &auth->links[auth->count];
        struct auth_data *data = kind->load(config, why);

        if (data == NULL)
                return false;
        *link = (struct auth_link){ .kind   = kind,
                                    .auth   = auth,
                                    .broker = auth->broker,
                                    .http   = auth->http };
        for (unsigned i = 0; i < auth->broker->shard_count; i++)
                link->data[i] = auth_data_take(data);
        auth_data_drop(data);
        auth->count++;
        return (kind->open == NULL || kind->open(link, config, why)) &&
               access_add(auth->broker->access, &kind->provider, link) &&
               (kind->exchange.check == NULL ||
                access_add(auth->broker->access, &kind->exchange, link));
}

bool auth_wants_http(const struct auth_config *config)
{
        struct str rest = str_of(config->chain), word;

        while (auth_chain_next(&rest, &word))
                if (auth_kind_find(word)->wants_http != NULL &&
                    auth_kind_find(word)->wants_http(config))
                        return true;
        return false;
}

struct auth *auth_new(struct broker *broker, struct http_client *http,
                      const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct auth *auth = mem_zalloc(sizeof *auth);
        struct str   rest = str_of(config->chain), word;

        why[0] = '\0';
        if (auth == NULL)
                return NULL;
        auth->broker = broker;
        auth->http   = http;
        while (auth_chain_next(&rest, &word)) {
                const struct auth_kind *kind = auth_kind_find(word);

                assert(kind != NULL && auth->count < AUTH_CHAIN_MAX);
                if (!add_link(auth, kind, config, why)) {
                        auth_free(auth);
                        return NULL;
                }
        }
        return auth;
}

void auth_free(struct auth *auth)
{
        if (auth == NULL)
                return;
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];

                if (link->kind->close != NULL)
                        link->kind->close(link);
                for (unsigned i = 0; i < auth->broker->shard_count; i++)
                        auth_data_drop(link->data[i]);
        }
        mem_free(auth);
}

/* ---- what works beside the shards ------------------------------------------------------------ */

static void *run(void *context)
{
        loop_run(context);
        return NULL;
}

bool auth_start(struct auth *auth)
{
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];
                struct loop      *loop = link->kind->begin != NULL ? link->kind->begin(link) : NULL;

                if (loop == NULL)
                        continue;
                if (pthread_create(&link->thread, NULL, run, loop) != 0)
                        return false;
                link->loop = loop;
        }
        return true;
}

void auth_stop(struct auth *auth)
{
        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];

                if (link->loop == NULL)
                        continue;
                loop_stop(link->loop);
                pthread_join(link->thread, NULL);
                link->loop = NULL;
        }
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void data_deliver(struct loop *loop, struct mail *mail)
{
        struct data_mail *fresh = (struct data_mail *)(void *)mail;

        on_shard(loop);

        struct auth_data **data = &fresh->link->data[loop->config.id];

        auth_data_drop(*data);
        *data = fresh->data;
}

static void data_drop(struct mail *mail)
{
        auth_data_drop(((struct data_mail *)(void *)mail)->data);
}

static const struct mail_ops data_ops = { "auth data", data_deliver, data_drop };

static bool send_data(struct auth_link *link, struct auth_data *data, struct loop *to)
{
        struct parcel    *parcel = NULL;
        struct data_mail *mail   = (struct data_mail *)(void *)parcel_append(
                &parcel, &data_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->link = link;
        mail->data = auth_data_take(data);
        loop_post(to, parcel);
        return true;
}

void auth_reload(struct auth *auth, const struct auth_config *config)
{
        char why[AUTH_WHY_SIZE] = "";

        for (unsigned at = 0; at < auth->count; at++) {
                struct auth_link *link = &auth->links[at];
                const char       *lacks = link->kind->lacks(config);
                struct auth_data *data  = lacks == NULL ? link->kind->load(config, why) : NULL;
                bool              good  = data != NULL;

                for (unsigned i = 0; i < auth->broker->shard_count && data != NULL; i++)
                        good = send_data(link, data, auth->broker->loops[i]) && good;
                auth_data_drop(data);
                if (!good)
                        LOG(ERROR, "auth.reload_failed", F_TEXT("provider", link->kind->word),
                            F_TEXT("why", lacks != NULL   ? lacks
                                          : why[0] != '\0' ? why
                                                           : "no memory"));
        }
}
