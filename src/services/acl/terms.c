/* emqttd's acl.conf: Erlang terms, each with a full stop behind it.
 *
 *      {allow | deny, Who}.
 *      {allow | deny, Who, Action, Topics}.
 *
 *      Who     all | {user | username, Name | all} | {client | clientid, Name | all}
 *              | {ipaddr, Network} | {ipaddrs, [Network…]} | {'and' | 'or', [Who…]}
 *      Action  publish | subscribe | pubsub | all | {Action, [{qos, N | [N…]}, {retain, true}]}
 *      Topics  [Topic | {eq, Topic}…] | Topic
 */
#include "services/acl/rules_internal.h"

#include "base/memory.h"

enum token_kind { TOKEN_END, TOKEN_MARK, TOKEN_WORD, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_BAD };

enum { TEXT_BYTES_MAX = 65535 };

struct token {
        enum token_kind kind;
        const char     *at;
        struct str      text;           /* a word without quotes, a text without escapes */
        uint32_t        number;
};

struct terms {
        struct acl_reader *reader;
        struct token       token;       /* the one in hand */
        struct buffer      scratch;     /* of texts with escapes */
};

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool is_word_byte(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '@';
}

static void skip(struct acl_reader *reader, size_t count)
{
        reader->rest = str_skip(reader->rest, count);
}

static void skip_blanks(struct acl_reader *reader)
{
        bool comment = false;

        for (; reader->rest.len > 0; skip(reader, 1)) {
                char c = *reader->rest.ptr;

                if (c == '\n') {
                        comment = false;
                        reader->line++;
                        reader->line_start = reader->rest.ptr + 1;
                } else if (c == '%') {
                        comment = true;
                } else if (!comment && c != ' ' && c != '\t' && c != '\r') {
                        return;
                }
        }
}

static bool bad(struct terms *terms, const char *what)
{
        terms->token.kind = TOKEN_BAD;
        return acl_wrong(terms->reader, terms->token.at, "%s", what);
}

/* Behind the quote; the rest begins behind the other one. */
static bool read_quoted(struct terms *terms, char quote)
{
        struct acl_reader *reader = terms->reader;
        const char        *start  = reader->rest.ptr;

        terms->scratch.len = terms->scratch.start = 0;
        for (;; skip(reader, 1)) {
                if (reader->rest.len == 0 || *reader->rest.ptr == '\n')
                        return bad(terms, "the quote is not closed in this line");
                if (*reader->rest.ptr == quote)
                        break;
                if (*reader->rest.ptr == '\\') {
                        skip(reader, 1);
                        if (reader->rest.len == 0 || strchr("\\\"'", *reader->rest.ptr) == NULL)
                                return bad(terms, "of escapes only \\\\, \\\" and \\' are known");
                }
                if (terms->scratch.len == TEXT_BYTES_MAX)
                        return bad(terms, "the text is too long");
                if (!buffer_append(&terms->scratch, str_from(reader->rest.ptr, 1)))
                        return bad(terms, "out of memory");
        }
        if (terms->scratch.len == (size_t)(reader->rest.ptr - start))
                terms->token.text = str_from(start, terms->scratch.len);
        else
                terms->token.text = buffer_str(&terms->scratch);
        skip(reader, 1);
        return true;
}

/* <<"text">> or <<"text"/utf8>>, behind the brackets. */
static bool read_binary(struct terms *terms)
{
        struct acl_reader *reader = terms->reader;

        if (reader->rest.len == 0 || *reader->rest.ptr != '"')
                return bad(terms, "a text is wanted between << and >>");
        skip(reader, 1);
        if (!read_quoted(terms, '"'))
                return false;
        if (str_starts(reader->rest, STR("/utf8")))
                skip(reader, 5);
        if (!str_starts(reader->rest, STR(">>")))
                return bad(terms, ">> is missing behind the text");
        skip(reader, 2);
        return true;
}

static bool read_word(struct terms *terms)
{
        struct acl_reader *reader = terms->reader;
        struct token      *token  = &terms->token;
        size_t             len    = 0;
        bool               digits = true;

        while (len < reader->rest.len && is_word_byte(reader->rest.ptr[len])) {
                digits = digits && reader->rest.ptr[len] >= '0' && reader->rest.ptr[len] <= '9';
                len++;
        }
        if (len == 0)
                return bad(terms, "this sign has no meaning here");
        token->text = str_from(reader->rest.ptr, len);
        token->kind = digits ? TOKEN_NUMBER : TOKEN_WORD;
        for (size_t i = 0; digits && i < len && i < 9; i++)
                token->number = token->number * 10 + (uint32_t)(token->text.ptr[i] - '0');
        skip(reader, len);
        return true;
}

