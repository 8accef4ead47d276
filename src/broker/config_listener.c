#include "broker/config_listener.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "broker/config.h"
#include "client/client.h"
#include "net/http_upgrade.h"
#include "net/network.h"
#include "net/origin.h"

#define BIT(type) (1u << LISTENER_##type)
#define FIELD(field)                                                                               \
        offsetof(struct config_listener, field), sizeof(((struct config_listener *)NULL)->field)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define LISTENER_SECTION(title)                                                                    \
        { TYPES_ALL, { .kind = OPTION_SECTION, .help = (title) }, NULL, NULL, 0 },
#define LISTENER_OPTION(types, key, kind, field, min, max, when, help)                             \
        { TYPES_##types,                                                                           \
          { (key), OPTION_##kind, FIELD(field), (min), (max), NULL, OPTION_##when, (help) },       \
          NULL, NULL, 0 },
#define LISTENER_ENUM(types, key, field, words, when, help)                                        \
        { TYPES_##types,                                                                           \
          { (key), OPTION_WORD, FIELD(field), 0, 0, (words), OPTION_##when, (help) },              \
          NULL, NULL, 0 },
#define LISTENER_SET(types, key, field, words, when, help)                                         \
        { TYPES_##types,                                                                           \
          { (key), OPTION_WORDS, FIELD(field), 0, 0, (words), OPTION_##when, (help) },             \
          NULL, NULL, 0 },
#define LISTENER_CHECKED(types, key, field, valid, wanted, when, help)                             \
        { TYPES_##types,                                                                           \
          { (key), OPTION_TEXT, FIELD(field), 0, 0, NULL, OPTION_##when, (help) },                 \
          (valid), (wanted), 0 },
#define LISTENER_LIST(types, key, field, valid, wanted, when, help)                                \
        { TYPES_##types,                                                                           \
          { (key), OPTION_TEXT, FIELD(field[0]), 0, 0, NULL, OPTION_##when, (help) },              \
          (valid), (wanted), LENGTH(((struct config_listener *)NULL)->field) },

enum { ELEMENT_KEY_SIZE = 64 };

/* What a row's first column may say. */
enum {
        TYPES_ALL  = (1u << LISTENER_TYPES) - 1,
        TYPES_INET = TYPES_ALL & ~BIT(UNIX),
        TYPES_WEB  = BIT(WS) | BIT(WSS),
        TYPES_SHAKING = BIT(TLS) | BIT(WS) | BIT(WSS),
        TYPES_UNIX = BIT(UNIX),
        TYPES_TLS  = BIT(TLS) | BIT(WSS),
};

static const char *const anonymous_words[] = { "default", "on", "off", NULL }; /* by enum */
static const char *const version_words[]   = { "3.1", "3.1.1", "5", NULL };
static const char *const tls_version_words[] = { "tlsv1.2,tlsv1.3", "tlsv1.3", "tlsv1.2", NULL };
static const char *const verify_words[]      = { "none", "peer", "verify_none", "verify_peer",
                                                 NULL };
static const char *const tls_name_words[] = { "none", "cn", "dn", "san_dns", "san_email", "san_uri",
                                              NULL };

const struct listener_option listener_options[] = {
#include "broker/listener.tbl.h"
};

const size_t listener_option_count = sizeof(listener_options) / sizeof(listener_options[0]);

const char *const listener_types[] = { "tcp", "tls", "ws", "wss", "unix", NULL };

static const struct config_listener listener_default = {
        .name = "external", .max_connections = 102400, .backlog = 1024,
        .durability = DURABILITY_STRICT, .versions = 7, .nodelay = true, .keepalive_s = 60,
        .handshake_timeout_ms = 10000,
        .proxy_timeout_ms = 3000, .socket_mode = 0660, .paths = "/mqtt",
        .require_subprotocol = true,
        .tls = { .depth = 4, .server_order = true, .tickets = true }
};
static const char external_bind[] = "[::]:1883";

static bool parse_type(struct str text, enum listener_type *type);
static bool name_is_good(struct str name);
static int  find(const struct config *config, enum listener_type type, struct str name);
static bool set_bind(struct config_listener *listener, struct str value, char *why);
static bool set_path(struct config_listener *listener, struct str value, char *why);
static bool set_option(struct config_listener *listener, struct str key, struct str value,
                       char *why);
static void unknown_key(enum listener_type type, struct str key, char *why);
static bool is_external_tcp(const struct config_listener *listener);
static unsigned diff_options(const struct config_listener *from, const struct config_listener *to,
                             config_changed *tell, void *context);
static bool is_key(const struct listener_option *row, struct str key, struct option *option,
                   char name[static ELEMENT_KEY_SIZE]);

void config_listener_implied(struct config_listener *listener)
{
        char why[OPTION_WHY_SIZE];
        bool good;

        *listener = listener_default;
        good      = set_bind(listener, str_of(external_bind), why);
        assert(good);
        (void)good;
        listener->implied = true;
}

/* The listener is built aside, so that a wrong value leaves nothing behind. */
bool config_listener_set(struct config *config, struct str rest, struct str value,
                         char why[static OPTION_WHY_SIZE])
{
        struct config_listener listener = listener_default;
        struct str             whole = rest, type, name;
        int                    index;

        if (!str_cut(&rest, '.', &type) || !parse_type(type, &listener.type)) {
                snprintf(why, OPTION_WHY_SIZE,
                         "unknown type of listener; it is tcp, tls, ws, wss or unix");
                return false;
        }
        if (!str_cut(&rest, '.', &name) || !name_is_good(name)) {
                snprintf(why, OPTION_WHY_SIZE,
                         "a listener's name is 1 to %d letters, digits, - and _",
                         CONFIG_NAME_SIZE - 1);
                return false;
        }
        index = find(config, listener.type, name);
        if (index >= 0)
                listener = config->listeners[index];
        else
                snprintf(listener.name, sizeof(listener.name), "%.*s", STR_ARGS(name));
        if (!(rest.ptr == NULL ? set_bind(&listener, value, why)
                               : set_option(&listener, rest, value, why)))
                return false;

        if (index < 0 && config->listener_count == 1 && config->listeners[0].implied)
                config->listener_count = 0;
        if (index < 0 && config->listener_count == CONFIG_LISTENERS_MAX) {
                snprintf(why, OPTION_WHY_SIZE, "more than %d listeners, at %.*s",
                         CONFIG_LISTENERS_MAX, (int)(whole.len < 100 ? whole.len : 100), whole.ptr);
                return false;
        }
        listener.implied = false;
        config->listeners[index >= 0 ? (unsigned)index : config->listener_count++] = listener;
        return true;
}

static bool rules_allow_nobody(const struct config_listener *listener)
{
        bool any = false;

        for (unsigned i = 0; i < LISTENER_RULES_MAX; i++) {
                if (listener->access[i][0] == 'a')      /* allow */
                        return false;
                any = any || listener->access[i][0] != '\0';
        }
        return any;
}

/* A name that nobody can prove would keep everybody out. */
static void check_tls(const struct tls_config *tls, const char *where, const char *key,
                      struct config_errors *errors)
{
        bool named = tls->username != TLS_NAME_NONE || tls->client_id != TLS_NAME_NONE;

        if (tls->certificates[0] == '\0' && tls->psk_file[0] == '\0')
                config_error(errors, "%s: %s has no certificate; add %s.certfile = PATH", where,
                             key, key);
        if (tls_verifies(tls) && tls->ca_file[0] == '\0' && tls->ca_dir[0] == '\0')
                config_error(errors, "%s: %s.verify = peer needs %s.cacertfile = PATH", where, key,
                             key);
        if (named && !tls_verifies(tls) && tls->psk_file[0] == '\0')
                config_error(errors, "%s: %s takes names from certificates and asks for none; add "
                             "%s.verify = peer", where, key, key);
}

void config_listener_check(struct config *config, const char *where, struct config_errors *errors)
{
        char key[LISTENER_KEY_SIZE], why[OPTION_WHY_SIZE];

        for (unsigned i = 0; i < config->listener_count; i++) {
                struct config_listener *listener = &config->listeners[i];
                enum listener_type      type = listener->type;

                config_listener_key(listener, key);
                if (listener->paths[0] == '\0')
                        config_error(errors, "%s: %s.path is empty; it is /mqtt by default", where,
                                     key);
                if (listener_is_tls(listener->type))
                        check_tls(&listener->tls, where, key, errors);
                if (rules_allow_nobody(listener))
                        config_error(errors, "%s: %s.access: no rule allows anyone; whom none "
                                     "matches is denied, so add %s.access.N = allow all", where,
                                     key, key);
                if (listener->proxy_protocol && listener->proxy_trusted[0] == '\0' &&
                    type != LISTENER_UNIX)
                        config_error(errors, "%s: %s.proxy_protocol_trusted is needed: the "
                                     "networks of the proxies, since anyone could send their "
                                     "header", where, key);
                if (listener->bind[0] != '\0')
                        continue;
                if (is_external_tcp(listener))
                        set_bind(listener, str_of(external_bind), why);
                else
                        config_error(errors, "%s: %s has no address; add %s = %s", where, key, key,
                                     type == LISTENER_UNIX ? "PATH" : "PORT");
        }
}

static void tell_whole(const struct config_listener *listener, enum config_change_kind kind,
                       config_changed *tell, void *context)
{
        char key[LISTENER_KEY_SIZE];

        config_listener_key(listener, key);
        tell(context, &(struct config_change){ kind, key,
                                               kind == CONFIG_REMOVED ? listener->bind : "",
                                               kind == CONFIG_ADDED ? listener->bind : "", false });
}

unsigned config_listener_diff(const struct config *from, const struct config *to,
                              config_changed *tell, void *context)
{
        unsigned count = 0;

        for (unsigned i = 0; i < from->listener_count; i++) {
                const struct config_listener *here  = &from->listeners[i];
                int                           index = find(to, here->type, str_of(here->name));

                if (index >= 0)
                        count += diff_options(here, &to->listeners[index], tell, context);
                else
                        tell_whole(here, CONFIG_REMOVED, tell, context);
        }
        for (unsigned i = 0; i < to->listener_count; i++) {
                const struct config_listener *there = &to->listeners[i];

                if (find(from, there->type, str_of(there->name)) < 0)
                        tell_whole(there, CONFIG_ADDED, tell, context);
        }
        return count;
}

bool config_listener_get(const struct config *config, struct str rest,
                         char to[static OPTION_VALUE_SIZE])
{
        struct str         type_text, name;
        enum listener_type type;
        int                index;

        if (!str_cut(&rest, '.', &type_text) || !parse_type(type_text, &type) ||
            !str_cut(&rest, '.', &name) || (index = find(config, type, name)) < 0)
                return false;

        const struct config_listener *listener = &config->listeners[index];

        if (rest.ptr == NULL)
                snprintf(to, OPTION_VALUE_SIZE, "%s", listener->bind);
        for (size_t i = 0; i < listener_option_count && rest.ptr != NULL; i++) {
                const struct listener_option *row = &listener_options[i];
                struct option                 option = row->option;
                char                          key[ELEMENT_KEY_SIZE];

                if (row->option.key == NULL || !is_key(row, rest, &option, key) ||
                    !(row->types & (1u << type)))
                        continue;
                option_format(&option, listener, to);
                return true;
        }
        return rest.ptr == NULL;
}

void config_listener_key(const struct config_listener *listener, char to[static LISTENER_KEY_SIZE])
{
        snprintf(to, LISTENER_KEY_SIZE, "listener.%s.%s", listener_types[listener->type],
                 listener->name);
}

/* The option of a list's element, "access.3"; false when it has no such element. */
static bool element(const struct listener_option *row, unsigned number, struct option *out,
                    char key[static ELEMENT_KEY_SIZE])
{
        if (number < 1 || number > row->count)
                return false;
        snprintf(key, ELEMENT_KEY_SIZE, "%s.%u", row->option.key, number);
        *out = row->option;
        out->key = key;
        out->offset += (number - 1) * row->option.size;
        return true;
}

void config_listener_terms(const struct config_listener *listener, struct client_listener *out)
{
        out->max_connections      = listener->max_connections;
        out->connect_rate         = listener->connect_rate;
        out->bytes_in             = listener->bytes_in;
        out->durability           = listener->durability;
        out->identity_as_username = listener->identity_as_username ||
                                    listener->tls.username != TLS_NAME_NONE;
        out->identity_as_client_id = listener->tls.client_id != TLS_NAME_NONE;
        out->mountpoint           = listener->mountpoint[0] != '\0' ? listener->mountpoint : NULL;
        out->versions             = listener->versions;
        out->anonymous            = listener->anonymous;
        out->handshake_timeout_ms = listener->handshake_timeout_ms;
        out->peer_timeout_ms      = listener->proxy_protocol && listener->trusted_proxies[0] == '\0'
                                            ? listener->proxy_timeout_ms
                                            : UINT32_MAX;       /* the whole upgrade tells it */
}

void config_listener_tls(const struct config_listener *listener, struct tls_config *out)
{
        *out = listener->tls;
        if (out->alpn[0] == '\0')
                snprintf(out->alpn, sizeof out->alpn, "%s",
                         listener->type == LISTENER_WSS ? "http/1.1" : "mqtt");
        if (listener->identity_as_username && out->username == TLS_NAME_NONE)
                out->username = TLS_NAME_CN;
}

bool config_listener_same(const struct config_listener *a, const struct config_listener *b)
{
        bool same = strcmp(a->bind, b->bind) == 0;

        for (size_t i = 0; i < listener_option_count && same; i++) {
                const struct listener_option *row = &listener_options[i];
                struct option                 option;
                char                          key[ELEMENT_KEY_SIZE];

                if (row->option.kind != OPTION_SECTION && row->count == 0)
                        same = option_same(&row->option, a, b);
                for (unsigned n = 1; same && element(row, n, &option, key); n++)
                        same = option_same(&option, a, b);
        }
        return same;
}

static unsigned diff_option(const struct option *option, const struct config_listener *from,
                            const struct config_listener *to, config_changed *tell, void *context)
{
        char key[LISTENER_KEY_SIZE], whole[2 * LISTENER_KEY_SIZE];
        char old[OPTION_VALUE_SIZE], fresh[OPTION_VALUE_SIZE];

        if (option->kind == OPTION_SECTION || option_same(option, from, to))
                return 0;
        config_listener_key(from, key);
        snprintf(whole, sizeof(whole), "%s.%s", key, option->key);
        option_format(option, from, old);
        option_format(option, to, fresh);
        tell(context, &(struct config_change){ CONFIG_CHANGED, whole, old, fresh,
                                               !option->reloadable });
        return !option->reloadable;
}

static unsigned diff_options(const struct config_listener *from, const struct config_listener *to,
                             config_changed *tell, void *context)
{
        unsigned count = 0;
        char     key[LISTENER_KEY_SIZE], element_key[ELEMENT_KEY_SIZE];

        config_listener_key(from, key);
        if (strcmp(from->bind, to->bind) != 0)
                tell(context, &(struct config_change){ CONFIG_CHANGED, key, from->bind, to->bind,
                                                       false });
        for (size_t i = 0; i < listener_option_count; i++) {
                const struct listener_option *row = &listener_options[i];
                struct option                 option;

                if (row->count == 0)
                        count += diff_option(&row->option, from, to, tell, context);
                for (unsigned n = 1; element(row, n, &option, element_key); n++)
                        count += diff_option(&option, from, to, tell, context);
        }
        return count;
}

/* "ssl" is emqttd's word. */
static bool parse_type(struct str text, enum listener_type *type)
{
        if (str_eq(text, STR("ssl"))) {
                *type = LISTENER_TLS;
                return true;
        }
        for (unsigned i = 0; i < LISTENER_TYPES; i++) {
                if (str_eq(text, str_of(listener_types[i]))) {
                        *type = (enum listener_type)i;
                        return true;
                }
        }
        return false;
}

static bool name_is_good(struct str name)
{
        for (size_t i = 0; i < name.len; i++) {
                if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '-' &&
                    name.ptr[i] != '_')
                        return false;
        }
        return name.len > 0 && name.len < CONFIG_NAME_SIZE;
}

static int find(const struct config *config, enum listener_type type, struct str name)
{
        for (unsigned i = 0; i < config->listener_count; i++) {
                if (config->listeners[i].type == type &&
                    str_eq(str_of(config->listeners[i].name), name))
                        return (int)i;
        }
        return -1;
}

static bool set_bind(struct config_listener *listener, struct str value, char *why)
{
        if (listener->type == LISTENER_UNIX)
                return set_path(listener, value, why);
        if (value.len >= sizeof(listener->bind) || !address_parse(value, &listener->address)) {
                snprintf(why, OPTION_WHY_SIZE,
                         "\"%.*s\" is not PORT, IP:PORT or [IPv6]:PORT; names are not looked up",
                         (int)(value.len < 100 ? value.len : 100), value.ptr ? value.ptr : "");
                return false;
        }
        snprintf(listener->bind, sizeof(listener->bind), "%.*s", STR_ARGS(value));
        return true;
}

/* From the root: a broker in the background has no folder one would think of. */
static bool set_path(struct config_listener *listener, struct str value, char *why)
{
        if (value.len < 2 || value.len >= sizeof(listener->bind) || value.ptr[0] != '/' ||
            memchr(value.ptr, 0, value.len) != NULL) {
                snprintf(why, OPTION_WHY_SIZE,
                         "\"%.*s\" is not the path of a socket: it begins with / and has at most "
                         "%zu bytes", (int)(value.len < 100 ? value.len : 100),
                         value.ptr ? value.ptr : "", sizeof(listener->bind) - 1);
                return false;
        }
        snprintf(listener->bind, sizeof(listener->bind), "%.*s", STR_ARGS(value));
        listener->address = (struct address){ .any = { .sa_family = AF_UNIX } };
        return true;
}

/* The row's key, or one of its numbers: then *option is that element's. */
static bool is_key(const struct listener_option *row, struct str key, struct option *option,
                   char name[static ELEMENT_KEY_SIZE])
{
        if (row->count == 0)
                return str_eq(key, str_of(row->option.key));
        for (unsigned n = 1; element(row, n, option, name); n++) {
                if (str_eq(key, str_of(name)))
                        return true;
        }
        return false;
}

static bool value_fits(const struct listener_option *row, struct str value, char *why)
{
        if (row->valid == NULL || value.len == 0 || row->valid(value))
                return true;
        snprintf(why, OPTION_WHY_SIZE, "\"%.*s\" is not %s",
                 (int)(value.len < 100 ? value.len : 100), value.ptr, row->wanted);
        return false;
}

static bool set_option(struct config_listener *listener, struct str key, struct str value,
                       char *why)
{
        for (size_t i = 0; i < listener_option_count; i++) {
                const struct listener_option *row    = &listener_options[i];
                struct option                 option = row->option;
                char                          name[ELEMENT_KEY_SIZE];

                if (row->option.key == NULL || !is_key(row, key, &option, name))
                        continue;
                if (row->types & (1u << listener->type))
                        return value_fits(row, value, why) &&
                               option_parse(&option, value, listener, why);
                snprintf(why, OPTION_WHY_SIZE, "listeners of type %s have no such option",
                         listener_types[listener->type]);
                return false;
        }
        unknown_key(listener->type, key, why);
        return false;
}

static void unknown_key(enum listener_type type, struct str key, char *why)
{
        const struct listener_option *nearest = NULL;
        unsigned                      least = (unsigned)(key.len / 3) + 1; /* option_nearest()'s */

        for (size_t i = 0; i < listener_option_count; i++) {
                const struct listener_option *row = &listener_options[i];
                unsigned                      apart;

                if (row->option.key == NULL || !(row->types & (1u << type)))
                        continue;
                apart = option_distance(key, str_of(row->option.key));
                if (apart < least) {
                        least   = apart;
                        nearest = row;
                }
        }
        if (nearest == NULL)
                snprintf(why, OPTION_WHY_SIZE,
                         "unknown option of a listener; linnetd --help lists them");
        else if (nearest->count == 0)
                snprintf(why, OPTION_WHY_SIZE, "unknown option of a listener; did you mean %s?",
                         nearest->option.key);
        else
                snprintf(why, OPTION_WHY_SIZE, "unknown option of a listener; %s.1 to %s.%u are",
                         nearest->option.key, nearest->option.key, nearest->count);
}

static bool is_external_tcp(const struct config_listener *listener)
{
        return listener->type == LISTENER_TCP && strcmp(listener->name, listener_default.name) == 0;
}
