#include "arguments.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/memory.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"
#include "mqtt/writer.h"

enum kind {
        KIND_FLAG, KIND_TEXT, KIND_TEXTS, KIND_NUMBER, KIND_VERSION, KIND_EXPIRY, KIND_PROPERTY
};

struct option {
        const char *letter;
        const char *name;
        unsigned    tools;
        enum kind   kind;
        size_t      offset;
        uint32_t    max;
};

#define AT(member) offsetof(struct arguments, member)
#define BOTH       (TOOL_PUB | TOOL_SUB)

static const struct option options[] = {
        { "-h", "--host", BOTH, KIND_TEXT, AT(host), 0 },
        { "-p", "--port", BOTH, KIND_NUMBER, AT(port), 65535 },
        { "-i", "--id", BOTH, KIND_TEXT, AT(client_id), 0 },
        { "-u", "--username", BOTH, KIND_TEXT, AT(username), 0 },
        { "-P", "--pw", BOTH, KIND_TEXT, AT(password), 0 },
        { "-k", "--keepalive", BOTH, KIND_NUMBER, AT(keep_alive_s), 65535 },
        { "-q", "--qos", BOTH, KIND_NUMBER, AT(qos), 2 },
        { "-t", "--topic", BOTH, KIND_TEXTS, AT(topics), 0 },
        { "-c", "--disable-clean-session", BOTH, KIND_FLAG, AT(keep_session), 0 },
        { "-x", "--session-expiry-interval", BOTH, KIND_EXPIRY, 0, 0 },
        { "-V", "--protocol-version", BOTH, KIND_VERSION, 0, 0 },
        { "-D", "--property", BOTH, KIND_PROPERTY, 0, 0 },
        { "-d", "--debug", BOTH, KIND_FLAG, AT(debug), 0 },
        { "", "--quiet", BOTH, KIND_FLAG, AT(quiet), 0 },
        { "", "--help", BOTH, KIND_FLAG, AT(help), 0 },
        { "", "--will-topic", BOTH, KIND_TEXT, AT(will_topic), 0 },
        { "", "--will-payload", BOTH, KIND_TEXT, AT(will_payload), 0 },
        { "", "--will-qos", BOTH, KIND_NUMBER, AT(will_qos), 2 },
        { "", "--will-retain", BOTH, KIND_FLAG, AT(will_retain), 0 },
        { "-m", "--message", TOOL_PUB, KIND_TEXT, AT(message), 0 },
        { "-n", "--null-message", TOOL_PUB, KIND_FLAG, AT(empty_message), 0 },
        { "-l", "--stdin-line", TOOL_PUB, KIND_FLAG, AT(from_lines), 0 },
        { "-s", "--stdin-file", TOOL_PUB, KIND_FLAG, AT(from_stdin), 0 },
        { "-f", "--file", TOOL_PUB, KIND_TEXT, AT(file), 0 },
        { "-r", "--retain", TOOL_PUB, KIND_FLAG, AT(retain), 0 },
        { "-v", "--verbose", TOOL_SUB, KIND_FLAG, AT(verbose), 0 },
        { "-C", "", TOOL_SUB, KIND_NUMBER, AT(count), INT32_MAX },
        { "-W", "", TOOL_SUB, KIND_NUMBER, AT(timeout_s), INT32_MAX },
        { "-N", "", TOOL_SUB, KIND_FLAG, AT(no_newline), 0 },
        { "-R", "", TOOL_SUB, KIND_FLAG, AT(no_stale), 0 },
        { "-E", "", TOOL_SUB, KIND_FLAG, AT(exit_after_subscribe), 0 },
        { "-T", "--filter-out", TOOL_SUB, KIND_TEXTS, AT(filter_out), 0 },
        { "-U", "--unsubscribe", TOOL_SUB, KIND_TEXTS, AT(unsubscribe), 0 },
        { "", "--retain-as-published", TOOL_SUB, KIND_FLAG, AT(retain_as_published), 0 },
};

