#include "broker/config_listener.h"

#include <stdio.h>
#include <string.h>

#include "broker/config.h"
#include "broker/test_changes.h"
#include "unit.h"

/* The static one is large, and made anew by each. */
static struct config *fresh(void)
{
        static struct config config;

        config_init(&config);
        return &config;
}

static void set(struct config *config, const char *key, const char *value)
{
        char why[OPTION_WHY_SIZE];

        EXPECT(config_set(config, str_of(key), str_of(value), why), "%s: %s", key, why);
}

TEST(types_have_names_and_an_alias)
{
        static const struct row {
                const char        *key, *bind;
                enum listener_type type;
        } rows[] = {
                { "listener.tcp.a",  "1884",               LISTENER_TCP  },
                { "listener.tls.a",  "[::1]:8883",         LISTENER_TLS  },
                { "listener.ws.a",   "127.0.0.1:8083",     LISTENER_WS   },
                { "listener.wss.a",  "8084",               LISTENER_WSS  },
                { "listener.unix.a", "/run/linnet/socket", LISTENER_UNIX },
        };
        struct config    *config = fresh();
        const struct row *row;

        EACH(rows, row) {
                unsigned at = (unsigned)(row - rows);
                char     key[LISTENER_KEY_SIZE];

                set(config, row->key, row->bind);
                EXPECT_EQ(config->listener_count, at + 1);      /* one name for each type */
                EXPECT_EQ(config->listeners[at].type, row->type);
                EXPECT(strcmp(config->listeners[at].bind, row->bind) == 0);
                config_listener_key(&config->listeners[at], key);
                EXPECT(strcmp(key, row->key) == 0, "%s", key);
        }
        set(config, "listener.ssl.a", "8885");
        EXPECT_EQ(config->listener_count, 5);
        EXPECT(strcmp(config->listeners[1].bind, "8885") == 0);
        EXPECT_EQ(config->listeners[4].address.any.sa_family, AF_UNIX);
}

TEST(what_is_wrong_is_told)
{
        static const struct row {
                const char *key, *value, *why;
        } rows[] = {
                { "listener.unix.a", "socket",
                  "\"socket\" is not the path of a socket: it begins with / and has at most 107 "
                  "bytes" },
                { "listener.unix.a", "/",
                  "\"/\" is not the path of a socket: it begins with / and has at most 107 bytes" },
                { "listener.tcp.a.mode", "0600", "listeners of type tcp have no such option" },
                { "listener.unix.a.mode", "0680", "\"0680\" is not a file's mode, such as 0660" },
                { "listener.unix.a.mode", "1777", "1777 is not from 0000 to 0777" },
                { "listener.tcp.a.max_client", "1",
                  "unknown option of a listener; did you mean max_clients?" },
                { "listener.ws.a.path", "/mqtt, ws",
                  "\"/mqtt, ws\" is not the path of a URL, such as /mqtt" },
                { "listener.ws.a.origins", "https://a.com, b.com",
                  "\"https://a.com, b.com\" is not a list of origins, https://NAME or "
                  "https://*.NAME, with :PORT if they have one, null or *" },
                { "listener.wss.a.trusted_proxies", "::1,10.0.0.1/8",
                  "\"::1,10.0.0.1/8\" is not a list of addresses or networks, such as 127.0.0.1, "
                  "10.0.0.0/8" },
                { "listener.tcp.a.mod", "1",
                  "unknown option of a listener; linnetd --help lists them" },
                { "listener.tcp.a.access.0", "allow all",
                  "unknown option of a listener; access.1 to access.16 are" },
                { "listener.tcp.a.access.17", "allow all",
                  "unknown option of a listener; access.1 to access.16 are" },
                { "listener.tcp.a.access.1", "allow 10.0.0.1/8",
                  "\"allow 10.0.0.1/8\" is not allow or deny, and a network or all" },
                { "listener.unix.a.nodelay", "on", "listeners of type unix have no such option" },
                { "listener.tcp.a.versions", "3.1,4",
                  "\"3.1,4\" is not some, with commas, of 3.1, 3.1.1, 5" },
                { "listener.tcp.a.versions", "",
                  "\"\" is not some, with commas, of 3.1, 3.1.1, 5" },
                { "listener.tcp.a.mountpoint", "a/+/",
                  "\"a/+/\" is not levels of a topic that end in /, without wildcards or a $ in "
                  "front" },
        };
        struct config    *config = fresh();
        const struct row *row;
        char              why[OPTION_WHY_SIZE];

        EACH(rows, row) {
                EXPECT(!config_set(config, str_of(row->key), str_of(row->value), why));
                EXPECT(strcmp(why, row->why) == 0, "%s: %s", row->key, why);
                EXPECT(config->listener_count == 1 && config->listeners[0].implied);
        }
}

