#include "broker/sources.h"

bool sources_load(const struct sources *sources, struct config *out, struct config_errors *errors)
{
        config_init(out);
        config_load(out, sources->file, errors);
        for (unsigned i = 0; i < sources->set_count; i++) {
                struct str value = sources->sets[i], key;
                char       why[OPTION_WHY_SIZE];

                if (!str_cut(&value, '=', &key) || value.ptr == NULL)
                        config_error(errors, "-o %.*s: KEY=VALUE is wanted", STR_ARGS(key));
                else if (!config_set(out, key, value, why))
                        config_error(errors, "-o %.*s: %s", STR_ARGS(key), why);
        }
        if (sources->set_count > 0 && errors->count == 0)
                config_check(out, "-o", errors);
        return errors->count == 0;
}
