/* A configuration file, which includes itself when it says "include self". Whatever it says: what
 * is wrong is told, a line each; what is good is whole, differs from itself in nothing, and each of
 * its values is taken again as it is shown. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/config.h"

static char folder[] = "/tmp/linnet-config-fuzz-XXXXXX", path[sizeof folder + 8];

static void remove_file(void)
{
        unlink(path);
        rmdir(folder);
}

static void make_folder(void)
{
        assert(mkdtemp(folder) != NULL);
        snprintf(path, sizeof path, "%s/self", folder);
        atexit(remove_file);
}

/* Devices may be endless, or wait for someone. */
static bool leads_away(const uint8_t *data, size_t size)
{
        return memmem(data, size, "/dev", 4) != NULL || memmem(data, size, "/proc", 5) != NULL;
}

static bool load(const uint8_t *data, size_t size, struct config *config,
                 struct config_errors *errors)
{
        FILE *file = fopen(path, "w");

        assert(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
        config_init(config);
        return config_load(config, path, errors);
}

static void check_errors(const struct config_errors *errors, bool good)
{
        struct str rest = buffer_str(&errors->text), line;
        unsigned   lines = 0;

        for (; rest.len > 0 && str_cut(&rest, '\n', &line); lines++)
                assert(line.len > 0);
        assert(lines == errors->count && good == (lines == 0));
}

static void check_option(const struct option *option, const struct config *config,
                         struct config *other)
{
        char       shown[OPTION_VALUE_SIZE], why[OPTION_WHY_SIZE];
        struct str value;

        if (option->kind == OPTION_SECTION || option->kind == OPTION_SECRET)
                return;
        option_format(option, config, shown);
        value = str_of(shown);
        if (value.len >= 2 && shown[0] == '"')
                value = str_from(shown + 1, value.len - 2);
        assert(option_parse(option, value, other, why));
        assert(option_same(option, config, other));
}

static void no_change(void *context, const struct config_change *change)
{
        (void)context;
        fprintf(stderr, "%s differs from itself\n", change->key);
        abort();
}

static void check_good(struct config *config, struct config *other)
{
        assert(config->listener_count > 0 && config->listener_count <= CONFIG_LISTENERS_MAX);
        for (unsigned i = 0; i < config->listener_count; i++)
                assert(config->listeners[i].bind[0] != '\0');
        config_init(other);
        for (size_t i = 0; i < option_count; i++)
                check_option(&option_rows[i], config, other);
        assert(config_diff(config, config, no_change, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct config config, other;
        struct config_errors errors = { .count = 0 };
        bool                 good;

        if (size > 1024 || leads_away(data, size))      /* it includes itself a hundred times */
                return -1;
        if (path[0] == '\0')
                make_folder();
        good = load(data, size, &config, &errors);
        check_errors(&errors, good);
        if (good)
                check_good(&config, &other);
        config_errors_deinit(&errors);
        return 0;
}
