#include "net/http_upgrade.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

#define HOST    "Host: broker:8083\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define MQTT    "Sec-WebSocket-Protocol: mqtt\r\n"
#define GET     "GET /mqtt HTTP/1.1\r\n"
#define REST    HOST UPGRADE KEY VERSION MQTT "\r\n"
#define GOOD    GET REST
#define WITH(field)          GET HOST UPGRADE KEY VERSION MQTT field "\r\n\r\n"
#define OFFERING(protocols)  GET HOST UPGRADE KEY VERSION protocols "\r\n"
#define WITH_KEY(key)        GET HOST UPGRADE VERSION MQTT "Sec-WebSocket-Key: " key "\r\n\r\n"

static const struct upgrade_rules rules = { .paths = { "/mqtt, /ws", 10 } };

static struct upgrade_answer judge(const char *request, const struct upgrade_rules *by,
                                   const char *peer)
{
        struct upgrade_answer answer;
        struct address        address;

        EXPECT(address_parse_ip(str_of(peer), &address));
        upgrade_judge(str_of(request), by, &address, &answer);
        return answer;
}

TEST(what_is_upgraded_and_what_is_refused)
{
        static const struct row {
                unsigned    status;
                const char *request;
        } rows[] = {
                { 101, GOOD },
                { 101, "GET /ws HTTP/1.1\r\n" REST },
                { 101, "GET /mqtt?token=1 HTTP/1.1\r\n" REST },
                { 101, "GET http://broker:8083/mqtt HTTP/1.1\r\n" REST },
                { 101, "GET /mqtt HTTP/1.1\r\n"
                       "host:broker\r\nUPGRADE: h2c,\tWebSocket \r\nconnection: keep-alive, UPGRADE"
                       "\r\n" KEY VERSION MQTT "\r\n" },
                { 101, WITH("Connection: close") },
                { 101, WITH("Content-Length: 0") },
                { 101, WITH("X-Odd:") },
                { 101, WITH("X-Latin: \xe9t\xe9\tx") },
                { 101, WITH("Sec-WebSocket-Extensions: permessage-deflate") },

                /* what is no request */
                { 400, "\r\n" },
                { 400, "GET\r\n\r\n" },
                { 400, "GET /mqtt\r\n\r\n" },
                { 400, "GET /mqtt HTTP/1.1 \r\n" REST },
                { 400, "GET  /mqtt HTTP/1.1\r\n" REST },
                { 400, "GET /mqtt x HTTP/1.1\r\n" REST },
                { 400, "GET /mqtt FTP/1.1.\r\n" REST },
                { 400, "G(T /mqtt HTTP/1.1\r\n" REST },
                { 400, " GET /mqtt HTTP/1.1\r\n" REST },
                { 400, "GET /mqtt HTTP/1.1\n\n" },
                { 400, "GET /mqtt HTTP/1.1\r\nHost: a\n\r\n" },
                { 400, WITH("no colon") },
                { 400, WITH(": no name") },
                { 400, WITH("Space : before the colon") },
                { 400, WITH(" X-Folded: a line") },
                { 400, WITH("X: \x01") },
                { 400, WITH("X: a\rb") },
                { 400, WITH("X: \x7f") },
                { 505, "GET /mqtt HTTP/1.0\r\n" REST },
                { 505, "GET /mqtt HTTP/2.0\r\n" REST },
                { 405, "POST /mqtt HTTP/1.1\r\n" REST },
                { 405, "HEAD /mqtt HTTP/1.1\r\n" REST },
                { 405, "get /mqtt HTTP/1.1\r\n" REST },
                { 404, "GET / HTTP/1.1\r\n" REST },
                { 404, "GET /mqtt/ HTTP/1.1\r\n" REST },
                { 404, "GET /MQTT HTTP/1.1\r\n" REST },
                { 404, "GET /m%71tt HTTP/1.1\r\n" REST },
                { 404, "GET mqtt HTTP/1.1\r\n" REST },
                { 404, "GET * HTTP/1.1\r\n" REST },
                { 404, "GET ?/mqtt HTTP/1.1\r\n" REST },
                { 404, "GET http://broker HTTP/1.1\r\n" REST },
                { 404, "GET http://broker/x/mqtt HTTP/1.1\r\n" REST },
                { 400, GET UPGRADE KEY VERSION MQTT "\r\n" },
                { 400, WITH("Host: another") },
                { 400, WITH("Content-Length: 5") },
                { 400, WITH("Transfer-Encoding: chunked") },

                /* what asks for no WebSocket */
                { 426, GET HOST "\r\n" },
                { 426, GET HOST "Connection: Upgrade\r\n" KEY VERSION MQTT "\r\n" },
                { 426, GET HOST "Upgrade: websocket\r\n" KEY VERSION MQTT "\r\n" },
                { 426, GET HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION MQTT
                       "\r\n" },
                { 426, GET HOST UPGRADE KEY MQTT "\r\n" },
                { 426, GET HOST UPGRADE KEY MQTT "Sec-WebSocket-Version: 8\r\n\r\n" },
                { 426, GET HOST UPGRADE KEY MQTT "Sec-WebSocket-Version: 13, 8\r\n\r\n" },
                { 426, WITH("Sec-WebSocket-Version: 13") },
                { 400, GET HOST UPGRADE VERSION MQTT "\r\n" },
                { 400, WITH("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") },
                { 400, WITH_KEY("") },
                { 400, WITH_KEY("dGhlIHNhbXBsZSBub25jZQ=") },
                { 400, WITH_KEY("dGhlIHNhbXBsZSBub25jZQ===") },
                { 400, WITH_KEY("dGhlIHNhbXBsZSBub25jZQQQ") },
                { 400, WITH_KEY("dGhlIHNhbXBsZSBub25jZ_==") },
        };
        const struct row *row;

        EACH(rows, row) {
                struct upgrade_answer answer = judge(row->request, &rules, "192.0.2.1");

                EXPECT(answer.status == row->status, "%u %s for %s", answer.status,
                       answer.why != NULL ? answer.why : "", row->request);
                EXPECT((answer.status == 101) == (answer.why == NULL), "%s", row->request);
                EXPECT(answer.client.any.sa_family == AF_UNSPEC);
        }
}

