#include "services/auth/proven.h"

#include "base/memory.h"

/* The listener has made the proven name the username; what the client says does not matter. */
static enum access_verdict check(void *context, struct access_request *request)
{
        (void)context;
        return request->identified ? ACCESS_ALLOW : ACCESS_IGNORE;
}

/* It is for the listeners to ask for proofs. */
static const char *lacks(const struct auth_config *config)
{
        (void)config;
        return NULL;
}

static void release(struct auth_data *data)
{
        mem_free(data);
}

static struct auth_data *load(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct auth_data *data = mem_zalloc(sizeof *data);

        (void)config;
        why[0] = '\0';
        if (data != NULL)
                auth_data_init(data, release);
        return data;
}

const struct auth_kind auth_kind_proven = {
        .word     = "identity",
        .provider = { .name = "identity", .kinds = ACCESS_CONNECTS, .check = check },
        .lacks    = lacks,
        .load     = load,
};
