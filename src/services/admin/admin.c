#include "services/admin/admin.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "services/admin/alarms.h"
#include "services/admin/clients.h"
#include "services/admin/counters.h"

struct offer {
        const struct admin_command *command;
        void                       *context;
};

struct admin {
        struct loop    loop;
        struct loop   *self[1];
        struct broker *broker;
        struct alarms *alarms;
        struct list    calls;
        uint64_t       last_id;
        unsigned       count;
        struct offer   commands[ADMIN_COMMANDS_MAX];
};

enum { NAME_WORDS_MAX = 3 };            /* of a command */

static enum admin_progress run_help(void *context, struct admin_call *call);

static const struct admin_command help = {
        .name = "help", .usage = "", .help = "the commands", .run = run_help
};

/* ---- commands -------------------------------------------------------------------------------- */

void admin_add(struct admin *admin, const struct admin_command *command, void *context)
{
        assert(admin->count < ADMIN_COMMANDS_MAX);
        admin->commands[admin->count++] = (struct offer){ command, context };
}

static enum admin_progress run_help(void *context, struct admin_call *call)
{
        const struct admin *admin = context;

        for (unsigned i = 0; i < admin->count; i++) {
                const struct admin_command *command = admin->commands[i].command;

                ADMIN_ROW(call, "command", F_TEXT("name", command->name),
                          F_TEXT("usage", command->usage), F_TEXT("help", command->help));
        }
        return ADMIN_DONE;
}

enum admin_progress admin_fail(struct admin_call *call, const char *format, ...)
{
        va_list values;

        call->failed = true;
        va_start(values, format);
        vsnprintf(call->error, sizeof call->error, format, values);
        va_end(values);
        return ADMIN_DONE;
}

static void remove_words(struct words *words, unsigned at, unsigned count)
{
        for (unsigned i = at; i + count < words->count; i++)
                words->at[i] = words->at[i + count];
        words->count -= count;
}

static bool take(struct admin_call *call, const char *name, unsigned count, struct str *value)
{
        struct words *words = &call->words;

        for (unsigned i = 0; i + count <= words->count; i++) {
                if (!str_eq(words->at[i], str_of(name)))
                        continue;
                *value = words->at[i + count - 1];
                remove_words(words, i, count);
                return true;
        }
        return false;
}

bool admin_take_option(struct admin_call *call, const char *name, struct str *value)
{
        return take(call, name, 2, value);
}

bool admin_take_flag(struct admin_call *call, const char *name)
{
        struct str flag;

        return take(call, name, 1, &flag);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* How many of the words are the command's name; 0: they are another. */
static unsigned matches(const struct admin_command *command, const struct words *words)
{
        struct str rest = str_of(command->name), word;
        unsigned   count = 0;

        while (str_cut(&rest, ' ', &word)) {
                if (count == words->count || !str_eq(word, words->at[count]))
                        return 0;
                count++;
        }
        assert(count <= NAME_WORDS_MAX);
        return count;
}

static void find_command(struct admin *admin, struct admin_call *call)
{
        unsigned most = 0;

        for (unsigned i = 0; i < admin->count; i++) {
                const struct offer *offer = &admin->commands[i];
                unsigned            count = matches(offer->command, &call->words);

                if (count <= most)
                        continue;
                most          = count;
                call->command = offer->command;
                call->context = offer->context;
        }
        if (call->command == NULL) {
                admin_fail(call, "no such command; help lists them");
                return;
        }
        remove_words(&call->words, 0, most);
        if (call->words.count < call->command->words_min ||
            call->words.count > call->command->words_max)
                admin_fail(call, "usage: %s %s", call->command->name, call->command->usage);
}

void admin_begin(struct admin *admin, struct admin_call *call, char *line, size_t len)
{
        const char *wrong;

        *call = (struct admin_call){ .admin = admin, .out = call->out, .by = call->by,
                                     .resumed = call->resumed, .id = ++admin->last_id };
        list_push_back(&admin->calls, &call->in_admin);
        wrong = words_read(line, len, &call->words);
        if (wrong != NULL)
                admin_fail(call, "%s", wrong);
        else
                find_command(admin, call);
        if (!call->failed && call->command->changes)
                LOG(INFO, "admin.command", F_TEXT("command", call->command->name),
                    F_STR("what", call->words.count > 0 ? call->words.at[0] : STR("")),
                    F_TEXT("by", call->by));
}

void admin_include(struct admin_call *call, const char *name)
{
        const struct admin *admin = call->admin;

        for (unsigned i = 0; i < admin->count; i++)
                if (strcmp(admin->commands[i].command->name, name) == 0)
                        admin->commands[i].command->run(admin->commands[i].context, call);
}

static void say_end(const struct admin_call *call)
{
        struct log_field error = F_TEXT("error", call->error);

        if (call->failed)
                admin_row(call->out, "failed", &error, 1);
        else
                admin_row(call->out, "done", NULL, 0);
}

enum admin_progress admin_step(struct admin_call *call)
{
        enum admin_progress progress = ADMIN_DONE;

        assert(!call->late);
        if (!call->failed)
                progress = call->command->run(call->context, call);
        if (progress == ADMIN_DONE)
                say_end(call);
        call->late = progress == ADMIN_LATER;
        return progress;
}

void admin_end(struct admin_call *call)
{
        list_remove(&call->in_admin);
}

struct admin_call *admin_find(struct admin *admin, uint64_t id)
{
        for (struct list *link = admin->calls.next; link != &admin->calls; link = link->next) {
                struct admin_call *call = list_entry(link, struct admin_call, in_admin);

                if (call->id == id)
                        return call;
        }
        return NULL;
}

void admin_resume(struct admin_call *call)
{
        assert(call->late);
        call->late = false;
        call->resumed(call);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct admin *admin_new(struct broker *broker, struct poll *poll)
{
        struct admin      *admin  = mem_zalloc(sizeof *admin);
        struct loop_config config = { .count = 1, .poll = poll };

        if (admin == NULL)
                return NULL;
        config.peers   = admin->self;
        admin->self[0] = &admin->loop;
        admin->broker  = broker;
        admin->alarms  = alarms_new(admin);
        if (admin->alarms == NULL) {
                mem_free(admin);
                return NULL;
        }
        list_init(&admin->calls);
        loop_init(&admin->loop, &config);
        admin_add(admin, &help, admin);
        counters_add(admin);
        clients_add(admin);
        return admin;
}

struct loop *admin_loop(struct admin *admin)
{
        return &admin->loop;
}

struct broker *admin_broker(const struct admin *admin)
{
        return admin->broker;
}

void admin_free(struct admin *admin)
{
        if (admin == NULL)
                return;
        assert(list_empty(&admin->calls));
        loop_deinit(&admin->loop);
        alarms_free(admin->alarms);
        mem_free(admin);
}