/* All that config_check() says. */
static void expect_wrong(struct config *config, const char *lines)
{
        struct config_errors errors = { 0 };

        EXPECT(!config_check(config, "a.conf", &errors));
        EXPECT(str_eq(buffer_str(&errors.text), str_of(lines)), "%.*s",
               STR_ARGS(buffer_str(&errors.text)));
        config_errors_deinit(&errors);
}

static void expect_right(struct config *config)
{
        struct config_errors errors = { 0 };

        EXPECT(config_check(config, "a.conf", &errors));
        config_errors_deinit(&errors);
}

TEST(an_address_is_asked_for)
{
        struct config *config = fresh();

        set(config, "listener.tcp.external.backlog", "9");      /* has one of its own */
        set(config, "listener.unix.external.mode", "0600");
        expect_wrong(config, "a.conf: listener.unix.external has no address; add "
                             "listener.unix.external = PATH\n");
}

TEST(rules_that_let_nobody_in_are_a_mistake)
{
        struct config *config = fresh();

        set(config, "listener.tcp.external.access.3", "deny 10.0.0.0/8");
        expect_wrong(config, "a.conf: listener.tcp.external.access: no rule allows anyone; whom "
                             "none matches is denied, so add listener.tcp.external.access.N = "
                             "allow all\n");
        set(config, "listener.tcp.external.access.4", "allow all");
        expect_right(config);
}

TEST(a_tls_listener_has_a_certificate_and_asks_for_what_it_takes_names_from)
{
        struct config *config = fresh();

        set(config, "listener.ssl.a", "8883");
        set(config, "listener.tls.a.peer_cert_as_username", "cn");
        expect_wrong(config, "a.conf: listener.tls.a has no certificate; add "
                             "listener.tls.a.certfile = PATH\n"
                             "a.conf: listener.tls.a takes names from certificates and asks for "
                             "none; add listener.tls.a.verify = peer\n");
        set(config, "listener.tls.a.certfile", "a.pem");
        set(config, "listener.tls.a.verify", "verify_peer");
        expect_wrong(config, "a.conf: listener.tls.a.verify = peer needs "
                             "listener.tls.a.cacertfile = PATH\n");
        set(config, "listener.tls.a.cacertdir", "/ca");
        expect_right(config);
}

TEST(a_difference_names_every_key)
{
        static struct config from;
        struct config       *to    = fresh();
        struct buffer        lines = { 0 };

        set(to, "listener.tcp.a", "1884");
        set(to, "listener.unix.gone", "/gone");
        set(to, "listener.unix.stays", "/stays");
        from = *to;
        config_init(to);
        set(to, "listener.tcp.a", "1885");
        set(to, "listener.tcp.a.backlog", "7");
        set(to, "listener.unix.stays", "/stays");
        set(to, "listener.unix.stays.mode", "600");
        set(to, "listener.unix.stays.access.2", "deny all");
        set(to, "listener.unix.stays.versions", "5,3.1");
        set(to, "listener.unix.new", "/new");
        EXPECT_EQ(config_diff(&from, to, add_change, &lines), 0);
        EXPECT(str_eq(buffer_str(&lines),
                      STR("listener.tcp.a: 1884 -> 1885\n"
                          "listener.tcp.a.backlog: 1024 -> 7\n"
                          "listener.unix.gone: /gone -> none\n"
                          "listener.unix.stays.access.2: \"\" -> \"deny all\"\n"
                          "listener.unix.stays.versions: 3.1,3.1.1,5 -> 3.1,5\n"
                          "listener.unix.stays.mode: 0660 -> 0600\n"
                          "listener.unix.new: none -> /new\n")),
               "%.*s", STR_ARGS(buffer_str(&lines)));
        buffer_deinit(&lines);
}

SUITE(config_listener, CASE(types_have_names_and_an_alias), CASE(what_is_wrong_is_told),
      CASE(an_address_is_asked_for), CASE(rules_that_let_nobody_in_are_a_mistake),
      CASE(a_tls_listener_has_a_certificate_and_asks_for_what_it_takes_names_from),
      CASE(a_difference_names_every_key))
