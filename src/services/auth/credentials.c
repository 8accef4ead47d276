#include "services/auth/credentials.h"

#include <openssl/crypto.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "services/auth/secret.h"

struct credential {
        struct str name, secret;        /* owned */
};

struct credentials {
        struct auth_data   data;
        struct map         by_name;
        struct credential *rows;        /* owned; [count] */
        unsigned           count;
};

static struct str name_of(const void *value)
{
        return ((const struct credential *)value)->name;
}

static void credentials_free(struct auth_data *data)
{
        struct credentials *all = list_entry(data, struct credentials, data);

        for (unsigned i = 0; i < all->count; i++) {
                struct credential *row = &all->rows[i];

                if (row->secret.ptr != NULL)
                        OPENSSL_cleanse((char *)row->secret.ptr, row->secret.len);
                mem_free((char *)row->secret.ptr);
                mem_free((char *)row->name.ptr);
        }
        map_deinit(&all->by_name);
        mem_free(all->rows);
        mem_free(all);
}

static struct credentials *credentials_new(unsigned count)
{
        struct credentials *all = mem_zalloc(sizeof *all);
        struct hash_key     key;

        if (all == NULL)
                return NULL;
        random_secret(&key, sizeof key);
        auth_data_init(&all->data, credentials_free);
        map_init(&all->by_name, name_of, key);
        all->rows = mem_zalloc(count * sizeof all->rows[0] + 1);
        if (all->rows != NULL)
                return all;
        auth_data_drop(&all->data);
        return NULL;
}

static bool add(struct credentials *all, struct str name, struct str secret)
{
        struct credential *row = &all->rows[all->count++];

        row->name   = str_from(mem_dup(name), name.len);
        row->secret = str_from(mem_dup(secret), secret.len);
        return row->name.ptr != NULL && row->secret.ptr != NULL && map_add(&all->by_name, row);
}

static struct auth_data *load_rows(const struct auth_rows *rows)
{
        struct credentials *all = credentials_new(rows->count);

        for (unsigned i = 0; all != NULL && i < rows->count; i++) {
                const struct auth_row *row = &rows->rows[i];

                if (add(all, str_of(row->name), str_of(row->secret)))
                        continue;
                auth_data_drop(&all->data);
                return NULL;
        }
        return all != NULL ? &all->data : NULL;
}

static enum access_verdict check(const struct auth_link *link, struct access_request *request,
                                 struct str name)
{
        const struct auth_data   *data = auth_link_data(link, request->shard);
        const struct credentials *all  = list_entry(data, struct credentials, data);
        const struct credential  *row  = map_find(&all->by_name, name);

        if (row == NULL)
                return ACCESS_IGNORE;
        if (request->has_password && secret_equal(row->secret, request->password))
                return ACCESS_ALLOW;
        request->why = request->has_password ? "wrong password" : "no password";
        return ACCESS_DENY;
}

/* ---- auth.user.N ----------------------------------------------------------------------------- */

static enum access_verdict check_username(void *context, struct access_request *request)
{
        return request->has_username ? check(context, request, request->username) : ACCESS_IGNORE;
}

static const char *username_lacks(const struct auth_config *config)
{
        return config->users.count > 0
                       ? NULL : "auth.user.1.username = NAME and auth.user.1.password = PASSWORD";
}

static struct auth_data *load_users(const struct auth_config *config,
                                    char why[static AUTH_WHY_SIZE])
{
        why[0] = '\0';
        return load_rows(&config->users);
}

const struct auth_kind auth_kind_username = {
        .word     = "username",
        .provider = { .name = "username", .kinds = ACCESS_CONNECTS, .check = check_username },
        .lacks    = username_lacks,
        .load     = load_users,
};

/* ---- auth.client.N --------------------------------------------------------------------------- */

static enum access_verdict check_clientid(void *context, struct access_request *request)
{
        return check(context, request, request->client_id);
}

static const char *clientid_lacks(const struct auth_config *config)
{
        return config->clients.count > 0
                       ? NULL : "auth.client.1.clientid = ID and auth.client.1.password = PASSWORD";
}

static struct auth_data *load_clients(const struct auth_config *config,
                                      char why[static AUTH_WHY_SIZE])
{
        why[0] = '\0';
        return load_rows(&config->clients);
}

const struct auth_kind auth_kind_clientid = {
        .word     = "clientid",
        .provider = { .name = "clientid", .kinds = ACCESS_CONNECTS, .check = check_clientid },
        .lacks    = clientid_lacks,
        .load     = load_clients,
};
