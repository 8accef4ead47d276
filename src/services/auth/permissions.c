#include "services/auth/permissions.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "mqtt/topic.h"
#include "services/auth/json_text.h"
#include "services/auth/template.h"

enum { PUBLISH = 1, SUBSCRIBE = 2, ANY_QOS = 7, RETAINED = 1, NOT_RETAINED = 2 };

struct permission {
        bool     allow;
        bool     exact;
        uint8_t  actions;               /* PUBLISH | SUBSCRIBE */
        uint8_t  qos;                   /* bits */
        uint8_t  retain;                /* RETAINED | NOT_RETAINED: of a PUBLISH */
        uint32_t start, len;            /* of the filter, in the text */
};

struct permissions {
        struct buffer     text;         /* filters, one behind the other */
        unsigned          count;
        struct permission rows[PERMISSIONS_MAX];
};

/* While they are made. */
struct making {
        struct permissions          *made;
        const struct access_request *request;
        const char                  *why;       /* what is wrong; NULL: nothing yet */
};

static bool wrong(struct making *making, const char *why)
{
        making->why = why;
        return false;
}

/* A name that has a level's end or a wildcard in it would widen the filter (CVE-2017-7650). */
static bool write_level(struct buffer *to, struct str value)
{
        for (size_t i = 0; i < value.len; i++)
                if (strchr("+#/", value.ptr[i]) != NULL)
                        return false;
        return value.len > 0 && buffer_append(to, value);
}

/* A name in front made a topic of the broker's own of it. */
static bool is_system_by_name(struct str text, struct str filled)
{
        return filled.len > 0 && filled.ptr[0] == '$' &&
               (text.ptr[0] != '$' || str_starts(text, STR("${")));
}

/* A filter that has no value for its places is left out when it allows; when it denies, it may be
 * meant for this very client, and denies all of that filter's form: it is refused. */
static bool add_filter(struct making *making, struct permission row, const json_t *json)
{
        struct permissions  *made = making->made;
        struct str           text = str_from(json_string_value(json), json_string_length(json));
        size_t               start = buffer_len(&made->text);
        enum template_result result;

        if (!json_is_string(json))
                return wrong(making, "a topic of its permissions is no text");
        if (made->count == PERMISSIONS_MAX)
                return wrong(making, "it has too many permissions");
        row.exact = str_starts(text, STR("eq "));
        if (row.exact)
                text = str_skip(text, 3);
        result = template_expand(text, making->request, write_level, &made->text);
        if (result != TEMPLATE_GOOD ||
            is_system_by_name(text, str_skip(buffer_str(&made->text), start))) {
                made->text.len = made->text.start + start;
                return row.allow ||
                       wrong(making, "a topic that it may not use cannot be filled in");
        }
        row.start = (uint32_t)start;
        row.len   = (uint32_t)(buffer_len(&made->text) - start);
        if (!topic_filter_valid(str_skip(buffer_str(&made->text), start)))
                return wrong(making, "a topic of its permissions is no topic filter");
        made->rows[made->count++] = row;
        return true;
}

/* One text, or a list of them. */
static bool add_filters(struct making *making, struct permission row, const json_t *json)
{
        const json_t *one;
        size_t        i;

        if (!json_is_array(json))
                return add_filter(making, row, json);
        json_array_foreach(json, i, one)
                if (!add_filter(making, row, one))
                        return false;
        return true;
}

static bool add_lists(struct making *making, const json_t *json)
{
        static const struct {
                const char *name;
                uint8_t     actions;
        } lists[] = { { "pub", PUBLISH }, { "sub", SUBSCRIBE }, { "all", PUBLISH | SUBSCRIBE } };
        size_t known = 0;

        for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
                const json_t     *list = json_object_get(json, lists[i].name);
                struct permission row  = { .allow   = true,
                                           .actions = lists[i].actions,
                                           .qos     = ANY_QOS,
                                           .retain  = RETAINED | NOT_RETAINED };

                if (list == NULL)
                        continue;
                known++;
                if (!add_filters(making, row, list))
                        return false;
        }
        return known == json_object_size(json) ||
               wrong(making, "its permissions have a list that is none of pub, sub and all");
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool read_permission(struct permission *row, const json_t *json)
{
        const char *text = json_string_value(json);

        row->allow = text != NULL && strcmp(text, "allow") == 0;
        return row->allow || (text != NULL && strcmp(text, "deny") == 0);
}

static bool read_action(struct permission *row, const json_t *json)
{
        static const struct {
                const char *name;
                uint8_t     actions;
        } actions[] = {
                { "publish", PUBLISH }, { "pub", PUBLISH }, { "subscribe", SUBSCRIBE },
                { "sub", SUBSCRIBE }, { "all", PUBLISH | SUBSCRIBE },
        };
        const char *text = json_string_value(json);

        for (unsigned i = 0; text != NULL && i < sizeof actions / sizeof actions[0]; i++)
                if (strcmp(text, actions[i].name) == 0)
                        row->actions = actions[i].actions;
        return row->actions != 0;
}

static bool read_one_qos(struct permission *row, const json_t *json)
{
        json_int_t qos = json_integer_value(json);

        if (!json_is_integer(json) || qos < 0 || qos > 2)
                return false;
        row->qos = (uint8_t)(row->qos | 1u << qos);
        return true;
}

