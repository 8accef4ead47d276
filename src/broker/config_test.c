#include "broker/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/test_changes.h"
#include "unit.h"

static char folder[] = "/tmp/linnet-config-XXXXXX";

static void put(const char *name, const char *text);
static void put_bytes(const char *name, const char *bytes, size_t size);
static bool load(struct config *config, const char *name, struct config_errors *errors);
static void expect_errors(struct config_errors *errors, const char *expected);

TEST(defaults)
{
        struct config config;
        char          shown[ADDRESS_TEXT_SIZE];

        config_init(&config);
        EXPECT_EQ(config.listener_count, 1);
        EXPECT(strcmp(config.listeners[0].name, "external") == 0);
        address_text(&config.listeners[0].address, shown);
        EXPECT(strcmp(shown, "[::]:1883") == 0, "%s", shown);
        EXPECT(strcmp(config.node_name, "linnet@127.0.0.1") == 0);
        EXPECT_EQ(config.settings.max_inflight, 32);
        EXPECT_EQ(config.shards, 0);
}

TEST(a_file_is_read)
{
        struct config        config;
        struct config_errors errors = { 0 };

        put("other.conf", "mqtt.max_qos = 1\n");
        put("a.conf", "# a comment\n"
                      "\n"
                      "  mqtt.session.max_inflight = 5   # later wins\n"
                      "mqtt.session.max_inflight=7\n"
                      "node.name = \"a # \\\"b\\\" \\\\\"  # quoted\r\n"
                      "include other.conf\n"
                      "log.file =\n"
                      "listener.tcp.internal.backlog = 3\n"
                      "listener.tcp.internal = 127.0.0.1:11883\n"
                      "listener.tcp.external.max_clients = 9");
        EXPECT(load(&config, "a.conf", &errors), "%.*s", STR_ARGS(buffer_str(&errors.text)));
        EXPECT_EQ(config.settings.max_inflight, 7);
        EXPECT_EQ(config.settings.max_qos, 1);
        EXPECT(strcmp(config.node_name, "a # \"b\" \\") == 0, "%s", config.node_name);
        EXPECT_EQ(config.listener_count, 2);
        EXPECT(strcmp(config.listeners[0].name, "internal") == 0);
        EXPECT_EQ(config.listeners[0].backlog, 3);
        EXPECT_EQ(address_port(&config.listeners[0].address), 11883);
        EXPECT_EQ(config.listeners[1].max_connections, 9);
        EXPECT_EQ(address_port(&config.listeners[1].address), 1883);
        config_errors_deinit(&errors);
}

TEST(all_errors_are_told)
{
        struct config        config;
        struct config_errors errors = { 0 };

        put("cycle.conf", "include cycle.conf\n");
        EXPECT(!load(&config, "cycle.conf", &errors));
        expect_errors(&errors,
                      "cycle.conf:1: include: more than 8 files deep; does one include itself?\n");
        put("bad.conf", "mqtt.max_qoss = 1\n"
                        "mqtt.max_qos = 3\n"
                        "nonsense\n"
                        "node.name = \"open\n"
                        "include missing.conf\n"
                        "mqtt.mqueue.priority = a=1,b\n"
                        "listener.udp.a = 8883\n"
                        "listener.tcp.a = localhost:1883\n"
                        "listener.tcp.a b = 1883\n"
                        "listener.tcp.c.acceptors = 16\n"
                        "listener.tcp.d.backlog = 16\n"
                        "mqtt.mqueue.low_watermark = 80%\n");
        EXPECT(!load(&config, "bad.conf", &errors));
        EXPECT_EQ(errors.count, 12);
        expect_errors(
                &errors,
                "bad.conf:1: mqtt.max_qoss: unknown option; did you mean mqtt.max_qos?\n"
                "bad.conf:2: mqtt.max_qos: 3 is not from 0 to 2\n"
                "bad.conf:3: no '='; a line is KEY = VALUE\n"
                "bad.conf:4: node.name: something is wrong with the quotes\n"
                "bad.conf:5: cannot read missing.conf: No such file or directory\n"
                "bad.conf:6: mqtt.mqueue.priority: \"a=1,b\" is not TOPIC=NUMBER,TOPIC=NUMBER\n"
                "bad.conf:7: listener.udp.a: unknown type of listener; it is tcp, tls, ws, wss "
                "or unix\n"
                "bad.conf:8: listener.tcp.a: \"localhost:1883\" is not PORT, IP:PORT or "
                "[IPv6]:PORT; names are not looked up\n"
                "bad.conf:9: listener.tcp.a b: a listener's name is 1 to 31 letters, digits, - "
                "and _\n"
                "bad.conf:10: listener.tcp.c.acceptors: unknown option of a listener; linnetd "
                "--help lists them\n"
                "bad.conf: listener.tcp.d has no address; add listener.tcp.d = PORT\n"
                "bad.conf: mqtt.mqueue.low_watermark is 80%, above mqtt.mqueue.high_watermark, "
                "60%\n");
}

