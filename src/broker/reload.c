#include "broker/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "broker/inspection.h"

/* Too large for a stack one likes to look at; by the main thread alone. */
static struct config next;

struct log_config log_of(const struct config *config)
{
        return (struct log_config){ config->log_level, config->log_format, config->log_file };
}

static void log_change(void *context, const struct config_change *change)
{
        char text[CONFIG_CHANGE_SIZE];

        (void)context;
        config_change_text(change, text);
        if (change->restart)
                LOG(WARNING, "reload.change", F_TEXT("option", text));
        else
                LOG(INFO, "reload.change", F_TEXT("option", text));
}

static bool refuse(const char *reason, const char *file)
{
        LOG(ERROR, "reload.refused", F_TEXT("reason", reason), F_TEXT("file", file));
        return false;
}

/* The configuration, and the files that it names. */
static bool read_next(const struct sources *sources, struct config_errors *errors)
{
        struct str rest, line;

        if (sources_load(sources, &next, errors))
                return true;
        for (rest = buffer_str(&errors->text); rest.len > 0 && str_cut(&rest, '\n', &line);)
                LOG(ERROR, "reload.error", F_STR("what", line));
        return false;
}

bool reload(const struct sources *sources, struct config *config, struct server *server,
            struct config_errors *errors, config_changed *tell, void *context)
{
        static struct config then;
        struct log_config    log;

        if (!read_next(sources, errors))
                return refuse("see the lines above", sources->file);
        if (tell != NULL)
                config_diff(config, &next, tell, context);
        config_diff(config, &next, log_change, NULL);
        then = next;
        config_keep_fixed(&then, config);
        log = log_of(&then);
        if (!log_configure(&log)) {
                config_error(errors, "log.file: %s: %s", then.log_file, strerror(errno));
                return refuse(strerror(errno), then.log_file);
        }
        if (!server_apply(server, &then)) {
                log = log_of(config);
                (void)log_configure(&log);
                config_error(errors, "it cannot be applied; the broker's log says why");
                return refuse("see the lines above", sources->file);
        }
        *config = then;
        if (!log_reopen())
                LOG(ERROR, "log.unusable", F_TEXT("file", config->log_file),
                    F_TEXT("reason", strerror(errno)));
        LOG(INFO, "reload.done");
        return true;
}

bool reload_check(const struct sources *sources, const struct config *config,
                  struct config_errors *errors, config_changed *tell, void *context)
{
        if (!sources_load(sources, &next, errors))
                return false;
        inspect(&next, errors);
        if (errors->count > 0)
                return false;
        config_diff(config, &next, tell, context);
        return true;
}
