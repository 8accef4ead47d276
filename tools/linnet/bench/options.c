#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "mqtt/topic.h"
#include "scenario.h"
#include "stamp.h"

enum { QOS_UNSAID = 3, WINDOW_USUAL = 64, QUEUE_USUAL = 1000 };

enum kind {
        KIND_FLAG, KIND_TEXT, KIND_NUMBER, KIND_LARGE, KIND_REAL, KIND_VERSION, KIND_EXPIRY,
        KIND_CLEAN
};

struct option {
        const char *letter;
        const char *name;
        enum kind   kind;
        size_t      offset;
        double      min;
        double      max;
};

#define AT(member)  offsetof(struct bench_options, member)
#define SECONDS_MAX 31536000.0
#define RATE_MAX    1e9

static const struct option options[] = {
        { "-h", "--host", KIND_TEXT, AT(host), 0, 0 },
        { "-p", "--port", KIND_NUMBER, AT(port), 1, 65535 },
        { "-V", "--version", KIND_VERSION, 0, 0, 0 },
        { "-u", "--username", KIND_TEXT, AT(username), 0, 0 },
        { "-P", "--password", KIND_TEXT, AT(password), 0, 0 },
        { "", "--pw", KIND_TEXT, AT(password), 0, 0 },
        { "-k", "--keepalive", KIND_NUMBER, AT(keepalive_s), 0, 65535 },
        { "-C", "--clean", KIND_CLEAN, 0, 0, 0 },
        { "-x", "--expiry", KIND_EXPIRY, 0, 0, 0 },
        { "", "--session-expiry", KIND_EXPIRY, 0, 0, 0 },
        { "", "--prefix", KIND_TEXT, AT(prefix), 0, 0 },
        { "", "--tls", KIND_FLAG, AT(tls), 0, 0 },
        { "", "--cafile", KIND_TEXT, AT(cafile), 0, 0 },
        { "", "--cert", KIND_TEXT, AT(cert), 0, 0 },
        { "", "--key", KIND_TEXT, AT(key), 0, 0 },
        { "", "--insecure", KIND_FLAG, AT(insecure), 0, 0 },
        { "", "--ws", KIND_FLAG, AT(ws), 0, 0 },
        { "", "--ws-path", KIND_TEXT, AT(ws_path), 0, 0 },
        { "", "--ifaddr", KIND_TEXT, AT(ifaddr), 0, 0 },
        { "-c", "--count", KIND_NUMBER, AT(count), 1, BENCH_CONNECTIONS_MAX },
        { "", "--publishers", KIND_NUMBER, AT(publishers), 1, BENCH_CONNECTIONS_MAX },
        { "", "--subscribers", KIND_NUMBER, AT(subscribers), 1, BENCH_CONNECTIONS_MAX },
        { "-R", "--connrate", KIND_REAL, AT(connect_rate), 0, RATE_MAX },
        { "-r", "--rate", KIND_REAL, AT(rate), 0, RATE_MAX },
        { "-w", "--window", KIND_NUMBER, AT(window), 1, BENCH_WINDOW_MAX },
        { "-b", "--burst", KIND_NUMBER, AT(burst), 1, BENCH_WINDOW_MAX },
        { "-q", "--qos", KIND_NUMBER, AT(qos), 0, 2 },
        { "-s", "--size", KIND_NUMBER, AT(size), STAMP_SIZE, BENCH_SIZE_MAX },
        { "-t", "--topic", KIND_TEXT, AT(topic), 0, 0 },
        { "", "--filter", KIND_TEXT, AT(filter), 0, 0 },
        { "", "--group", KIND_TEXT, AT(group), 0, 0 },
        { "", "--retain", KIND_FLAG, AT(retain), 0, 0 },
        { "-n", "--messages", KIND_LARGE, AT(messages), 1, 1e12 },
        { "-d", "--duration", KIND_REAL, AT(duration_s), 0, SECONDS_MAX },
        { "", "--warmup", KIND_REAL, AT(warmup_s), 0, SECONDS_MAX },
        { "", "--timeout", KIND_REAL, AT(timeout_s), 0.01, SECONDS_MAX },
        { "", "--lost-timeout", KIND_REAL, AT(lost_timeout_s), 0.01, SECONDS_MAX },
        { "", "--threads", KIND_NUMBER, AT(threads), 1, BENCH_THREADS_MAX },
        { "", "--pid", KIND_NUMBER, AT(pid), 1, INT32_MAX },
        { "", "--json", KIND_TEXT, AT(json), 0, 0 },
        { "", "--scenario", KIND_TEXT, AT(scenario), 0, 0 },
        { "", "--scale", KIND_REAL, AT(scale), 0.000001, 1000 },
        { "", "--progress", KIND_FLAG, AT(progress), 0, 0 },
        { "", "--quiet", KIND_FLAG, AT(quiet), 0, 0 },
        { "", "--help", KIND_FLAG, AT(help), 0, 0 },
};