/* The next token in hand; false: it is none, and `why` is said. */
static bool next(struct terms *terms)
{
        struct acl_reader *reader = terms->reader;

        skip_blanks(reader);
        terms->token = (struct token){ .kind = TOKEN_END, .at = reader->rest.ptr };
        if (reader->rest.len == 0)
                return true;
        if (strchr("{}[],.", *reader->rest.ptr) != NULL) {
                terms->token.kind = TOKEN_MARK;
                terms->token.text = str_from(reader->rest.ptr, 1);
                skip(reader, 1);
                return true;
        }
        if (str_starts(reader->rest, STR("<<"))) {
                terms->token.kind = TOKEN_TEXT;
                skip(reader, 2);
                return read_binary(terms);
        }
        if (*reader->rest.ptr == '"' || *reader->rest.ptr == '\'') {
                char quote = *reader->rest.ptr;

                terms->token.kind = quote == '"' ? TOKEN_TEXT : TOKEN_WORD;
                skip(reader, 1);
                return read_quoted(terms, quote);
        }
        return read_word(terms);
}

static bool is(const struct terms *terms, enum token_kind kind, const char *text)
{
        return terms->token.kind == kind && str_eq(terms->token.text, str_of(text));
}

static bool wrong(struct terms *terms, const char *wanted)
{
        const struct token *token = &terms->token;

        if (token->kind == TOKEN_BAD)
                return false;                           /* it is said */
        if (token->kind == TOKEN_END)
                return acl_wrong(terms->reader, token->at, "the file ends here; %s", wanted);
        return acl_wrong(terms->reader, token->at, "\"%.*s\" is out of place; %s",
                         (int)(token->text.len < 60 ? token->text.len : 60), token->text.ptr,
                         wanted);
}

static bool take(struct terms *terms, const char *mark, const char *wanted)
{
        return is(terms, TOKEN_MARK, mark) ? next(terms) : wrong(terms, wanted);
}

/* ---- lists ----------------------------------------------------------------------------------- */

typedef bool member_fn(struct terms *terms, void *context, unsigned depth);

/* "[a, b]", or a single one without brackets where that is allowed. */
static bool list(struct terms *terms, member_fn *member, void *context, unsigned depth)
{
        if (!take(terms, "[", "a list [...] is wanted"))
                return false;
        if (is(terms, TOKEN_MARK, "]"))
                return next(terms);
        for (;;) {
                if (!member(terms, context, depth))
                        return false;
                if (is(terms, TOKEN_MARK, "]"))
                        return next(terms);
                if (!take(terms, ",", "a comma or ] is wanted"))
                        return false;
        }
}

static bool list_or_one(struct terms *terms, member_fn *member, void *context)
{
        return is(terms, TOKEN_MARK, "[") ? list(terms, member, context, 0)
                                          : member(terms, context, 0);
}

/* ---- who ------------------------------------------------------------------------------------- */

static bool who(struct terms *terms, void *context, unsigned depth);

static bool add_who(struct terms *terms, const struct acl_who *one)
{
        const struct acl_rules *rules = terms->reader->rules;
        uint32_t                first = rules->rule_count > 0
                                                ? rules->rules[rules->rule_count - 1].who
                                                : 0;

        if (rules->who_count - first > 2 * ACL_PEOPLE_MAX)
                return wrong(terms, "a rule has too many conditions; make several of it");
        return acl_add_who(terms->reader, one);
}

static bool network(struct terms *terms, void *context, unsigned depth)
{
        struct acl_who one = { .kind = WHO_NETWORK };

        (void)context;
        (void)depth;
        if (terms->token.kind != TOKEN_TEXT || !network_parse(terms->token.text, &one.network))
                return wrong(terms, "an address or network is wanted, as \"10.0.0.0/8\"");
        return add_who(terms, &one) && next(terms);
}

