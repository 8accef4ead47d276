#include "broker/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "broker/door.h"
#include "broker/reload.h"
#include "services/admin/admin.h"
#include "services/guard/guard.h"
#include "services/sys/version.h"

struct commands {
        const struct sources *sources;
        struct config        *config;
        struct server        *server;
};

/* ---- the state of things --------------------------------------------------------------------- */

static void say_listener(void *context, const struct door_view *view)
{
        struct admin_call *call = context;

        ADMIN_ROW(call, "listener", F_TEXT("name", view->name), F_TEXT("address", view->address),
                  F_U64("connections", view->connections), F_U64("max", view->max),
                  F_U64("refused", view->refused), F_U64("denied", view->denied));
}

static enum admin_progress run_listeners(void *context, struct admin_call *call)
{
        const struct commands *commands = context;

        doors_see(server_doors(commands->server), say_listener, call);
        return ADMIN_DONE;
}

static enum admin_progress run_status(void *context, struct admin_call *call)
{
        const struct commands *commands = context;
        const struct broker   *broker   = admin_broker(call->admin);
        const struct config   *config   = commands->config;
        uint64_t               now_us   = clock_read().wall_us;
        uint64_t               kept     = atomic_load(&broker->kept_sessions);

        ADMIN_ROW(call, "broker", F_TEXT("version", LINNET_VERSION),
                  F_TEXT("node", broker->node_name),
                  F_U64("uptime_s", (now_us - broker->started_us) / 1000000),
                  F_U64("shards", broker->shard_count),
                  F_U64("connections", atomic_load(&broker->connections)),
                  F_TEXT("config", commands->sources->file), F_TEXT("data_dir", config->data_dir),
                  F_TEXT("durability", option_durabilities[config->durability]),
                  F_U64("kept_sessions", kept));
        admin_include(call, "shards list");
        admin_include(call, "listeners list");
        admin_include(call, "alarms list");
        return ADMIN_DONE;
}

/* ---- configuration --------------------------------------------------------------------------- */

static void say_change(void *context, const struct config_change *change)
{
        static const char *const signs[] = { "+", "-", "~" };
        struct admin_call       *call    = context;

        ADMIN_ROW(call, "change", F_TEXT("sign", signs[change->kind]), F_TEXT("key", change->key),
                  F_TEXT("from", change->from), F_TEXT("to", change->to),
                  F_TEXT("applied", change->restart ? "needs a restart" : "live"));
}

static enum admin_progress say_problems(struct admin_call *call, struct config_errors *errors)
{
        struct str rest = buffer_str(&errors->text), line;

        while (rest.len > 0 && str_cut(&rest, '\n', &line))
                ADMIN_ROW(call, "problem", F_STR("what", line));
        config_errors_deinit(errors);
        return admin_fail(call, "refused: nothing has changed");
}

static enum admin_progress run_diff(void *context, struct admin_call *call)
{
        const struct commands *commands = context;
        struct config_errors   errors   = { .count = 0 };

        if (!reload_check(commands->sources, commands->config, &errors, say_change, call))
                return say_problems(call, &errors);
        config_errors_deinit(&errors);
        return ADMIN_DONE;
}

static enum admin_progress run_reload(void *context, struct admin_call *call)
{
        struct commands     *commands = context;
        struct config_errors errors   = { .count = 0 };

        if (admin_take_flag(call, "--check"))
                return call->words.count > 0 ? admin_fail(call, "usage: reload [--check]")
                                             : run_diff(context, call);
        if (call->words.count > 0)
                return admin_fail(call, "usage: reload [--check]");
        if (!reload(commands->sources, commands->config, commands->server, &errors, say_change,
                    call))
                return say_problems(call, &errors);
        config_errors_deinit(&errors);
        return ADMIN_DONE;
}

static enum admin_progress run_get(void *context, struct admin_call *call)
{
        const struct commands *commands = context;
        struct str             key      = call->words.at[0];
        char                   value[OPTION_VALUE_SIZE];

        if (!config_get(commands->config, key, value))
                return admin_fail(call, "there is no such option; linnetd --help lists them");
        ADMIN_ROW(call, "option", F_STR("key", key), F_TEXT("value", value));
        return ADMIN_DONE;
}

/* ---- bans ------------------------------------------------------------------------------------ */