static const char *const command_names[COMMANDS] = {
        [COMMAND_CONNECT]     = "connect",
        [COMMAND_WILL]        = "will",
        [COMMAND_PUBLISH]     = "publish",
        [COMMAND_SUBSCRIBE]   = "subscribe",
        [COMMAND_UNSUBSCRIBE] = "unsubscribe",
        [COMMAND_DISCONNECT]  = "disconnect",
};

#define IN(command) (1u << COMMAND_##command)
#define IN_MESSAGES (IN(PUBLISH) | IN(WILL))

static const struct {
        const char      *name;
        enum property_id id;
        unsigned         commands;
} property_words[] = {
        { "user-property", PROPERTY_USER_PROPERTY, (1u << COMMANDS) - 1 },
        { "payload-format-indicator", PROPERTY_PAYLOAD_FORMAT, IN_MESSAGES },
        { "message-expiry-interval", PROPERTY_MESSAGE_EXPIRY, IN_MESSAGES },
        { "content-type", PROPERTY_CONTENT_TYPE, IN_MESSAGES },
        { "response-topic", PROPERTY_RESPONSE_TOPIC, IN_MESSAGES },
        { "correlation-data", PROPERTY_CORRELATION_DATA, IN_MESSAGES },
        { "will-delay-interval", PROPERTY_WILL_DELAY, IN(WILL) },
        { "subscription-identifier", PROPERTY_SUBSCRIPTION_ID, IN(SUBSCRIBE) },
        { "session-expiry-interval", PROPERTY_SESSION_EXPIRY, IN(CONNECT) | IN(DISCONNECT) },
        { "receive-maximum", PROPERTY_RECEIVE_MAXIMUM, IN(CONNECT) },
        { "maximum-packet-size", PROPERTY_MAXIMUM_PACKET_SIZE, IN(CONNECT) },
        { "request-problem-information", PROPERTY_REQUEST_PROBLEM_INFO, IN(CONNECT) },
        { "request-response-information", PROPERTY_REQUEST_RESPONSE_INFO, IN(CONNECT) },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool number_of(const char *text, uint32_t max, uint32_t *out)
{
        char              *end;
        unsigned long long value;

        errno = 0;
        value = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
                return false;
        *out = (uint32_t)value;
        return true;
}

static bool complain(const char *option, const char *what)
{
        fprintf(stderr, "Error: %s: %s.\n", option, what);
        return false;
}

static bool text_add(struct texts *texts, const char *text)
{
        const char **items = mem_realloc_array(texts->items, texts->count + 1u, sizeof(*items));

        if (items == NULL)
                return complain(text, "there is no memory");
        texts->items          = items;
        items[texts->count++] = text;
        return true;
}

static bool parse_version(struct arguments *to, const char *text)
{
        static const struct {
                const char       *word;
                enum mqtt_version version;
        } words[] = {
                { "31", MQTT_3_1 },     { "mqttv31", MQTT_3_1 },
                { "311", MQTT_3_1_1 },  { "mqttv311", MQTT_3_1_1 },
                { "5", MQTT_5 },        { "mqttv5", MQTT_5 },
        };

        for (size_t i = 0; i < COUNT(words); i++) {
                if (strcmp(words[i].word, text) == 0) {
                        to->version = words[i].version;
                        return true;
                }
        }
        return complain("-V", "the version is one of 31, 311, 5, mqttv31, mqttv311, mqttv5");
}

static bool parse_expiry(struct arguments *to, const char *text)
{
        to->has_session_expiry = true;
        if (strcmp(text, "-1") == 0 || strcmp(text, "\xe2\x88\x9e") == 0) {
                to->session_expiry_s = UINT32_MAX;
                return true;
        }
        return number_of(text, UINT32_MAX, &to->session_expiry_s) ||
               complain("-x", "seconds, or -1 for no end");
}

/* One property that is not a pair. */
static bool write_value(struct writer *w, enum property_id id, const char *text)
{
        uint32_t number = 0;

        write_u8(w, (uint8_t)id);
        switch (property_type(id)) {
        case PROPERTY_TYPE_BYTE:
                if (!number_of(text, 1, &number))
                        return false;
                write_u8(w, (uint8_t)number);
                break;
        case PROPERTY_TYPE_TWO:
                if (!number_of(text, UINT16_MAX, &number) || number == 0)
                        return false;
                write_u16(w, (uint16_t)number);
                break;
        case PROPERTY_TYPE_FOUR:
                if (!number_of(text, UINT32_MAX, &number))
                        return false;
                write_u32(w, number);
                break;
        case PROPERTY_TYPE_VARINT:
                if (!number_of(text, PACKET_BYTES_MAX, &number) || number == 0)
                        return false;
                write_varint(w, number);
                break;
        case PROPERTY_TYPE_STRING:
        case PROPERTY_TYPE_BINARY:
                write_binary(w, str_of(text));
                break;
        case PROPERTY_TYPE_NONE:
        case PROPERTY_TYPE_PAIR:
                return false;
        }
        return !w->failed;
}

static bool has_property(struct str raw, enum property_id id)
{
        struct property property;

        while (property_next(&raw, &property)) {
                if (property.id == id)
                        return true;
        }
        return false;
}

static bool add_property(struct buffer *to, enum property_id id, char **values)
{
        size_t        size = strlen(values[0]) + 8;
        struct writer w;

        if (id == PROPERTY_USER_PROPERTY)
                size += strlen(values[1]);
        else if (has_property(buffer_str(to), id))
                return complain("-D", "this property may stand once");
        if (!buffer_reserve(to, size))
                return complain("-D", "there is no memory");
        if (id == PROPERTY_USER_PROPERTY) {
                size = encode_user_property(to->bytes + to->len, size, str_of(values[0]),
                                            str_of(values[1]));
                to->len += size;
                return size > 0 || complain("-D", "a text is too long");
        }
        w = writer_of(to->bytes + to->len, size);
        if (!write_value(&w, id, values[0]))
                return complain("-D", "the value is not one of this property");
        to->len = (size_t)((char *)w.pos - to->bytes);
        return true;
}

/* -D <command> <property> <value> [<value>]; returns how many words it took, 0 on failure. */
static int parse_property(struct arguments *to, int argc, char **argv)
{
        unsigned command = 0;
        size_t   i       = 0;
        int      used;

        if (argc < 3)
                return complain("-D", "<command> <property> <value> must follow");
        while (command < COMMANDS && strcmp(command_names[command], argv[0]) != 0)
                command++;
        if (command == COMMANDS)
                return complain(argv[0], "no packet that -D knows");
        while (i < COUNT(property_words) && strcmp(property_words[i].name, argv[1]) != 0)
                i++;
        if (i == COUNT(property_words) || (property_words[i].commands >> command & 1) == 0)
                return complain(argv[1], "no property of this packet that -D knows");
        used = property_words[i].id == PROPERTY_USER_PROPERTY ? 4 : 3;
        if (argc < used)
                return complain(argv[1], "a name and a value must follow");
        to->version = MQTT_5;
        return add_property(&to->properties[command], property_words[i].id, argv + 2) ? used : 0;
}

/* Returns how many words behind the option were its values, or -1. */
static int parse_option(struct arguments *to, const struct option *option, int argc, char **argv)
{
        void *member = (char *)to + option->offset;
        int   used;

        if (option->kind == KIND_FLAG) {
                *(bool *)member = true;
                return 0;
        }
        if (argc < 2) {
                complain(argv[0], "a value must follow");
                return -1;
        }
        switch (option->kind) {
        case KIND_TEXT:
                *(const char **)member = argv[1];
                return 1;
        case KIND_TEXTS:
                return text_add(member, argv[1]) ? 1 : -1;
        case KIND_NUMBER:
                if (number_of(argv[1], option->max, member))
                        return 1;
                fprintf(stderr, "Error: %s is a number from 0 to %u.\n", argv[0], option->max);
                return -1;
        case KIND_VERSION:
                return parse_version(to, argv[1]) ? 1 : -1;
        case KIND_EXPIRY:
                return parse_expiry(to, argv[1]) ? 1 : -1;
        case KIND_PROPERTY:
                used = parse_property(to, argc - 1, argv + 1);
                return used > 0 ? used : -1;
        case KIND_FLAG:
                break;
        }
        return -1;
}

static bool check_texts(const struct arguments *a)
{
        struct subscription_name name;

        for (unsigned i = 0; i < a->topics.count; i++) {
                struct str topic = str_of(a->topics.items[i]);

                if (!utf8_valid(topic) ||
                    !(a->tool == TOOL_PUB ? topic_name_valid(topic)
                                          : subscription_name_parse(topic, &name)))
                        return complain(a->topics.items[i], "not a valid topic");
        }
        for (unsigned i = 0; i < a->filter_out.count; i++) {
                if (!topic_filter_valid(str_of(a->filter_out.items[i])))
                        return complain(a->filter_out.items[i], "not a valid filter");
        }
        return a->will_topic == NULL || topic_name_valid(str_of(a->will_topic)) ||
               complain("--will-topic", "not a valid topic");
}

static bool check(const struct arguments *a)
{
        int messages = (a->message != NULL) + a->empty_message + a->from_lines + a->from_stdin +
                       (a->file != NULL);

        if (a->port == 0)
                return complain("-p", "a port from 1 to 65535");
        if (a->tool == TOOL_PUB && (a->topics.count != 1 || messages != 1))
                return complain("pub", "one -t and one of -m -n -l -s -f are needed");
        if (a->tool == TOOL_SUB && a->topics.count + a->unsubscribe.count == 0)
                return complain("sub", "-t or -U is needed");
        if (a->topics.count > SUBSCRIBE_FILTERS_MAX || a->unsubscribe.count > SUBSCRIBE_FILTERS_MAX)
                return complain("sub", "too many topics");
        if (a->keep_session && a->client_id == NULL && a->version != MQTT_5)
                return complain("-c", "a session that stays needs a client id, -i");
        if (a->will_topic == NULL && (a->will_payload != NULL || a->will_qos > 0 || a->will_retain))
                return complain("--will-topic", "is needed for a will");
        if (a->password != NULL && a->username == NULL && a->version != MQTT_5)
                return complain("-P", "a password needs a user name, -u");
        return check_texts(a);
}

static bool finish(struct arguments *a)
{
        static char endless[] = "4294967295";
        char        text[16];
        char       *value = endless;

        if (a->help)
                return true;
        if (!check(a))
                return false;
        if (a->version != MQTT_5 || (!a->has_session_expiry && !a->keep_session) ||
            has_property(buffer_str(&a->properties[COMMAND_CONNECT]), PROPERTY_SESSION_EXPIRY))
                return true;
        if (a->has_session_expiry) {
                snprintf(text, sizeof(text), "%u", a->session_expiry_s);
                value = text;
        }
        return add_property(&a->properties[COMMAND_CONNECT], PROPERTY_SESSION_EXPIRY, &value);
}

bool arguments_parse(struct arguments *to, enum tool tool, int argc, char **argv)
{
        *to = (struct arguments){
                .tool         = tool,
                .version      = MQTT_3_1_1,
                .host         = "localhost",
                .port         = 1883,
                .keep_alive_s = 60,
        };
        for (int at = 0; at < argc; at++) {
                size_t i = 0;
                int    used;

                while (i < COUNT(options) && ((options[i].tools & tool) == 0 ||
                                              (strcmp(options[i].letter, argv[at]) != 0 &&
                                               strcmp(options[i].name, argv[at]) != 0)))
                        i++;
                if (i == COUNT(options) || argv[at][0] == '\0')
                        return complain(argv[at], "no such option; see linnet --help");
                used = parse_option(to, &options[i], argc - at, argv + at);
                if (used < 0)
                        return false;
                at += used;
        }
        return finish(to);
}

void arguments_deinit(struct arguments *arguments)
{
        mem_free(TAKE(arguments->topics.items));
        mem_free(TAKE(arguments->filter_out.items));
        mem_free(TAKE(arguments->unsubscribe.items));
        for (unsigned i = 0; i < COMMANDS; i++)
                buffer_deinit(&arguments->properties[i]);
}

struct properties arguments_properties(const struct arguments *arguments, enum command command)
{
        return (struct properties){ .raw = buffer_str(&arguments->properties[command]) };
}