/* [MQTT-6.0.0-4] */
TEST(the_subprotocol_is_one_of_mqtt_that_was_offered)
{
        static const struct row {
                const char *request, *chosen, *chosen_of_any;   /* NULL: refused; "": none named */
        } rows[] = {
                { OFFERING(MQTT), "mqtt", "mqtt" },
                { OFFERING("Sec-WebSocket-Protocol: mqttv3.1\r\n"), "mqttv3.1", "mqttv3.1" },
                { OFFERING("Sec-WebSocket-Protocol: mqttv3.1,mqtt\r\n"), "mqtt", "mqtt" },
                { OFFERING("Sec-WebSocket-Protocol: chat\r\n" MQTT), "mqtt", "mqtt" },
                { OFFERING("Sec-WebSocket-Protocol: chat\r\n"), NULL, NULL },
                { OFFERING("Sec-WebSocket-Protocol: MQTT\r\n"), NULL, NULL },
                { OFFERING("Sec-WebSocket-Protocol: mqttx\r\n"), NULL, NULL },
                { OFFERING(""), NULL, "" },
        };
        struct upgrade_rules any = rules;
        const struct row    *row;

        any.any_subprotocol = true;
        EACH(rows, row) {
                for (unsigned i = 0; i < 2; i++) {
                        const char *chosen = i == 0 ? row->chosen : row->chosen_of_any;
                        struct upgrade_answer answer = judge(row->request, i == 0 ? &rules : &any,
                                                             "192.0.2.1");

                        EXPECT(answer.status == (chosen != NULL ? 101 : 400), "%s", row->request);
                        if (chosen != NULL)
                                EXPECT(strcmp(answer.subprotocol != NULL ? answer.subprotocol : "",
                                              chosen) == 0, "%s", row->request);
                }
        }
}

