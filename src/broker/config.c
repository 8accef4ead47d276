#include "broker/config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void unknown_key(struct str key, char *why);
static bool priorities_are_good(struct str rest);

void config_init(struct config *config)
{
        memset(config, 0, sizeof(*config));
        settings_init(&config->settings);
        auth_config_init(&config->auth);
        snprintf(config->node_name, sizeof(config->node_name), "linnet@127.0.0.1");
        config->confine = true;
        snprintf(config->data_dir, sizeof(config->data_dir), "data");
        auth_config_init(&config->auth);
        config->http_connections = 32;
        config->http_max_calls   = 4096;
        config->durability     = DURABILITY_STRICT;
        config->acl_format     = ACL_AUTO;
        config->acl_watch_ms   = 2000;
        config->log_level      = LOG_LEVEL_INFO;
        config->log_format     = LOG_FORMAT_TEXT;
        config_listener_implied(&config->listeners[0]);
        config->listener_count = 1;
}

bool config_set(struct config *config, struct str key, struct str value,
                char why[static OPTION_WHY_SIZE])
{
        const struct option *option;
        struct str           prefix = STR("listener.");
        bool                 good;

        if (str_starts(key, prefix))
                return config_listener_set(config, str_skip(key, prefix.len), value, why);
        if (config_set_auth(config, key, value, &good, why))
                return good;
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

bool config_control(const struct config *config, char to[static CONFIG_PATH_SIZE])
{
        if (config->control_socket[0] != '\0')
                snprintf(to, CONFIG_PATH_SIZE, "%s", config->control_socket);
        else
                snprintf(to, CONFIG_PATH_SIZE, "%.*s/control", CONFIG_PATH_SIZE - 16,
                         config->data_dir);
        return strcmp(to, "off") != 0;
}

bool config_check(struct config *config, const char *where, struct config_errors *errors)
{
        const struct settings *settings = &config->settings;
        unsigned               before   = errors->count;
        const char            *place;
        char                   why[OPTION_WHY_SIZE];

        config_listener_check(config, where, errors);
        if (settings->mqueue_low_percent > settings->mqueue_high_percent)
                config_error(errors, "%s: mqtt.mqueue.low_watermark is %u%%, above %s, %u%%", where,
                             settings->mqueue_low_percent, "mqtt.mqueue.high_watermark",
                             settings->mqueue_high_percent);
        if (!auth_config_good(&config->auth, &place, why))
                config_error(errors, "%s: %s", place != NULL ? place : where, why);
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

unsigned config_diff(const struct config *from, const struct config *to, config_changed *tell,
                     void *context)
{
        unsigned restarts = 0;
        char     old[OPTION_VALUE_SIZE], fresh[OPTION_VALUE_SIZE];

        for (size_t i = 0; i < option_count; i++) {
                const struct option *option = &option_rows[i];

                if (option->kind == OPTION_SECTION || option_same(option, from, to))
                        continue;
                option_format(option, from, old);
                option_format(option, to, fresh);
                tell(context, &(struct config_change){ CONFIG_CHANGED, option->key, old, fresh,
                                                       !option->reloadable });
                restarts += !option->reloadable;
        }
        config_diff_auth(from, to, tell, context);
        return restarts + config_listener_diff(from, to, tell, context);
}

void config_keep_fixed(struct config *config, const struct config *running)
{
        for (size_t i = 0; i < option_count; i++) {
                const struct option *option = &option_rows[i];

                if (option->kind != OPTION_SECTION && !option->reloadable)
                        memcpy((char *)config + option->offset,
                               (const char *)running + option->offset, option->size);
        }
}

void config_change_text(const struct config_change *change, char to[static CONFIG_CHANGE_SIZE])
{
        snprintf(to, CONFIG_CHANGE_SIZE, "%s: %s -> %s%s", change->key,
                 change->kind == CONFIG_ADDED ? "none" : change->from,
                 change->kind == CONFIG_REMOVED ? "none" : change->to,
                 change->restart ? " (needs a restart)" : "");
}

bool config_get(const struct config *config, struct str key, char to[static OPTION_VALUE_SIZE])
{
        const struct option *option = option_find(key);
        struct str           prefix = STR("listener.");

        if (str_starts(key, prefix))
                return config_listener_get(config, str_skip(key, prefix.len), to);
        if (option == NULL)
                return false;
        option_format(option, config, to);
        return true;
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