static void say_ban(void *context, const struct ban *ban)
{
        struct admin_call *call = context;

        ADMIN_ROW(call, "ban", F_TEXT("kind", ban_kind_name(ban->kind)), F_STR("what", ban->what),
                  F_U64("since_s", ban->at_s), F_U64("until_s", ban->until_s),
                  F_STR("by", ban->by), F_STR("why", ban->why));
}

static enum admin_progress run_bans(void *context, struct admin_call *call)
{
        const struct commands *commands = context;
        size_t                 at       = call->at;
        bool more = guard_see_bans(server_guard(commands->server), &at, ADMIN_ROWS_MAX, say_ban,
                                   call);

        call->at = at;
        return more ? ADMIN_MORE : ADMIN_DONE;
}

/* What the first word says; false, and it has failed. */
static bool read_kind(struct admin_call *call, enum ban_kind *kind)
{
        *kind = call->words.count == 2 ? ban_kind_of(call->words.at[0]) : BAN_KINDS;
        if (*kind != BAN_KINDS)
                return true;
        admin_fail(call, "usage: %s %s", call->command->name, call->command->usage);
        return false;
}

static enum admin_progress save(struct commands *commands, struct admin_call *call)
{
        if (guard_save(server_guard(commands->server)))
                return ADMIN_DONE;
        return admin_fail(call, "it holds until a restart: the file of bans cannot be written");
}

static enum admin_progress run_ban(void *context, struct admin_call *call)
{
        static const struct option span = { .kind = OPTION_SECONDS, .size = sizeof(uint32_t),
                                            .min = 1, .max = UINT32_MAX };
        struct commands *commands = context;
        struct ban       ban      = { .at_s = clock_read().wall_us / 1000000,
                                      .by   = str_of(call->by) };
        struct str       time;
        uint32_t         for_s;
        char             why[OPTION_WHY_SIZE];

        if (admin_take_option(call, "--for", &time)) {
                if (!option_parse(&span, time, &for_s, why))
                        return admin_fail(call, "--for: %s", why);
                ban.until_s = ban.at_s + for_s;
        }
        admin_take_option(call, "--reason", &ban.why);
        if (!read_kind(call, &ban.kind))
                return ADMIN_DONE;
        ban.what = call->words.at[1];
        switch (guard_ban(server_guard(commands->server), &ban)) {
        case BAN_INVALID:
                return admin_fail(call, ban.kind == BAN_ADDRESS
                                                ? "that is no address and no network, as 10.0.0.0/8"
                                                : "that is empty, or longer than %d bytes",
                                  BAN_TEXT_MAX);
        case BAN_FULL:
                return admin_fail(call, "there are %d bans, as many as there may be", BANS_MAX);
        case BAN_NO_MEMORY:
                return admin_fail(call, "out of memory");
        case BAN_DONE:
                break;
        }
        return save(commands, call);
}

static enum admin_progress run_unban(void *context, struct admin_call *call)
{
        struct commands *commands = context;
        enum ban_kind    kind;

        if (!read_kind(call, &kind))
                return ADMIN_DONE;
        if (!guard_unban(server_guard(commands->server), kind, call->words.at[1]))
                return admin_fail(call, "there is no such ban; what ban.addresses, ban.clientids "
                                        "and ban.usernames say is the configuration's");
        return save(commands, call);
}

static const struct admin_command table[] = {
        { "status", "", "the broker, its shards, listeners and alarms", 0, 0, false, run_status },
        { "listeners list", "", "where it listens, and for how many", 0, 0, false, run_listeners },
        { "reload", "[--check]", "reads the configuration anew, and says what changes; --check: "
          "only says it", 0, 1, true, run_reload },
        { "config diff", "", "what a reload would change", 0, 0, false, run_diff },
        { "config get", "KEY", "an option as it is in force", 1, 1, false, run_get },
        { "bans list", "", "who may not connect", 0, 0, false, run_bans },
        { "bans add", "address|clientid|username VALUE [--for TIME] [--reason TEXT]",
          "bans, and disconnects who is there", 2, 6, true, run_ban },
        { "bans del", "address|clientid|username VALUE", "ends a ban", 2, 2, true, run_unban },
};

struct commands *commands_new(const struct sources *sources, struct config *config,
                              struct server *server)
{
        struct commands *commands = mem_alloc(sizeof *commands);

        if (commands == NULL)
                return NULL;
        *commands = (struct commands){ sources, config, server };
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
                admin_add(server_admin(server), &table[i], commands);
        return commands;
}

void commands_free(struct commands *commands)
{
        mem_free(commands);
}
