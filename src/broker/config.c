#include "broker/config.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD(field)                                                                               \
        offsetof(struct config_listener, field), sizeof(((struct config_listener *)NULL)->field)

const struct option config_listener_options[] = {
        { "max_clients", OPTION_NUMBER, FIELD(max_connections), 0, UINT32_MAX, NULL, false,
          "connections at once; 0: no limit" },
        { "backlog", OPTION_NUMBER, FIELD(backlog), 1, 65535, NULL, false,
          "connections the kernel holds until they are accepted" },
        { "durability", OPTION_WORD, FIELD(durability), 0, 0, option_durabilities, false,
          "less than the broker's durability for its clients: relaxed or memory" },
};

const size_t config_listener_option_count =
        sizeof(config_listener_options) / sizeof(config_listener_options[0]);

static const struct config_listener listener_default = {
        .type = "tcp", .name = "external", .max_connections = 102400, .backlog = 1024,
        .durability = DURABILITY_STRICT
};
static const char external_bind[] = "[::]:1883";

static bool set_listener(struct config *config, struct str rest, struct str value, char *why);
static bool set_address(struct config_listener *listener, struct str value, char *why);
static bool name_is_good(struct str name);
static int  listener_index(const struct config *config, const char *type, struct str name);
static void unknown_key(struct str key, char *why);
static bool priorities_are_good(struct str rest);
static void changed(struct buffer *lines, const char *key, const char *from, const char *to);
static unsigned diff_listeners(const struct config *from, const struct config *to,
                               struct buffer *lines);

void config_init(struct config *config)
{
        char why[OPTION_WHY_SIZE];
        bool good;

        memset(config, 0, sizeof(*config));
        settings_init(&config->settings);
        snprintf(config->node_name, sizeof(config->node_name), "linnet@127.0.0.1");
        snprintf(config->data_dir, sizeof(config->data_dir), "data");
        config->durability     = DURABILITY_STRICT;
        config->log_level      = LOG_LEVEL_INFO;
        config->log_format     = LOG_FORMAT_TEXT;
        config->listeners[0]   = listener_default;
        config->listener_count = 1;

        good = set_address(&config->listeners[0], str_of(external_bind), why);
        assert(good);
        (void)good;
        config->listeners[0].implied = true;
}

bool config_set(struct config *config, struct str key, struct str value,
                char why[static OPTION_WHY_SIZE])
{
        const struct option *option;
        struct str           prefix = STR("listener.");

        if (str_starts(key, prefix))
                return set_listener(config, str_skip(key, prefix.len), value, why);
        option = option_find(key);
        if (option == NULL) {
                unknown_key(key, why);
                return false;
        }
        if (str_eq(key, STR("mqtt.mqueue.priority")) && !priorities_are_good(value)) {
                snprintf(why, OPTION_WHY_SIZE, "\"%.*s\" is not TOPIC=NUMBER,TOPIC=NUMBER",
                         (int)(value.len < 100 ? value.len : 100), value.ptr);
                return false;
        }
        return option_parse(option, value, config, why);
}

bool config_check(struct config *config, const char *where, struct config_errors *errors)
{
        const struct settings *settings = &config->settings;
        unsigned               before   = errors->count;
        char                   why[OPTION_WHY_SIZE];

        for (unsigned i = 0; i < config->listener_count; i++) {
                struct config_listener *listener = &config->listeners[i];

                if (listener->bind[0] != '\0')
                        continue;
                if (strcmp(listener->name, listener_default.name) == 0)
                        set_address(listener, str_of(external_bind), why);
                else
                        config_error(errors,
                                     "%s: listener.%s.%s has no address; add listener.%s.%s = PORT",
                                     where, listener->type, listener->name, listener->type,
                                     listener->name);
        }
        if (settings->mqueue_low_percent > settings->mqueue_high_percent)
                config_error(errors, "%s: mqtt.mqueue.low_watermark is %u%%, above %s, %u%%", where,
                             settings->mqueue_low_percent, "mqtt.mqueue.high_watermark",
                             settings->mqueue_high_percent);
        return errors->count == before;
}

void config_error(struct config_errors *errors, const char *format, ...)
{
        char    line[CONFIG_PATH_SIZE + 2 * OPTION_WHY_SIZE];
        va_list values;

        va_start(values, format);
        vsnprintf(line, sizeof(line), format, values);
        va_end(values);
        buffer_printf(&errors->text, "%s\n", line);
        errors->count++;
}

void config_errors_deinit(struct config_errors *errors)
{
        buffer_deinit(&errors->text);
        errors->count = 0;
}

unsigned config_diff(const struct config *from, const struct config *to, struct buffer *lines)
{
        unsigned restarts = 0;
        char     old[OPTION_VALUE_SIZE], fresh[OPTION_VALUE_SIZE];

        for (size_t i = 0; i < option_count; i++) {
                const struct option *option = &option_rows[i];

                if (option->kind == OPTION_SECTION || option_same(option, from, to))
                        continue;
                option_format(option, from, old);
                option_format(option, to, fresh);
                changed(lines, option->key, old, fresh);
                buffer_printf(lines, "%s\n", option->reloadable ? "" : " (needs a restart)");
                restarts += !option->reloadable;
        }
        return restarts + diff_listeners(from, to, lines);
}

