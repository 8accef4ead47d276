/* How rules are put together: parsed, bounded, then indexed. */
#include "services/acl/rules_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

bool acl_wrong(const struct acl_reader *reader, const char *at, const char *format, ...)
{
        char    what[ACL_WHY_SIZE / 2];
        va_list values;

        va_start(values, format);
        vsnprintf(what, sizeof what, format, values);
        va_end(values);
        snprintf(reader->why, ACL_WHY_SIZE, "%.200s:%u:%u: %s", reader->name, reader->line,
                 (unsigned)(at - reader->line_start) + 1, what);
        return false;
}

static bool no_memory(const struct acl_reader *reader)
{
        return acl_wrong(reader, reader->line_start, "out of memory");
}

/* Room for one more in an array that doubles. */
static bool grow(void **array, uint32_t count, size_t size)
{
        void *more;

        if ((count & (count - 1)) != 0)
                return true;
        more = mem_realloc_array(*array, count == 0 ? 1 : 2 * (size_t)count, size);
        if (more == NULL)
                return false;
        *array = more;
        return true;
}

bool acl_add_rule(struct acl_reader *reader, const struct acl_rule *rule)
{
        struct acl_rules *rules = reader->rules;
        void             *array = rules->rules;

        if (rules->rule_count == ACL_RULES_MAX)
                return acl_wrong(reader, reader->line_start, "more than %d rules", ACL_RULES_MAX);
        if (!grow(&array, rules->rule_count, sizeof *rule))
                return no_memory(reader);
        rules->rules                      = array;
        rules->rules[rules->rule_count++] = *rule;
        return true;
}

bool acl_add_who(struct acl_reader *reader, const struct acl_who *who)
{
        struct acl_rules *rules = reader->rules;
        void             *array = rules->who;

        if (!grow(&array, rules->who_count, sizeof *who))
                return no_memory(reader);
        rules->who                       = array;
        rules->who[rules->who_count]     = *who;
        rules->who[rules->who_count].end = rules->who_count + 1;
        rules->networks |= who->kind == WHO_NETWORK;
        rules->who_count++;
        return true;
}

bool acl_add_text(struct acl_reader *reader, struct str text, struct piece *out)
{
        *out = (struct piece){ (uint32_t)reader->rules->text.len, (uint32_t)text.len };
        return buffer_append(&reader->rules->text, text) || no_memory(reader);
}

/* What stands for a client's own name, and which of them only as a whole level. */
static const struct hole_name {
        struct str       name;
        enum filter_hole hole;
        bool             brief;
} hole_names[] = {
        { { "%u", 2 }, HOLE_USER, true },
        { { "%c", 2 }, HOLE_CLIENT, true },
        { { "%a", 2 }, HOLE_ADDRESS, true },
        { { "${username}", 11 }, HOLE_USER, false },
        { { "${clientid}", 11 }, HOLE_CLIENT, false },
        { { "${peerhost}", 11 }, HOLE_ADDRESS, false },
};

/* The placeholder at the beginning of `rest`, the part of `text` that is left; NULL: none. */
static const struct hole_name *hole_at(struct str text, struct str rest, enum acl_holes holes)
{
        for (size_t i = 0; i < sizeof hole_names / sizeof hole_names[0]; i++) {
                const struct hole_name *one   = &hole_names[i];
                bool                    level = rest.ptr == text.ptr || rest.ptr[-1] == '/';

                if (!str_starts(rest, one->name) ||
                    (holes == HOLES_ANYWHERE && one->hole == HOLE_ADDRESS))
                        continue;
                if (holes == HOLES_ANYWHERE ? one->brief
                                            : !one->brief || (level && (rest.len == 2 ||
                                                                        rest.ptr[2] == '/')))
                        return one;
        }
        return NULL;
}

/* The text with holes, behind all others. */
static bool put_topic(struct acl_reader *reader, struct str text, enum acl_holes holes,
                      struct acl_topic *topic)
{
        struct buffer *to = &reader->rules->text;

        topic->text.at = (uint32_t)to->len;
        for (struct str rest = text; rest.len > 0;) {
                const struct hole_name *hole = holes != HOLES_NONE ? hole_at(text, rest, holes)
                                                                   : NULL;
                char                    byte = hole != NULL ? (char)hole->hole : *rest.ptr;

                if (!buffer_append(to, str_from(&byte, 1)))
                        return no_memory(reader);
                topic->holes |= hole != NULL;
                rest = str_skip(rest, hole != NULL ? hole->name.len : 1);
        }
        topic->text.len = (uint32_t)(to->len - topic->text.at);
        return true;
}

bool acl_add_topic(struct acl_reader *reader, const char *at, struct str text, bool eq,
                   enum acl_holes holes)
{
        struct acl_rules *rules = reader->rules;
        struct acl_topic  topic = { .eq = eq, .wild = topic_is_wild(text) };
        void             *array = rules->topics;

        if (!utf8_valid(text) || !topic_filter_valid(text))
                return acl_wrong(reader, at, "\"%.*s\" is no topic filter; '#' stands alone in the "
                                 "last level, '+' alone in its level",
                                 (int)(text.len < 60 ? text.len : 60), text.ptr);
        if (!put_topic(reader, text, holes, &topic))
                return false;
        if (!grow(&array, rules->topic_count, sizeof topic))
                return no_memory(reader);
        rules->topics                       = array;
        rules->topics[rules->topic_count++] = topic;
        return true;
}

/* ---- the index ------------------------------------------------------------------------------- */

static struct str bucket_key(const void *value)
{
        return ((const struct acl_bucket *)value)->name;
}

/* The condition by whose name the rule can be found: its own, or one of those that must all hold.
 * NULL: there is none. */