static bool group(struct terms *terms, enum who_kind kind, member_fn *member, unsigned depth)
{
        struct acl_rules *rules = terms->reader->rules;
        uint32_t          at    = rules->who_count;

        if (depth >= ACL_DEPTH_MAX)
                return wrong(terms, "'and' and 'or' stand too deep in one another");
        if (!add_who(terms, &(struct acl_who){ .kind = kind }) ||
            !list(terms, member, NULL, depth + 1))
                return false;
        if (rules->who_count == at + 1)
                return wrong(terms, "the list before it must not be empty");
        rules->who[at].end = rules->who_count;
        return true;
}

static bool name(struct terms *terms, enum who_kind kind)
{
        struct acl_who one = { .kind = kind };

        if (is(terms, TOKEN_WORD, "all")) {
                one.kind = kind == WHO_USER ? WHO_ANY_USER : WHO_ALL;
        } else if (is(terms, TOKEN_MARK, "{")) {
                return wrong(terms, "a name is wanted: regular expressions are not supported");
        } else if (terms->token.kind != TOKEN_TEXT || terms->token.text.len == 0) {
                return wrong(terms, "a name in quotes, or all, is wanted");
        } else if (!acl_add_text(terms->reader, terms->token.text, &one.name)) {
                return false;
        }
        return add_who(terms, &one) && next(terms);
}

/* What stands behind the word. */
static bool who_of(struct terms *terms, struct str word, unsigned depth)
{
        if (str_eq(word, STR("user")) || str_eq(word, STR("username")))
                return name(terms, WHO_USER);
        if (str_eq(word, STR("client")) || str_eq(word, STR("clientid")))
                return name(terms, WHO_CLIENT);
        if (str_eq(word, STR("ipaddr")))
                return network(terms, NULL, depth);
        if (str_eq(word, STR("ipaddrs")))
                return group(terms, WHO_OR, network, depth);
        return group(terms, str_eq(word, STR("and")) ? WHO_AND : WHO_OR, who, depth);
}

static bool who(struct terms *terms, void *context, unsigned depth)
{
        static const char *const words[] = { "user", "username", "client", "clientid", "ipaddr",
                                             "ipaddrs", "and", "or" };
        static const char        wanted[] = "all, or {user, client, ipaddr, ipaddrs, 'and' or "
                                            "'or', ...} is wanted";
        struct str               word = { 0 };

        (void)context;
        if (is(terms, TOKEN_WORD, "all"))
                return add_who(terms, &(struct acl_who){ .kind = WHO_ALL }) && next(terms);
        if (!take(terms, "{", wanted))
                return false;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
                if (is(terms, TOKEN_WORD, words[i]))
                        word = str_of(words[i]);
        if (word.ptr == NULL)
                return wrong(terms, "user, client, ipaddr, ipaddrs, 'and' or 'or' is wanted");
        return next(terms) && take(terms, ",", "a comma is wanted") &&
               who_of(terms, word, depth) && take(terms, "}", "} is wanted");
}

/* ---- action ---------------------------------------------------------------------------------- */

static bool qos(struct terms *terms, void *context, unsigned depth)
{
        struct acl_rule *rule = context;

        (void)depth;
        if (terms->token.kind != TOKEN_NUMBER || terms->token.number > 2)
                return wrong(terms, "0, 1 or 2 is wanted");
        rule->qos |= (uint8_t)(1u << terms->token.number);
        return next(terms);
}

static bool retain(struct terms *terms, struct acl_rule *rule)
{
        if (is(terms, TOKEN_WORD, "true"))
                rule->retain = RETAIN_ON;
        else if (is(terms, TOKEN_WORD, "false"))
                rule->retain = RETAIN_OFF;
        else if (!is(terms, TOKEN_WORD, "all"))
                return wrong(terms, "true, false or all is wanted");
        return next(terms);
}

/* {qos, 1}, {qos, [0, 1]} or {retain, true}. */
static bool condition(struct terms *terms, void *context, unsigned depth)
{
        struct acl_rule *rule = context;
        bool             of_qos;

        (void)depth;
        if (!take(terms, "{", "{qos, ...} or {retain, ...} is wanted"))
                return false;
        of_qos = is(terms, TOKEN_WORD, "qos");
        if (!of_qos && !is(terms, TOKEN_WORD, "retain"))
                return wrong(terms, "qos or retain is wanted");
        if (!next(terms) || !take(terms, ",", "a comma is wanted"))
                return false;
        if (of_qos)
                rule->qos = 0;
        return (of_qos ? list_or_one(terms, qos, rule) : retain(terms, rule)) &&
               take(terms, "}", "} is wanted");
}

