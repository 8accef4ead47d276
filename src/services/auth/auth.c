#include "services/auth/auth.h"

#include <assert.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/auth/auth_link.h"

struct auth {
        struct broker   *broker;
        struct auth_link links[AUTH_CHAIN_MAX];
        unsigned         count;
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
        *link = (struct auth_link){ .kind = kind, .auth = auth };
        for (unsigned i = 0; i < auth->broker->shard_count; i++)
                link->data[i] = auth_data_take(data);
        auth_data_drop(data);
        auth->count++;
        return access_add(auth->broker->access, &kind->provider, link);
}

struct auth *auth_new(struct broker *broker, const struct auth_config *config,
                      char why[static AUTH_WHY_SIZE])
{
        struct auth *auth = mem_zalloc(sizeof *auth);
        struct str   rest = str_of(config->chain), word;

        why[0] = '\0';
        if (auth == NULL)
                return NULL;
        auth->broker = broker;
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
        for (unsigned at = 0; at < auth->count; at++)
                for (unsigned i = 0; i < auth->broker->shard_count; i++)
                        auth_data_drop(auth->links[at].data[i]);
        mem_free(auth);
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