static const struct acl_who *findable(const struct acl_rules *rules, const struct acl_rule *rule)
{
        const struct acl_who *who = &rules->who[rule->who];

        if (who->kind == WHO_USER || who->kind == WHO_CLIENT)
                return who;
        if (who->kind != WHO_AND)
                return NULL;
        for (uint32_t i = rule->who + 1; i < who->end; i = rules->who[i].end)
                if (rules->who[i].kind == WHO_USER || rules->who[i].kind == WHO_CLIENT)
                        return &rules->who[i];
        return NULL;
}

static struct str name_of(const struct acl_rules *rules, const struct acl_who *who)
{
        return str_from(rules->text.bytes + who->name.at, who->name.len);
}

static struct map *map_of(struct acl_rules *rules, const struct acl_who *who)
{
        return who->kind == WHO_USER ? &rules->users : &rules->clients;
}

/* A bucket for each name, with how many rules it has. */
static bool count_buckets(struct acl_rules *rules)
{
        uint32_t used = 0;

        for (uint32_t i = 0; i < rules->rule_count; i++) {
                const struct acl_who *who = findable(rules, &rules->rules[i]);
                struct acl_bucket    *bucket;

                if (who == NULL) {
                        rules->general_count++;
                        continue;
                }
                bucket = map_find(map_of(rules, who), name_of(rules, who));
                if (bucket == NULL) {
                        bucket       = &rules->buckets[used++];
                        bucket->name = name_of(rules, who);
                        if (!map_add(map_of(rules, who), bucket))
                                return false;
                }
                bucket->count++;
        }
        for (uint32_t i = 0, first = 0; i < used; i++) {
                rules->buckets[i].first = first;
                first += rules->buckets[i].count;
                rules->buckets[i].count = 0;
                rules->general          = first;
        }
        return true;
}

static bool build_index(struct acl_rules *rules)
{
        uint32_t general = 0;

        rules->listed  = mem_alloc((rules->rule_count + 1) * sizeof rules->listed[0]);
        rules->buckets = mem_zalloc((rules->rule_count + 1) * sizeof rules->buckets[0]);
        if (rules->listed == NULL || rules->buckets == NULL || !count_buckets(rules))
                return false;
        for (uint32_t i = 0; i < rules->rule_count; i++) {
                const struct acl_who *who = findable(rules, &rules->rules[i]);

                if (who == NULL) {
                        rules->listed[rules->general + general++] = i;
                        continue;
                }

                struct acl_bucket *bucket = map_find(map_of(rules, who), name_of(rules, who));

                rules->listed[bucket->first + bucket->count++] = i;
        }
        return true;
}

/* ---- from text to rules ---------------------------------------------------------------------- */

/* By the first line that is not a comment: Erlang's terms begin with a brace. Where there is none,
 * by the comments. */
static bool looks_like_mosquitto(struct str text)
{
        struct str line;
        bool       percent = false;

        while (str_cut(&text, '\n', &line)) {
                while (line.len > 0 && strchr(" \t\r", line.ptr[0]) != NULL)
                        line = str_skip(line, 1);
                if (line.len > 0 && line.ptr[0] != '#' && line.ptr[0] != '%')
                        return line.ptr[0] != '{';
                percent |= line.len > 0 && line.ptr[0] == '%';
        }
        return !percent;
}

static struct acl_rules *rules_new(void)
{
        struct acl_rules *rules = mem_zalloc(sizeof *rules);
        struct hash_key   key;

        if (rules == NULL)
                return NULL;
        random_secret(&key, sizeof key);
        atomic_init(&rules->refs, 1);
        map_init(&rules->users, bucket_key, key);
        map_init(&rules->clients, bucket_key, key);
        if (buffer_reserve(&rules->text, 1))    /* so that there are bytes to point into */
                return rules;
        acl_rules_put(rules);
        return NULL;
}

struct acl_rules *acl_rules_parse(const char *name, struct str text, enum acl_format format,
                                  char why[static ACL_WHY_SIZE])
{
        struct acl_reader reader = { .name       = name,
                                     .rest       = text,
                                     .line_start = text.ptr,
                                     .line       = 1,
                                     .why        = why,
                                     .rules      = rules_new() };
        struct acl_rules *rules = reader.rules;
        bool              good;

        if (rules == NULL) {
                no_memory(&reader);
                return NULL;
        }
        rules->mosquitto = format == ACL_MOSQUITTO ||
                           (format == ACL_AUTO && looks_like_mosquitto(text));
        if (text.len > ACL_FILE_BYTES_MAX)
                good = acl_wrong(&reader, text.ptr, "more than %d bytes", ACL_FILE_BYTES_MAX);
        else
                good = rules->mosquitto ? acl_parse_mosquitto(&reader) : acl_parse_terms(&reader);
        if (good && (good = build_index(rules)) == false)
                no_memory(&reader);
        if (good)
                return rules;
        acl_rules_put(rules);
        return NULL;
}

struct acl_rules *acl_rules_get(struct acl_rules *rules)
{
        atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
        return rules;
}

void acl_rules_put(struct acl_rules *rules)
{
        if (rules == NULL || atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1)
                return;
        buffer_deinit(&rules->text);
        mem_free(rules->rules);
        mem_free(rules->who);
        mem_free(rules->topics);
        mem_free(rules->buckets);
        map_deinit(&rules->users);
        map_deinit(&rules->clients);
        mem_free(rules->listed);
        mem_free(rules);
}

uint32_t acl_rules_count(const struct acl_rules *rules)
{
        return rules->rule_count;
}

const char *acl_rules_format(const struct acl_rules *rules)
{
        return rules->mosquitto ? "mosquitto" : "emqttd";
}