static bool action_word(struct terms *terms, struct acl_rule *rule)
{
        static const struct {
                const char *word;
                uint8_t     actions;
        } words[] = { { "publish", ACT_PUBLISH },
                      { "subscribe", ACT_SUBSCRIBE },
                      { "pubsub", ACT_PUBLISH | ACT_SUBSCRIBE },
                      { "all", ACT_PUBLISH | ACT_SUBSCRIBE } };

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
                if (!is(terms, TOKEN_WORD, words[i].word))
                        continue;
                rule->actions = words[i].actions;
                return next(terms);
        }
        return wrong(terms, "publish, subscribe or pubsub is wanted");
}

static bool action(struct terms *terms, struct acl_rule *rule)
{
        if (!is(terms, TOKEN_MARK, "{"))
                return action_word(terms, rule);
        return next(terms) && action_word(terms, rule) &&
               take(terms, ",", "a comma is wanted") && list(terms, condition, rule, 0) &&
               take(terms, "}", "} is wanted");
}

/* ---- topics ---------------------------------------------------------------------------------- */

static bool topic(struct terms *terms, void *context, unsigned depth)
{
        struct acl_rule *rule = context;
        bool             eq   = is(terms, TOKEN_MARK, "{");

        (void)depth;
        if (eq) {
                if (!next(terms))
                        return false;
                if (!is(terms, TOKEN_WORD, "eq"))
                        return wrong(terms, "{eq, \"topic\"} is wanted");
                if (!next(terms) || !take(terms, ",", "a comma is wanted"))
                        return false;
        }
        if (terms->token.kind != TOKEN_TEXT)
                return wrong(terms, "a topic in quotes, or {eq, \"topic\"}, is wanted");
        if (rule->topics++ == ACL_TOPICS_MAX)
                return wrong(terms, "a rule has too many topics; make several of it");
        return acl_add_topic(terms->reader, terms->token.at, terms->token.text, eq,
                             eq ? HOLES_NONE : HOLES_LEVELS) &&
               next(terms) && (!eq || take(terms, "}", "} is wanted"));
}

static bool topics(struct terms *terms, struct acl_rule *rule)
{
        if (is(terms, TOKEN_WORD, "all"))
                return next(terms);
        if (!list_or_one(terms, topic, rule))
                return false;
        return rule->topics > 0 || wrong(terms, "the list of topics before it must not be empty");
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool rest_of_rule(struct terms *terms, struct acl_rule *rule)
{
        if (is(terms, TOKEN_MARK, "}"))
                return next(terms);                     /* {allow, all}: whatever it does */
        return take(terms, ",", "a comma or } is wanted") && action(terms, rule) &&
               take(terms, ",", "a comma, and the list of topics, are wanted") &&
               topics(terms, rule) && take(terms, "}", "} is wanted");
}

static bool rule_term(struct terms *terms)
{
        struct acl_rules *rules = terms->reader->rules;
        struct acl_rule   rule  = { .actions = ACT_PUBLISH | ACT_SUBSCRIBE,
                                    .qos     = QOS_ANY,
                                    .line    = terms->reader->line,
                                    .who     = rules->who_count,
                                    .topic   = rules->topic_count };

        if (!take(terms, "{", "a rule {allow | deny, ...} is wanted"))
                return false;
        rule.allow = is(terms, TOKEN_WORD, "allow");
        if (!rule.allow && !is(terms, TOKEN_WORD, "deny"))
                return wrong(terms, "allow or deny is wanted");
        if (!next(terms) || !take(terms, ",", "a comma is wanted") || !who(terms, NULL, 0) ||
            !rest_of_rule(terms, &rule))
                return false;
        if (!is(terms, TOKEN_MARK, "."))
                return wrong(terms, "a full stop is wanted behind the rule");
        return acl_add_rule(terms->reader, &rule) && next(terms);
}

bool acl_parse_terms(struct acl_reader *reader)
{
        struct terms terms = { .reader = reader };
        bool         good  = next(&terms);

        while (good && terms.token.kind != TOKEN_END)
                good = rule_term(&terms);
        buffer_deinit(&terms.scratch);
        return good;
}