TEST(a_missing_file_is_an_error)
{
        struct config        config;
        struct config_errors errors = { 0 };

        EXPECT(!load(&config, "none.conf", &errors));
        expect_errors(&errors, "none.conf: cannot read it: No such file or directory\n");
}

TEST(a_long_line_is_one_error)
{
        struct config        config;
        struct config_errors errors = { 0 };
        char                 text[10000];

        memset(text, 'x', sizeof(text));
        memcpy(text + sizeof(text) - 18, "\nmqtt.max_qos = 1", 18);
        put("long.conf", text);
        EXPECT(!load(&config, "long.conf", &errors));
        EXPECT_EQ(config.settings.max_qos, 1);
        expect_errors(&errors, "long.conf:1: the line is longer than 4094 bytes\n");
}

TEST(what_is_no_text_is_not_read_in_part)
{
        static const char    cut[]     = "mqtt.max_qos = 1\0 of 2";
        static const char    between[] = "\na\0b\nmqtt.max_qos = 1";
        struct config        config;
        struct config_errors errors = { 0 };

        put_bytes("cut.conf", cut, sizeof cut - 1);
        EXPECT(!load(&config, "cut.conf", &errors));
        EXPECT_EQ(config.settings.max_qos, 2);
        expect_errors(&errors, "cut.conf:1: a NUL byte; this is no text, and nothing behind it was "
                               "read\n");
        put_bytes("between.conf", between, sizeof between - 1);
        EXPECT(!load(&config, "between.conf", &errors));
        EXPECT_EQ(config.settings.max_qos, 2);
        expect_errors(&errors, "between.conf:2: a NUL byte; this is no text, and nothing behind it "
                               "was read\n");
}

TEST(files_that_include_each_other_come_to_an_end)
{
        struct config        config;
        struct config_errors errors = { 0 };

        put("many.conf", "include many.conf\ninclude many.conf\ninclude many.conf\n");
        EXPECT(!load(&config, "many.conf", &errors));
        EXPECT(errors.count < 10000, "%u", errors.count);
        EXPECT(memmem(errors.text.bytes, errors.text.len, "more than 100 files", 19) != NULL);
        config_errors_deinit(&errors);
}

TEST(the_environment_comes_last)
{
        struct config        config;
        struct config_errors errors = { 0 };

        put("env.conf", "mqtt.max_qos = 2\n");
        setenv("LINNET_MQTT__MAX_QOS", "1", 1);
        setenv("LINNET_MQTT__SESSION__MAX_INFLIGHT", "6", 1);
        setenv("LINNET_LISTENER__TCP__EXTERNAL", "2883", 1);
        setenv("LINNET_HOME", "anything", 1);
        EXPECT(load(&config, "env.conf", &errors));
        EXPECT_EQ(config.settings.max_qos, 1);
        EXPECT_EQ(config.settings.max_inflight, 6);
        EXPECT_EQ(config.listener_count, 1);
        EXPECT_EQ(address_port(&config.listeners[0].address), 2883);

        setenv("LINNET_MQTT__MAX_QOS", "9", 1);
        EXPECT(!load(&config, "env.conf", &errors));
        expect_errors(&errors, "environment: LINNET_MQTT__MAX_QOS: 9 is not from 0 to 2\n");
        unsetenv("LINNET_MQTT__MAX_QOS");
        unsetenv("LINNET_MQTT__SESSION__MAX_INFLIGHT");
        unsetenv("LINNET_LISTENER__TCP__EXTERNAL");
        unsetenv("LINNET_HOME");
}

