/* The options as an operator reads them: --help and doc/configuration.md. */
#include "broker/option.h"

#include <inttypes.h>
#include <string.h>

#include "broker/config.h"

enum { PREFIX_SIZE = 64, KEY_SIZE = 64 };

static struct option shown_option(const struct listener_option *row, char key[static KEY_SIZE]);
static void row_help(FILE *out, const char *prefix, const struct option *option, const void *base);
static void row_reference(FILE *out, const char *prefix, const struct option *option,
                          const void *base);
static void listener_prefix(unsigned types, char to[static PREFIX_SIZE]);
static void takes(FILE *out, const struct option *option);
static void table_head(FILE *out);

static const char page_head[] =
        "# Configuration\n\n"
        "`make docs` writes this page from the option table; do not edit it.\n\n"
        "One `key = value` a line; `#` begins a comment, quotes keep blanks, the later of two\n"
        "lines wins, `include FILE` reads another file, relative to this one. The environment\n"
        "comes last: `LINNET_MQTT__MAX_QOS=1` is `mqtt.max_qos = 1`. Sizes end in `B`, `KB`,\n"
        "`MB` or `GB`, durations in `ms`, `s`, `m`, `h`, `d` or `w`; `1h30m` is one, too.\n";

static const char listeners_head[] =
        "\n## Listeners\n\n"
        "`listener.<type>.<name> = [ADDRESS:]PORT` opens a listener of type `tcp`, `tls` (or\n"
        "`ssl`), `ws` or `wss`, and `listener.unix.<name> = PATH` one on a Unix socket; there may\n"
        "be many. Without any there is `listener.tcp.external` on `[::]:1883`. Where a key begins\n"
        "with `listener.<type>.<name>`, every type has it.\n";

static const char rows_head[] =
        "\n## Names and passwords\n\n"
        "`auth.user.<n>.username = NAME` and `auth.user.<n>.password = PASSWORD` are a user of\n"
        "`auth.chain = username`, `auth.client.<n>.clientid = ID` and `auth.client.<n>.password`\n"
        "a client of `auth.chain = clientid`; there may be 64 of each, and `<n>` is any number.\n"
        "A password is plain, or a hash as `linnet passwd` writes it. A reload applies them.\n";

void options_help(FILE *out)
{
        struct config defaults;
        struct option option;
        char          prefix[PREFIX_SIZE], key[KEY_SIZE];

        config_init(&defaults);
        for (size_t i = 0; i < option_count; i++)
                row_help(out, "", &option_rows[i], &defaults);
        fprintf(out, "\nNames and passwords\n  %-44s %s\n  %-44s %s\n",
                "auth.user.<n>.username, .password", "for auth.chain = username",
                "auth.client.<n>.clientid, .password", "for auth.chain = clientid");
        fprintf(out, "\nListeners\n  %-44s %s\n", "listener.<type>.<name> = [ADDRESS:]PORT",
                "tcp, tls, ws or wss; without any: listener.tcp.external on [::]:1883");
        fprintf(out, "  %-44s %s\n", "listener.unix.<name> = PATH", "on a Unix socket");
        for (size_t i = 0; i < listener_option_count; i++) {
                listener_prefix(listener_options[i].types, prefix);
                option = shown_option(&listener_options[i], key);
                row_help(out, prefix, &option, &defaults.listeners[0]);
        }
}

void options_reference(FILE *out)
{
        struct config defaults;
        struct option option;
        char          prefix[PREFIX_SIZE], key[KEY_SIZE];

        config_init(&defaults);
        fputs(page_head, out);
        for (size_t i = 0; i < option_count; i++)
                row_reference(out, "", &option_rows[i], &defaults);
        fputs(rows_head, out);
        fputs(listeners_head, out);
        for (size_t i = 0; i < listener_option_count; i++) {
                listener_prefix(listener_options[i].types, prefix);
                option = shown_option(&listener_options[i], key);
                row_reference(out, prefix, &option, &defaults.listeners[0]);
        }
}

/* "access.<n>" for a list. */
static struct option shown_option(const struct listener_option *row, char key[static KEY_SIZE])
{
        struct option option = row->option;

        if (row->count == 0)
                return option;
        snprintf(key, KEY_SIZE, "%s.<n>", option.key);
        option.key = key;
        return option;
}

static void row_help(FILE *out, const char *prefix, const struct option *option, const void *base)
{
        char value[OPTION_VALUE_SIZE], setting[2 * OPTION_VALUE_SIZE];

        if (option->kind == OPTION_SECTION) {
                fprintf(out, "\n%s\n", option->help);
                return;
        }
        option_format(option, base, value);
        snprintf(setting, sizeof(setting), "%s%s = %s", prefix, option->key, value);
        fprintf(out, "  %-44s %s\n", setting, option->help);
}

static void row_reference(FILE *out, const char *prefix, const struct option *option,
                          const void *base)
{
        char value[OPTION_VALUE_SIZE];

        if (option->kind == OPTION_SECTION) {
                fprintf(out, "\n%s %s\n", *prefix != 0 ? "###" : "##", option->help);
                table_head(out);
                return;
        }
        option_format(option, base, value);
        fprintf(out, "| `%s%s` | `%s` | ", prefix, option->key, value);
        takes(out, option);
        fprintf(out, " | %s | %s |\n", option->reloadable ? "reload" : "restart", option->help);
}

static void listener_prefix(unsigned types, char to[static PREFIX_SIZE]);
/* "listener.tls/wss.<name>." */
static void listener_prefix(unsigned types, char to[static PREFIX_SIZE])
{
        size_t used = 0;
        bool   all  = types == (1u << LISTENER_TYPES) - 1;

        to[0] = 0;
        for (unsigned i = 0; i < LISTENER_TYPES; i++) {
                if (all || !(types & (1u << i)))
                        continue;
                used += (size_t)snprintf(to + used, PREFIX_SIZE - used, "%s%s",
                                         used > 0 ? "/" : "listener.", listener_types[i]);
        }
        snprintf(to + used, PREFIX_SIZE - used, "%s.<name>.", all ? "listener.<type>" : "");
}

static void takes(FILE *out, const struct option *option)
{
        struct option bound = *option;
        uint64_t      bounds[2];
        char          least[OPTION_VALUE_SIZE], most[OPTION_VALUE_SIZE];

        if (option->kind == OPTION_SWITCH) {
                fputs("`on`, `off`", out);
        } else if (option->kind == OPTION_TEXT || option->kind == OPTION_SECRET) {
                fprintf(out, "text, at most %zu bytes", option->size - 1);
        } else if (option->kind == OPTION_RATE || option->kind == OPTION_BYTE_RATE) {
                fputs("BURST,RATE a second, or `0`: no limit", out);
        } else if (option->kind == OPTION_WORD || option->kind == OPTION_WORDS) {
                fputs(option->kind == OPTION_WORDS ? "some of " : "", out);
                for (size_t i = 0; option->words[i] != NULL; i++)
                        fprintf(out, "%s`%s`", i > 0 ? ", " : "", option->words[i]);
        } else {
                bounds[0]    = option->min;
                bounds[1]    = option->max;
                bound.offset = 0;
                bound.size   = sizeof(bounds[0]);
                option_format(&bound, &bounds[0], least);
                option_format(&bound, &bounds[1], most);
                fprintf(out, "%s to %s", least, most);
        }
}

static void table_head(FILE *out)
{
        fputs("\n| key | default | takes | applied by | |\n|---|---|---|---|---|\n", out);
}