/* "tcp.external" or "tcp.external.backlog". The listener is built aside, so that a wrong value
 * leaves nothing behind. */
static bool set_listener(struct config *config, struct str rest, struct str value, char *why)
{
        struct config_listener listener = listener_default;
        struct str             whole = rest, type, name;
        int                    index;
        bool                   good;

        if (!str_cut(&rest, '.', &type) || !str_eq(type, STR("tcp"))) {
                snprintf(why, OPTION_WHY_SIZE, "unknown type of listener; it is listener.tcp.NAME");
                return false;
        }
        if (!str_cut(&rest, '.', &name) || !name_is_good(name)) {
                snprintf(why, OPTION_WHY_SIZE,
                         "a listener's name is 1 to %zu letters, digits, - and _",
                         sizeof(listener.name) - 1);
                return false;
        }
        index = listener_index(config, "tcp", name);
        if (index >= 0)
                listener = config->listeners[index];
        else
                snprintf(listener.name, sizeof(listener.name), "%.*s", STR_ARGS(name));
        if (rest.ptr == NULL) {
                good = set_address(&listener, value, why);
        } else {
                const struct option *option = NULL;

                for (size_t i = 0; i < config_listener_option_count; i++) {
                        if (str_eq(rest, str_of(config_listener_options[i].key)))
                                option = &config_listener_options[i];
                }
                if (option == NULL)
                        snprintf(why, OPTION_WHY_SIZE,
                                 "unknown option of a listener; there are max_clients and backlog");
                good = option != NULL && option_parse(option, value, &listener, why);
        }
        if (!good)
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

static bool set_address(struct config_listener *listener, struct str value, char *why)
{
        if (value.len >= sizeof(listener->bind) || !address_parse(value, &listener->address)) {
                snprintf(why, OPTION_WHY_SIZE,
                         "\"%.*s\" is not PORT, IP:PORT or [IPv6]:PORT; names are not looked up",
                         (int)(value.len < 100 ? value.len : 100), value.ptr ? value.ptr : "");
                return false;
        }
        snprintf(listener->bind, sizeof(listener->bind), "%.*s", STR_ARGS(value));
        return true;
}

static bool name_is_good(struct str name)
{
        for (size_t i = 0; i < name.len; i++) {
                if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '-' &&
                    name.ptr[i] != '_')
                        return false;
        }
        return name.len > 0 && name.len < sizeof(listener_default.name);
}

static int listener_index(const struct config *config, const char *type, struct str name)
{
        for (unsigned i = 0; i < config->listener_count; i++) {
                if (strcmp(config->listeners[i].type, type) == 0 &&
                    str_eq(str_of(config->listeners[i].name), name))
                        return (int)i;
        }
        return -1;
}

static void unknown_key(struct str key, char *why)
{
        const char *nearest = option_nearest(key);

        if (nearest != NULL)
                snprintf(why, OPTION_WHY_SIZE, "unknown option; did you mean %s?", nearest);
        else
                snprintf(why, OPTION_WHY_SIZE, "unknown option; linnetd --help lists them");
}

static bool priorities_are_good(struct str rest)
{
        struct str pair, topic;

        while (rest.len > 0 && str_cut(&rest, ',', &pair)) {
                if (!str_cut(&pair, '=', &topic) || topic.len == 0 || pair.len == 0 || pair.len > 3)
                        return false;
                for (size_t i = 0; i < pair.len; i++) {
                        if (!isdigit((unsigned char)pair.ptr[i]))
                                return false;
                }
        }
        return true;
}

static void changed(struct buffer *lines, const char *key, const char *from, const char *to)
{
        buffer_printf(lines, "%s: %s -> %s", key, from, to);
}

static unsigned diff_listeners(const struct config *from, const struct config *to,
                               struct buffer *lines)
{
        static const struct config_listener none = { 0 };
        unsigned                            count = 0;

        /* Every listener of the old one, then those only the new one has. */
        for (unsigned i = 0; i < from->listener_count + to->listener_count; i++) {
                bool                          is_old = i < from->listener_count;
                const struct config_listener *here =
                        is_old ? &from->listeners[i] : &to->listeners[i - from->listener_count];
                const struct config  *other = is_old ? to : from;
                int                   index = listener_index(other, here->type, str_of(here->name));
                const struct config_listener *there = index >= 0 ? &other->listeners[index] : &none;
                char                          key[64];

                if (index >= 0 && (!is_old || (strcmp(here->bind, there->bind) == 0 &&
                                               here->max_connections == there->max_connections &&
                                               here->backlog == there->backlog)))
                        continue;
                snprintf(key, sizeof(key), "listener.%s.%s", here->type, here->name);
                if (index >= 0 && strcmp(here->bind, there->bind) == 0)
                        buffer_printf(lines, "%s: max_clients or backlog", key);
                else
                        changed(lines, key, is_old ? here->bind : "none",
                                !is_old ? here->bind : index >= 0 ? there->bind : "none");
                buffer_printf(lines, " (needs a restart)\n");
                count++;
        }
        return count;
}