TEST(a_difference_says_what_needs_a_restart)
{
        struct config from, to;
        struct buffer lines = { 0 };
        char          why[OPTION_WHY_SIZE];

        config_init(&from);
        to = from;
        EXPECT_EQ(config_diff(&from, &to, add_change, &lines), 0);
        EXPECT_EQ(buffer_len(&lines), 0);

        EXPECT(config_set(&to, STR("log.level"), STR("debug"), why));
        EXPECT(config_set(&to, STR("node.name"), STR("x"), why));
        EXPECT(config_set(&to, STR("listener.tcp.other"), STR("1884"), why));
        EXPECT_EQ(config_diff(&from, &to, add_change, &lines), 1);
        EXPECT(str_eq(buffer_str(&lines),
                      STR("node.name: \"linnet@127.0.0.1\" -> \"x\" (needs a restart)\n"
                          "log.level: info -> debug\n"
                          "listener.tcp.external: [::]:1883 -> none\n"
                          "listener.tcp.other: none -> 1884\n")),
               "%.*s", STR_ARGS(buffer_str(&lines)));
        buffer_consume(&lines, buffer_len(&lines));

        EXPECT(config_set(&to, STR("auth.chain"), STR("identity"), why));
        config_keep_fixed(&to, &from);
        EXPECT_EQ(config_diff(&from, &to, add_change, &lines), 0);
        EXPECT(str_starts(buffer_str(&lines), STR("log.level: info -> debug\nlistener.")), "%.*s",
               STR_ARGS(buffer_str(&lines)));
        buffer_deinit(&lines);
}

TEST(a_value_is_got_by_its_key)
{
        static const struct row {
                struct str key;
                const char *value;              /* NULL: there is none */
        } rows[] = {
                { STR("mqtt.max_qos"), "1" },
                { STR("node.name"), "\"linnet@127.0.0.1\"" },
                { STR("listener.tcp.one"), "1884" },
                { STR("listener.tcp.one.backlog"), "7" },
                { STR("listener.tcp.one.access.2"), "\"deny all\"" },
                { STR("listener.tls.two.key_password"), NULL },
                { STR("listener.tcp.two"), NULL },
                { STR("listener.tcp.one.certfile"), NULL },
                { STR("listener.tcp.one.nothing"), NULL },
                { STR("listener."), NULL },
                { STR("listener.tcp"), NULL },
                { STR("auth.jwt.secret"), "(secret)" },
                { STR("auth.user.1.password"), NULL },
                { STR(""), NULL },
        };
        static const char *const set[][2] = {
                { "mqtt.max_qos", "1" }, { "listener.tcp.one", "1884" },
                { "listener.tcp.one.backlog", "7" }, { "listener.tcp.one.access.1", "allow all" },
                { "listener.tcp.one.access.2", "deny all" }, { "auth.jwt.secret", "hush" },
                { "auth.user.1.password", "hush" },
        };
        struct config     config;
        const struct row *row;
        char              text[OPTION_WHY_SIZE > OPTION_VALUE_SIZE ? OPTION_WHY_SIZE
                                                                   : OPTION_VALUE_SIZE];

        config_init(&config);
        for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
                EXPECT(config_set(&config, str_of(set[i][0]), str_of(set[i][1]), text), "%s: %s",
                       set[i][0], text);
        EACH(rows, row) {
                EXPECT(config_get(&config, row->key, text) == (row->value != NULL), "%.*s",
                       STR_ARGS(row->key));
                EXPECT(row->value == NULL || strcmp(text, row->value) == 0, "%.*s: %s",
                       STR_ARGS(row->key), text);
        }
}

TEST(listeners_are_bounded)
{
        struct config config;
        char          key[64], why[OPTION_WHY_SIZE];

        config_init(&config);
        for (int i = 0; i < CONFIG_LISTENERS_MAX; i++) {
                snprintf(key, sizeof(key), "listener.tcp.l%d", i);
                EXPECT(config_set(&config, str_of(key), STR("0"), why), "%s: %s", key, why);
        }
        EXPECT(!config_set(&config, STR("listener.tcp.more"), STR("0"), why));
        EXPECT(strcmp(why, "more than 64 listeners, at tcp.more") == 0, "%s", why);
        EXPECT_EQ(config.listener_count, CONFIG_LISTENERS_MAX);
}

