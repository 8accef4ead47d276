#include "broker/inspection.h"

#include "broker/rules.h"
#include "net/tls_context.h"
#include "net/unix_socket.h"
#include "services/auth/auth.h"

static void inspect_tls(const struct config_listener *listener, const char *key,
                        struct config_errors *errors)
{
        struct tls_config   tls;
        struct tls_context *context;
        char                why[TLS_WHY_SIZE];

        config_listener_tls(listener, &tls);
        context = tls_context_new(&tls, why);
        if (context == NULL)
                config_error(errors, "%s.%s", key, why);
        tls_context_put(context);
}

static void inspect_listener(const struct config_listener *listener, struct config_errors *errors)
{
        struct unix_socket place = { .path = listener->bind };
        char               key[LISTENER_KEY_SIZE];

        config_listener_key(listener, key);
        if (listener_is_tls(listener->type))
                inspect_tls(listener, key, errors);
        if (listener->type == LISTENER_UNIX &&
            !unix_socket_owner(&place, listener->socket_owner, listener->socket_group))
                config_error(errors, "%s: there is no such owner or group", key);
}

static void tell(void *errors, const char *provider, const char *why)
{
        config_error(errors, "auth.chain: %s: %s", provider, why);
}

void inspect(const struct config *config, struct config_errors *errors)
{
        char why[RULES_WHY_SIZE];

        for (unsigned i = 0; i < config->listener_count; i++)
                inspect_listener(&config->listeners[i], errors);
        auth_inspect(&config->auth, tell, errors);
        if (!rules_test(config, why))
                config_error(errors, "acl.file: %s", why);
}