TEST(pages_connect_from_where_they_may)
{
        static const struct row {
                const char *origins, *fields;
                unsigned    status;
        } rows[] = {
                { "", "Host: a\r\n", 101 },                     /* no page */
                { "", "Host: 10.0.0.1:8083\r\nOrigin: http://10.0.0.1\r\n", 101 },
                { "", "Host: a\r\nOrigin: http://a\r\n", 403 },
                { " ", "Host: a\r\nOrigin: https://evil.example\r\n", 403 },
                { "", "Host: a\r\nOrigin: null\r\n", 403 },
                { "", "Host: a\r\nOrigin:\r\n", 403 },
                { "https://b.example", "Host: a\r\nOrigin: https://b.example\r\n", 101 },
                { "https://b.example", "Host: 10.0.0.1\r\nOrigin: http://10.0.0.1\r\n", 403 },
                { "https://b.example", "Host: a\r\n", 101 },
                { "*", "Host: a\r\nOrigin: null\r\n", 101 },
                { "*", "Host: a\r\nOrigin: http://b\r\nOrigin: http://b\r\n", 403 },
        };
        const struct row *row;

        EACH(rows, row) {
                char                 request[1024];
                struct upgrade_rules by = rules;

                by.origins = str_of(row->origins);
                snprintf(request, sizeof request, GET UPGRADE KEY VERSION MQTT "%s\r\n",
                         row->fields);
                EXPECT(judge(request, &by, "192.0.2.1").status == row->status, "%s: %s",
                       row->origins, row->fields);
        }
}

