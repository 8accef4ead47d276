/* Mosquitto's acl_file, a line each:
 *
 *      topic   [read | write | readwrite | deny] TOPIC     of the user named before; of anonymous
 *      user    NAME                                        clients while none was
 *      pattern [read | write | readwrite | deny] TOPIC     of everyone; %u and %c are filled
 *
 * What denies is asked before what allows, wherever it stands, and topics before patterns. */
#include "services/acl/rules_internal.h"

#include "base/memory.h"

/* The order in which rules are asked. */
enum stage { TOPIC_DENY, TOPIC_ALLOW, PATTERN_DENY, PATTERN_ALLOW, STAGES };

struct lines {
        struct acl_reader *reader;
        uint32_t           user;        /* index of the condition that `topic` has now */
        uint32_t           everyone;
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct str trimmed(struct str text)
{
        while (text.len > 0 && is_blank(text.ptr[0]))
                text = str_skip(text, 1);
        while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
                text.len--;
        return text;
}

/* The first word, and *rest what is behind it. */
static struct str first_word(struct str *rest)
{
        size_t len = 0;

        while (len < rest->len && !is_blank(rest->ptr[len]))
                len++;

        struct str word = str_from(rest->ptr, len);

        *rest = trimmed(str_skip(*rest, len));
        return word;
}

static bool access_of(struct str word, struct acl_rule *rule)
{
        static const struct {
                const char *word;
                uint8_t     actions;
                bool        allow;
        } words[] = { { "read", ACT_SUBSCRIBE, true },
                      { "write", ACT_PUBLISH, true },
                      { "readwrite", ACT_PUBLISH | ACT_SUBSCRIBE, true },
                      { "deny", ACT_PUBLISH | ACT_SUBSCRIBE, false } };

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
                if (!str_eq(word, str_of(words[i].word)))
                        continue;
                rule->actions = words[i].actions;
                rule->allow   = words[i].allow;
                return true;
        }
        return false;
}

/* The topic may have blanks in it where an access stands before it. */
static bool topic_line(struct lines *lines, bool pattern, struct str rest)
{
        struct acl_reader *reader = lines->reader;
        struct acl_rule    rule   = { .allow   = true,
                                      .pattern = pattern,
                                      .actions = ACT_PUBLISH | ACT_SUBSCRIBE,
                                      .qos     = QOS_ANY,
                                      .line    = reader->line,
                                      .who     = pattern ? lines->everyone : lines->user,
                                      .topic   = reader->rules->topic_count,
                                      .topics  = 1 };
        struct str         all    = rest;
        struct str         word   = first_word(&rest);

        if (word.len == 0)
                return acl_wrong(reader, all.ptr, "the topic is missing");
        if (rest.len == 0)
                rest = word;
        else if (!access_of(word, &rule))
                return acl_wrong(reader, word.ptr, "\"%.*s\" is no access; read, write, readwrite "
                                 "or deny is wanted", (int)(word.len < 60 ? word.len : 60),
                                 word.ptr);
        return acl_add_topic(reader, rest.ptr, rest, false,
                             pattern ? HOLES_ANYWHERE : HOLES_NONE) &&
               acl_add_rule(reader, &rule);
}

static bool user_line(struct lines *lines, struct str rest)
{
        struct acl_reader *reader = lines->reader;
        struct acl_who     who    = { .kind = WHO_USER };

        if (rest.len == 0)
                return acl_wrong(reader, rest.ptr, "the name of the user is missing");
        lines->user = reader->rules->who_count;
        return acl_add_text(reader, rest, &who.name) && acl_add_who(reader, &who);
}

static bool line(struct lines *lines, struct str text)
{
        struct str rest = trimmed(text), all = rest;
        struct str word;

        if (rest.len == 0 || rest.ptr[0] == '#')
                return true;
        word = first_word(&rest);
        if (str_eq(word, STR("topic")))
                return topic_line(lines, false, rest);
        if (str_eq(word, STR("pattern")))
                return topic_line(lines, true, rest);
        if (str_eq(word, STR("user")))
                return user_line(lines, rest);
        return acl_wrong(lines->reader, all.ptr, "\"%.*s\" begins no line; topic, user or pattern "
                         "is wanted", (int)(word.len < 60 ? word.len : 60), word.ptr);
}

static enum stage stage_of(const struct acl_rule *rule)
{
        if (rule->pattern)
                return rule->allow ? PATTERN_ALLOW : PATTERN_DENY;
        return rule->allow ? TOPIC_ALLOW : TOPIC_DENY;
}

/* Within a stage they stay in the order of the file. */
static bool sort(struct acl_reader *reader)
{
        struct acl_rules *rules = reader->rules;
        struct acl_rule  *sorted = mem_alloc((rules->rule_count + 1) * sizeof *sorted);
        uint32_t          count  = 0;

        if (sorted == NULL)
                return acl_wrong(reader, reader->line_start, "out of memory");
        for (unsigned stage = 0; stage < STAGES; stage++)
                for (uint32_t i = 0; i < rules->rule_count; i++)
                        if (stage_of(&rules->rules[i]) == stage)
                                sorted[count++] = rules->rules[i];
        mem_free(rules->rules);
        rules->rules = sorted;
        return true;
}

bool acl_parse_mosquitto(struct acl_reader *reader)
{
        struct lines lines = { .reader = reader, .user = 0, .everyone = 1 };
        struct str   text  = reader->rest, one;

        if (!acl_add_who(reader, &(struct acl_who){ .kind = WHO_ANONYMOUS }) ||
            !acl_add_who(reader, &(struct acl_who){ .kind = WHO_ALL }))
                return false;
        for (; text.len > 0 && str_cut(&text, '\n', &one); reader->line++) {
                reader->line_start = one.ptr;
                if (!line(&lines, one))
                        return false;
        }
        return sort(reader);
}