static bool read_qos(struct permission *row, const json_t *json)
{
        const json_t *one;
        size_t        i;

        if (!json_is_array(json))
                return read_one_qos(row, json);
        json_array_foreach(json, i, one)
                if (!read_one_qos(row, one))
                        return false;
        return row->qos != 0;
}

static bool read_retain(struct permission *row, const json_t *json)
{
        const char *text = json_string_value(json);

        if (json_is_boolean(json))
                row->retain = json_is_true(json) ? RETAINED : NOT_RETAINED;
        else if (text != NULL && strcmp(text, "all") == 0)
                row->retain = RETAINED | NOT_RETAINED;
        return row->retain != 0;
}

/* Every member must be understood: one that is not could have narrowed the rule. */
static bool add_rule(struct making *making, json_t *json)
{
        struct permission row = { 0 };
        const json_t     *topic = NULL, *value;
        const char       *name;
        bool              good = json_is_object(json), said = false;

        json_object_foreach(json, name, value) {
                if (strcmp(name, "permission") == 0)
                        good = good && (said = read_permission(&row, value));
                else if (strcmp(name, "action") == 0)
                        good = good && read_action(&row, value);
                else if (strcmp(name, "qos") == 0)
                        good = good && read_qos(&row, value);
                else if (strcmp(name, "retain") == 0)
                        good = good && read_retain(&row, value);
                else if ((strcmp(name, "topic") == 0 || strcmp(name, "topics") == 0) &&
                         topic == NULL)
                        topic = value;
                else
                        good = false;
        }
        if (!good || !said || row.actions == 0 || topic == NULL)
                return wrong(making, "a rule of its permissions is not understood");
        if (row.qos == 0)
                row.qos = ANY_QOS;
        if (row.retain == 0)
                row.retain = RETAINED | NOT_RETAINED;
        return add_filters(making, row, topic);
}

static bool add_rules(struct making *making, const json_t *json)
{
        json_t *one;
        size_t  i;

        json_array_foreach(json, i, one)
                if (!add_rule(making, one))
                        return false;
        return true;
}

/* ---- the door -------------------------------------------------------------------------------- */

/* Most have few: what is not used is given back. */
static struct permissions *shrink(struct permissions *made)
{
        size_t              size = offsetof(struct permissions, rows) +
                                   made->count * sizeof made->rows[0];
        struct permissions *less = mem_realloc(made, size);

        return less != NULL ? less : made;
}

struct permissions *permissions_new(const json_t *json, const struct access_request *request,
                                    const char **why)
{
        struct making making = { .made = mem_zalloc(sizeof *making.made), .request = request };
        bool          good;

        *why = "no memory";
        if (making.made == NULL)
                return NULL;
        if (json_is_object(json))
                good = add_lists(&making, json);
        else if (json_is_array(json))
                good = add_rules(&making, json);
        else
                good = wrong(&making, "its permissions are neither lists nor rules");
        *why = making.why;
        if (good)
                return shrink(making.made);
        permissions_free(making.made);
        return NULL;
}

void permissions_free(struct permissions *permissions)
{
        if (permissions == NULL)
                return;
        buffer_deinit(&permissions->text);
        mem_free(permissions);
}

/* There is a topic that both match. */
static bool filters_meet(struct str a, struct str b)
{
        struct str left = { 0 }, right = { 0 };
        bool       dollar = a.ptr[0] == '$' || b.ptr[0] == '$';

        for (bool first = true;; first = false) {
                bool more_left  = topic_next_level(&a, &left);
                bool more_right = topic_next_level(&b, &right);
                bool hash = (more_left && str_eq(left, STR("#"))) ||
                            (more_right && str_eq(right, STR("#")));
                bool plus = str_eq(left, STR("+")) || str_eq(right, STR("+"));

                if (first && dollar && (hash || plus))  /* [MQTT-4.7.2-1] */
                        return false;
                if (hash || (!more_left && !more_right))
                        return true;
                if (more_left != more_right || (!plus && !str_eq(left, right)))
                        return false;
        }
}

static bool matches(const struct permissions *permissions, const struct permission *row,
                    const struct access_request *request)
{
        bool       publish = request->kind == ACCESS_PUBLISH;
        struct str filter  = str_from(buffer_str(&permissions->text).ptr + row->start, row->len);

        if (!(row->actions & (publish ? PUBLISH : SUBSCRIBE)) || !(row->qos & 1u << request->qos))
                return false;
        if (publish && !(row->retain & (request->retain ? RETAINED : NOT_RETAINED)))
                return false;
        if (row->exact)
                return str_eq(filter, request->topic);
        if (publish)
                return topic_matches(filter, request->topic);
        return row->allow ? topic_filter_covers(filter, request->topic)
                          : filters_meet(filter, request->topic);
}

enum access_verdict permissions_check(const struct permissions *permissions,
                                      const struct access_request *request)
{
        for (unsigned i = 0; i < permissions->count; i++)
                if (matches(permissions, &permissions->rows[i], request))
                        return permissions->rows[i].allow ? ACCESS_ALLOW : ACCESS_DENY;
        return ACCESS_DENY;
}