TEST(a_trusted_proxy_names_the_client)
{
        static const struct row {
                const char *peer, *fields, *client;     /* NULL: refused; "": the socket's */
        } rows[] = {
                { "10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
                { "::ffff:10.0.0.1", "x-forwarded-for:192.0.2.7:4711\r\n", "192.0.2.7" },
                { "10.0.0.1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7" },
                { "10.0.0.1", "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7" },
                { "10.0.0.1", "X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7" },
                { "192.0.2.1", "X-Forwarded-For: 127.0.0.1\r\n", "" },  /* not believed */
                { "192.0.2.1", "", "" },
                { "10.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n", "192.0.2.7" },
                { "10.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.7, 10.0.0.9\r\n", "192.0.2.7" },
                { "10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.2.3.4\r\n",
                  "192.0.2.7" },
                { "10.0.0.1", "X-Forwarded-For: made up, 192.0.2.7\r\n", "192.0.2.7" },
                { "10.0.0.1", "X-Forwarded-For: 10.0.0.5, 10.0.0.6\r\n", "10.0.0.5" },
                { "10.0.0.1", "X-Forwarded-For: 192.0.2.7, unknown\r\n", NULL },
                { "10.0.0.1", "X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.6\r\n", NULL },
                { "10.0.0.1", "X-Forwarded-For: 8083\r\n", NULL },
                { "10.0.0.1", "X-Forwarded-For: [\r\n", NULL },
                { "10.0.0.1", "X-Forwarded-For: []\r\n", NULL },
                { "10.0.0.1", "X-Forwarded-For:\r\n", NULL },
                { "10.0.0.1", "X-Real-IP: 192.0.2.7\r\n", NULL },
                { "10.0.0.1", "", NULL },
        };
        struct upgrade_rules by = rules;
        const struct row    *row;

        by.address_field = STR("X-Forwarded-For");
        by.proxies       = STR("10.0.0.0/8");
        EACH(rows, row) {
                char                  request[1024], text[ADDRESS_TEXT_SIZE] = "";
                struct upgrade_answer answer;

                snprintf(request, sizeof request, GET HOST UPGRADE KEY VERSION MQTT "%s\r\n",
                         row->fields);
                answer = judge(request, &by, row->peer);
                EXPECT(answer.status == (row->client != NULL ? 101 : 400), "%s", row->fields);
                if (answer.client.any.sa_family != AF_UNSPEC)
                        address_ip_text(&answer.client, text);
                if (row->client != NULL)
                        EXPECT(strcmp(text, row->client) == 0, "%s: %s", row->fields, text);
        }
}

TEST(a_request_ends_at_its_first_empty_line)
{
        static const char crlf[] = "GET / HTTP/1.1\r\nA: b\r\n\r\nmore\r\n\r\n";
        static const char lf[]   = "GET / HTTP/1.1\nA: b\n\nmore";

        for (size_t at = 0; at < sizeof crlf; at++)     /* however it comes in two */
                for (size_t len = at; len < sizeof crlf; len++) {
                        size_t want = len >= 24 ? 24 : 0;

                        if (at < 24)
                                EXPECT_EQ(upgrade_size(str_from(crlf, len), at), want);
                }
        EXPECT_EQ(upgrade_size(STR(lf), 0), 21);
        EXPECT_EQ(upgrade_size(STR("\r\n"), 0), 0);
        EXPECT_EQ(upgrade_size(STR("A\r\n\r"), 0), 0);
        EXPECT_EQ(upgrade_size(STR(""), 0), 0);
}

TEST(too_many_fields_are_refused)
{
        char   request[UPGRADE_BYTES_MAX];
        size_t len = (size_t)snprintf(request, sizeof request, GET);

        for (unsigned i = 0; i <= UPGRADE_FIELDS_MAX; i++)
                len += (size_t)snprintf(request + len, sizeof request - len, "A: b\r\n");
        snprintf(request + len, sizeof request - len, "\r\n");
        EXPECT_EQ(judge(request, &rules, "192.0.2.1").status, 431);
}

TEST(strangers_are_told_from_requests)
{
        EXPECT(upgrade_stranger(STR("")) == NULL);
        EXPECT(upgrade_stranger(STR("G")) == NULL);
        EXPECT(strstr(upgrade_stranger(STR("\x16\x03\x01")), "TLS") != NULL);
        EXPECT(strstr(upgrade_stranger(STR("\x10")), "MQTT") != NULL);
        EXPECT(upgrade_stranger(STR("\r\n")) != NULL);
}

/* The example of RFC 6455, section 1.3. */
TEST(answers_are_written)
{
        static const struct row {
                const char *request, *answer;
        } rows[] = {
                { GOOD, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                        "Sec-WebSocket-Protocol: mqtt\r\n\r\n" },
                { "PUT /mqtt HTTP/1.1\r\n\r\n",
                  "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nConnection: close\r\n"
                  "Content-Type: text/plain\r\nContent-Length: 31\r\n\r\n"
                  "only GET asks for a WebSocket.\n" },
                { GET HOST UPGRADE "\r\n",
                  "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n"
                  "Content-Type: text/plain\r\nContent-Length: 33\r\n\r\n"
                  "Sec-WebSocket-Version is not 13.\n" },
        };
        const struct row *row;

        EACH(rows, row) {
                struct upgrade_answer answer = judge(row->request, &rules, "192.0.2.1");
                struct buffer         text   = { 0 };

                EXPECT(upgrade_write(&answer, &text));
                EXPECT(str_eq(buffer_str(&text), str_of(row->answer)), "%.*s",
                       STR_ARGS(buffer_str(&text)));
                buffer_deinit(&text);
        }
}

SUITE(http_upgrade, CASE(what_is_upgraded_and_what_is_refused),
      CASE(the_subprotocol_is_one_of_mqtt_that_was_offered),
      CASE(pages_connect_from_where_they_may), CASE(a_trusted_proxy_names_the_client),
      CASE(a_request_ends_at_its_first_empty_line), CASE(too_many_fields_are_refused),
      CASE(strangers_are_told_from_requests), CASE(answers_are_written))