static const char *const mode_names[BENCH_MODES] = {
        [BENCH_CONN]  = "conn",  [BENCH_PUB]   = "pub",
        [BENCH_SUB]   = "sub",   [BENCH_PAIR]  = "pair",
        [BENCH_FANIN] = "fanin", [BENCH_FANOUT] = "fanout",
        [BENCH_SHARED] = "shared", [BENCH_RETAIN] = "retain",
        [BENCH_OFFLINE] = "offline", [BENCH_CHURN] = "churn",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *bench_mode_name(enum bench_mode mode)
{
        return mode_names[mode];
}

static bool complain(const char *option, const char *what)
{
        fprintf(stderr, "Error: %s: %s.\n", option, what);
        return false;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool real_of(const struct option *option, const char *text, double *out)
{
        char *end;

        errno = 0;
        *out  = strtod(text, &end);
        if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out >= option->min &&
            *out <= option->max)
                return true;
        fprintf(stderr, "Error: %s: a number from %.9g to %.9g.\n", option->name, option->min,
                option->max);
        return false;
}

/* Whole ones only; all that are allowed are exact in a double. */
static bool whole_of(const struct option *option, const char *text, uint64_t *out)
{
        double value;

        if (!real_of(option, text, &value))
                return false;
        *out = (uint64_t)value;
        return (double)*out == value || complain(option->name, "a whole number");
}

static bool parse_version(struct bench_options *to, const char *text)
{
        static const struct {
                const char       *word;
                enum mqtt_version version;
        } words[] = {
                { "3.1", MQTT_3_1 }, { "31", MQTT_3_1 }, { "3", MQTT_3_1 }, { "mqttv31", MQTT_3_1 },
                { "3.1.1", MQTT_3_1_1 }, { "311", MQTT_3_1_1 }, { "4", MQTT_3_1_1 },
                { "mqttv311", MQTT_3_1_1 },
                { "5", MQTT_5 }, { "5.0", MQTT_5 }, { "mqttv5", MQTT_5 },
        };

        for (size_t i = 0; i < COUNT(words); i++) {
                if (strcmp(words[i].word, text) == 0) {
                        to->version = words[i].version;
                        return true;
                }
        }
        return complain("-V", "the version is one of 3.1, 3.1.1, 5");
}

static bool parse_clean(struct bench_options *to, const char *text)
{
        bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

        if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
                return complain("--clean", "true or false");
        to->keep_session = !yes;
        return true;
}

static bool parse_value(struct bench_options *to, const struct option *option, const char *text)
{
        char    *at     = (char *)to + option->offset;
        uint64_t number = 0;

        switch (option->kind) {
        case KIND_TEXT:
                memcpy(at, &text, sizeof(text));
                return text[0] != '\0' || complain(option->name, "it is empty");
        case KIND_REAL:
                return real_of(option, text, (double *)(void *)at);
        case KIND_NUMBER:
                if (!whole_of(option, text, &number))
                        return false;
                *(uint32_t *)(void *)at = (uint32_t)number;
                return true;
        case KIND_LARGE:
                return whole_of(option, text, (uint64_t *)(void *)at);
        case KIND_VERSION:
                return parse_version(to, text);
        case KIND_CLEAN:
                return parse_clean(to, text);
        case KIND_EXPIRY: {
                struct option seconds = *option;

                seconds.max = UINT32_MAX;
                if (!whole_of(&seconds, text, &number))
                        return false;
                to->expiry_s   = (uint32_t)number;
                to->has_expiry = true;
                return true;
        }
        case KIND_FLAG:
                break;
        }
        return false;
}

/* "--size 16", "--size=16", "-s 16"; *value is NULL without the form with `=`. */
static const struct option *option_of(const char *word, const char **value)
{
        const char *equals = strchr(word, '=');
        size_t      size   = equals != NULL ? (size_t)(equals - word) : strlen(word);

        *value = equals != NULL ? equals + 1 : NULL;
        for (size_t i = 0; i < COUNT(options); i++) {
                if (str_eq(str_from(word, size), str_of(options[i].name)) ||
                    (equals == NULL && strcmp(word, options[i].letter) == 0))
                        return &options[i];
        }
        return NULL;
}

static bool parse_words(struct bench_options *to, int argc, char **argv)
{
        for (int i = 0; i < argc; i++) {
                const char          *value;
                const struct option *option = option_of(argv[i], &value);

                if (option == NULL)
                        return complain(argv[i],
                                        "there is no such option; see linnet bench --help");
                if (option->kind == KIND_FLAG) {
                        if (value != NULL)
                                return complain(option->name, "it takes no value");
                        *((bool *)to + option->offset) = true;
                        continue;
                }
                if (value == NULL && i + 1 == argc)
                        return complain(argv[i], "its value is missing");
                if (!parse_value(to, option, value != NULL ? value : argv[++i]))
                        return false;
        }
        return true;
}

/* ---- what they mean together ----------------------------------------------------------------- */

/* How many of each a mode has when -c or nothing says it. */
static const struct {
        uint32_t publishers, subscribers;
        bool     counts_publishers, counts_subscribers;         /* what -c says */
} crowds[BENCH_MODES] = {
        [BENCH_CONN]   = { 1000, 0, true, false },
        [BENCH_PUB]    = { 10, 0, true, false },
        [BENCH_SUB]    = { 0, 10, false, true },
        [BENCH_PAIR]   = { 10, 10, true, true },
        [BENCH_FANIN]  = { 100, 1, true, false },
        [BENCH_FANOUT] = { 1, 100, false, true },
        [BENCH_SHARED] = { 100, 5, true, false },
        [BENCH_RETAIN] = { 10, 1, true, false },
        [BENCH_OFFLINE] = { 10, 1, false, true },
        [BENCH_CHURN]  = { 0, 10, false, true },
};

/* How it gets to the broker. */
static bool settle_web(struct bench_options *o)
{
        o->ws = o->ws || o->ws_path != NULL;
        if (o->port == 0)
                o->port = o->ws ? (o->tls ? 8084 : 8083) : o->tls ? 8883 : 1883;
        if (o->ws_path == NULL)
                o->ws_path = "/mqtt";
        for (const char *at = o->ws_path; *at != '\0'; at++)
                if (*at <= ' ' || *at > '~')
                        return complain("--ws-path", "a path of visible ASCII");
        return o->ws_path[0] == '/' || complain("--ws-path", "it begins with /");
}

static bool settle_crowd(struct bench_options *o)
{
        bool publishes  = crowds[o->mode].publishers > 0;
        bool subscribes = crowds[o->mode].subscribers > 0;

        if (o->publishers > 0 && !publishes)
                return complain("--publishers", "this mode has none; -c says how many connections");
        if (o->subscribers > 0 && !subscribes)
                return complain("--subscribers",
                                "this mode has none; -c says how many connections");
        if (o->mode == BENCH_PAIR && o->count == 0)
                o->count = o->publishers > 0 ? o->publishers : o->subscribers;
        if (publishes && o->publishers == 0)
                o->publishers = crowds[o->mode].counts_publishers && o->count > 0
                                        ? o->count
                                        : crowds[o->mode].publishers;
        if (subscribes && o->subscribers == 0)
                o->subscribers = crowds[o->mode].counts_subscribers && o->count > 0
                                         ? o->count
                                         : crowds[o->mode].subscribers;
        if (o->mode == BENCH_PAIR && o->publishers != o->subscribers)
                return complain("--subscribers", "each publisher of a pair has one");
        return true;
}

/* What many publish to few must find room in a queue of these as brokers are set up. */
static uint32_t usual_window(const struct bench_options *o)
{
        uint32_t window = WINDOW_USUAL;

        if (o->mode == BENCH_FANIN)
                window = QUEUE_USUAL / o->publishers;
        else if (o->mode == BENCH_SHARED)
                window = QUEUE_USUAL * o->subscribers / o->publishers;
        return window == 0 ? 1 : window < WINDOW_USUAL ? window : WINDOW_USUAL;
}

/* At full speed there is a window, since nothing else would bound what is under way. */
static bool settle_pace(struct bench_options *o)
{
        bool full_speed = o->rate == 0;
        bool stores     = o->mode == BENCH_RETAIN || o->mode == BENCH_OFFLINE;

        if (o->qos == QOS_UNSAID)
                o->qos = stores ? 1 : 0;
        if (o->mode == BENCH_OFFLINE && o->qos == 0)
                return complain("-q", "of QoS 0 nothing is kept for who is away");
        if (stores && o->duration_s > 0)
                return complain("-d", "this mode takes -n, how many messages are stored");
        if (stores && o->messages == 0)
                o->messages = o->mode == BENCH_RETAIN ? 10000 : QUEUE_USUAL;
        o->retain = o->retain || o->mode == BENCH_RETAIN;
        if (o->window == 0 && full_speed)
                o->window = usual_window(o);
        if (o->window == 0 && o->qos > 0)
                o->window = 1024;
        if (o->burst == 0)
                o->burst = !full_speed ? 1 : o->window >= 16 ? 16 : o->window;
        if (o->window > 0 && o->burst > o->window)
                return complain("--burst", "it is larger than --window");
        if (o->messages == 0 && o->duration_s == 0 && o->mode != BENCH_CONN && o->mode != BENCH_SUB)
                o->duration_s = 10;
        if (o->warmup_s > 0 && o->messages > 0)
                return complain("--warmup", "with -n every message counts; use -d");
        return true;
}

static bool settle_names(struct bench_options *o)
{
        if (o->topic == NULL)
                o->topic = "bench/%i";
        if (!topic_name_valid(str_of(o->topic)))
                return complain("-t", "a topic without wildcards, in which %i is the number and "
                                      "%c the client id; --filter says what subscribers ask for");
        if (o->filter != NULL && !topic_filter_valid(str_of(o->filter)))
                return complain("--filter", "it is not a valid filter");
        if (strlen(o->topic) > TOPIC_BYTES_MAX / 2)
                return complain("-t", "it is too long");
        if (strlen(o->group) > GROUP_NAME_MAX || strpbrk(o->group, "/+#") != NULL)
                return complain("--group", "a name without / + #, of 256 bytes at most");
        if (o->mode == BENCH_RETAIN && strstr(o->topic, "%i") == NULL)
                return complain("-t", "it needs %i, the number of the message that is retained");
        if (o->prefix != NULL && strlen(o->prefix) > 64)
                return complain("--prefix", "it is longer than 64 bytes");
        if (o->password != NULL && o->username == NULL && o->version != MQTT_5)
                return complain("-P", "it needs a username before MQTT 5");
        return true;
}

static bool find_mode(struct bench_options *to, const char *word)
{
        for (unsigned i = 0; i < BENCH_MODES; i++) {
                if (strcmp(mode_names[i], word) == 0) {
                        to->mode = (enum bench_mode)i;
                        return true;
                }
        }
        fprintf(stderr, "Error: %s: no such mode; it is one of", word);
        for (unsigned i = 0; i < BENCH_MODES; i++)
                fprintf(stderr, " %s", mode_names[i]);
        fputs(".\n", stderr);
        return false;
}

bool bench_options_parse(struct bench_options *to, int argc, char **argv)
{
        bool has_mode = argc > 0 && argv[0][0] != '-';

        *to = (struct bench_options){
                .version        = MQTT_3_1_1,
                .host           = "127.0.0.1",
                .keepalive_s    = 300,
                .size           = 64,
                .qos            = QOS_UNSAID,
                .group          = "bench",
                .timeout_s      = 30,
                .lost_timeout_s = 2,
                .threads        = 1,
                .scale          = 1,
        };
        for (int i = 0; i < argc; i++)
                to->help = to->help || strcmp(argv[i], "--help") == 0;
        if (to->help)
                return true;
        if (!parse_words(to, argc - has_mode, argv + has_mode))
                return false;
        if (to->scenario != NULL && !scenario_apply(to)) {
                fprintf(stderr, "Error: %s: there is no such scenario. There are:\n", to->scenario);
                scenario_list(stderr);
                return false;
        }
        if (!has_mode && to->scenario == NULL)
                return complain("linnet bench",
                                "say what to do: a mode, or --scenario; see --help");
        if (has_mode && to->scenario != NULL)
                return complain(argv[0], "the scenario says the mode");
        if (has_mode && !find_mode(to, argv[0]))
                return false;
        /* Once more, so that what else is said changes the scenario. */
        if (!parse_words(to, argc - has_mode, argv + has_mode))
                return false;
        to->tls = to->tls || to->cafile != NULL || to->cert != NULL || to->insecure;
        return settle_web(to) && settle_crowd(to) && settle_pace(to) && settle_names(to);
}
