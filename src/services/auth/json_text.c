#include "services/auth/json_text.h"

/* Counts brackets outside of strings: jansson's parser calls itself for each level. */
static bool is_flat_enough(struct str text)
{
        unsigned depth  = 0;
        bool     string = false;

        for (size_t i = 0; i < text.len; i++) {
                char c = text.ptr[i];

                if (string && c == '\\')
                        i++;
                else if (c == '"')
                        string = !string;
                else if (!string && (c == '{' || c == '['))
                        depth++;
                else if (!string && (c == '}' || c == ']'))
                        depth -= depth > 0;
                if (depth > JSON_DEPTH_MAX)
                        return false;
        }
        return true;
}

json_t *json_text_object(struct str text, size_t bytes_max, const char **why)
{
        json_t *object;

        *why = "it is too large";
        if (text.len > bytes_max)
                return NULL;
        *why = "it is nested too deep";
        if (!is_flat_enough(text))
                return NULL;
        object = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES,
                            NULL);
        *why = "it is no JSON, or says something twice";
        if (object == NULL)
                return NULL;
        *why = NULL;
        if (json_is_object(object))
                return object;
        *why = "it is no JSON object";
        json_decref(object);
        return NULL;
}

struct str json_text_str(const json_t *object, const char *name)
{
        const json_t *member = json_object_get(object, name);

        if (!json_is_string(member))
                return (struct str){ 0 };
        return str_from(json_string_value(member), json_string_length(member));
}