TEST(a_chain_names_its_line)
{
        struct config        config;
        struct config_errors errors = { 0 };
        char                 why[OPTION_WHY_SIZE];

        put("chain.conf", "shards = 1\nauth.chain = username, clientid\n"
                          "auth.user.1.username = bob\nauth.user.1.password = secret\n");
        EXPECT(!load(&config, "chain.conf", &errors));
        expect_errors(&errors, "chain.conf:2: auth.chain: clientid wants auth.client.1.clientid = "
                               "ID and auth.client.1.password = PASSWORD\n");
        put("chain.conf", "auth.chain = username,magic\n");
        EXPECT(!load(&config, "chain.conf", &errors));
        EXPECT(str_starts(buffer_str(&errors.text),
                          STR("chain.conf:1: auth.chain: \"magic\" is no provider; there are ")));
        config_errors_deinit(&errors);
        EXPECT(!config_set(&config, STR("auth.chain"), STR("username, username"), why));
        EXPECT(str_eq(str_of(why), STR("username stands there twice")), "%s", why);
}

TEST(rows_of_names_and_passwords)
{
        static const struct row {
                const char *text, *error;
        } rows[] = {
                { "auth.user.1.username = bob\nauth.user.1.password = x\n", NULL },
                { "auth.client.7.clientid = c\nauth.client.7.password = \"a b\"\n", NULL },
                { "auth.user.3.username = bob\n", "rows.conf: auth.user.3 lacks its password\n" },
                { "auth.client.3.password = x\n", "rows.conf: auth.client.3 lacks its clientid\n" },
                { "auth.user.1.username = bob\nauth.user.1.password = x\n"
                  "auth.user.2.username = bob\nauth.user.2.password = y\n",
                  "rows.conf: auth.user.1 and auth.user.2 have one username, bob\n" },
                { "auth.user.x.username = bob\n",
                  "rows.conf:1: auth.user.x.username: unknown option; there are N.username and "
                  "N.password\n" },
                { "auth.user.1.name = bob\n",
                  "rows.conf:1: auth.user.1.name: unknown option; there are N.username and "
                  "N.password\n" },
                { "auth.user.1.username =\n",
                  "rows.conf:1: auth.user.1.username: it is a text of 1 to 255 bytes\n" },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct config        config;
                struct config_errors errors = { 0 };

                put("rows.conf", row->text);
                EXPECT_EQ(load(&config, "rows.conf", &errors), row->error == NULL);
                expect_errors(&errors, row->error != NULL ? row->error : "");
        }
}

TEST(a_difference_tells_no_secret)
{
        struct config from, to;
        struct buffer lines = { 0 };
        char          why[OPTION_WHY_SIZE];

        config_init(&from);
        EXPECT(config_set(&from, STR("auth.user.1.username"), STR("bob"), why));
        EXPECT(config_set(&from, STR("auth.user.1.password"), STR("old"), why));
        to = from;
        EXPECT(config_set(&to, STR("auth.user.1.password"), STR("new"), why));
        EXPECT_EQ(config_diff(&from, &to, add_change, &lines), 0);
        EXPECT(str_eq(buffer_str(&lines), STR("auth.user: 1 -> 1\n")), "%.*s",
               STR_ARGS(buffer_str(&lines)));
        buffer_deinit(&lines);
}

static void put(const char *name, const char *text)
{
        put_bytes(name, text, strlen(text));
}

static void put_bytes(const char *name, const char *bytes, size_t size)
{
        static bool made;
        FILE       *file;

        if (!made) {
                EXPECT(mkdtemp(folder) != NULL && chdir(folder) == 0);
                made = true;
        }
        file = fopen(name, "w");
        EXPECT(file != NULL && fwrite(bytes, 1, size, file) == size);
        fclose(file);
}

static bool load(struct config *config, const char *name, struct config_errors *errors)
{
        config_init(config);
        return config_load(config, name, errors);
}

static void expect_errors(struct config_errors *errors, const char *expected)
{
        EXPECT(str_eq(buffer_str(&errors->text), str_of(expected)), "\n%s\nnot\n%.*s", expected,
               STR_ARGS(buffer_str(&errors->text)));
        config_errors_deinit(errors);
}

SUITE(config, CASE(defaults), CASE(a_file_is_read), CASE(all_errors_are_told),
      CASE(a_missing_file_is_an_error), CASE(a_long_line_is_one_error),
      CASE(what_is_no_text_is_not_read_in_part),
      CASE(files_that_include_each_other_come_to_an_end),
      CASE(the_environment_comes_last), CASE(a_difference_says_what_needs_a_restart),
      CASE(a_value_is_got_by_its_key),
      CASE(listeners_are_bounded), CASE(a_chain_names_its_line),
      CASE(rows_of_names_and_passwords), CASE(a_difference_tells_no_secret))
