#include "net/http_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "rt/group_test.h"
#include "unit.h"

/* ---- a server that does as its paths say ----------------------------------------------------- */

enum { PEERS_MAX = 32, REQUEST_MAX = 4096 };

struct peer {
        int    fd;
        char   request[REQUEST_MAX];
        size_t len;
};

static struct {
        pthread_t        thread;
        int              fd, stop[2];
        unsigned         port;
        struct peer      peers[PEERS_MAX];
        unsigned         count;
        _Atomic unsigned accepted, hanging;
        _Atomic bool     broken;                /* every status is 503 */
} server;

static void answer(struct peer *peer, const char *status, struct str headers, struct str body)
{
        struct buffer out = { 0 };

        EXPECT(buffer_printf(&out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%.*s\r\n%.*s", status,
                             body.len, STR_ARGS(headers), STR_ARGS(body)));
        (void)!write(peer->fd, buffer_str(&out).ptr, buffer_len(&out));
        buffer_deinit(&out);
        peer->len = 0;
}

/* A whole request is there. False: the connection is to be closed. */
static bool serve(struct peer *peer, const char *body)
{
        static char large[70000];
        const char *path = strchr(peer->request, ' ') + 1;
        const char *sent = strstr(peer->request, "X-Sent: ");

        if (atomic_load(&server.broken)) {
                answer(peer, "503 Down", (struct str){ 0 }, STR("try later"));
        } else if (strncmp(path, "/echo ", 6) == 0) {
                answer(peer, "200 OK", (struct str){ 0 }, str_of(body));
        } else if (strncmp(path, "/header ", 8) == 0) {
                answer(peer, "200 OK", (struct str){ 0 }, str_from(sent + 8, 5));
        } else if (strncmp(path, "/large ", 7) == 0) {
                memset(large, 'x', sizeof large);
                answer(peer, "200 OK", (struct str){ 0 }, str_from(large, sizeof large));
        } else if (strncmp(path, "/headers ", 9) == 0) {
                memset(large, 'x', sizeof large);
                memcpy(large, "X-Long: ", 8);
                memcpy(large + sizeof large - 2, "\r\n", 2);
                answer(peer, "200 OK", str_from(large, sizeof large), STR("ok"));
        } else if (strncmp(path, "/away ", 6) == 0) {
                answer(peer, "302 Found", STR("Location: /echo\r\n"), STR("elsewhere"));
        } else if (strncmp(path, "/hang ", 6) == 0) {
                atomic_fetch_add(&server.hanging, 1);
        } else if (strncmp(path, "/close ", 7) == 0) {
                return false;
        } else {
                answer(peer, "404 Not Found", (struct str){ 0 }, str_from(path, 5));
        }
        return true;
}

/* False at its end. */
static bool hear(struct peer *peer)
{
        ssize_t     got = read(peer->fd, peer->request + peer->len, REQUEST_MAX - 1 - peer->len);
        const char *end, *length;

        if (got <= 0)
                return false;
        peer->len               += (size_t)got;
        peer->request[peer->len] = '\0';
        end    = strstr(peer->request, "\r\n\r\n");
        length = strstr(peer->request, "Content-Length: ");
        if (end == NULL || (length != NULL && strlen(end + 4) < strtoul(length + 16, NULL, 10)))
                return true;
        return serve(peer, end + 4);
}

static void *serve_all(void *context)
{
        struct pollfd fds[PEERS_MAX + 2];

        (void)context;
        for (;;) {
                fds[0] = (struct pollfd){ .fd = server.stop[0], .events = POLLIN };
                fds[1] = (struct pollfd){ .fd = server.fd, .events = POLLIN };
                for (unsigned i = 0; i < server.count; i++)
                        fds[2 + i] = (struct pollfd){ .fd = server.peers[i].fd, .events = POLLIN };
                poll(fds, server.count + 2, -1);
                for (unsigned i = server.count; i-- > 0;) {
                        if (fds[2 + i].revents == 0 || hear(&server.peers[i]))
                                continue;
                        close(server.peers[i].fd);
                        server.peers[i] = server.peers[--server.count];
                }
                if (fds[1].revents != 0 && server.count < PEERS_MAX) {
                        server.peers[server.count++] = (struct peer){ .fd = accept(server.fd, NULL,
                                                                                   NULL) };
                        atomic_fetch_add(&server.accepted, 1);
                }
                if (fds[0].revents != 0)
                        return NULL;
        }
}

/* Nobody listens on it yet. */
static int bound_socket(unsigned *port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr   = { htonl(INADDR_LOOPBACK) } };
        socklen_t          size    = sizeof address;
        int                fd      = socket(AF_INET, SOCK_STREAM, 0);

        EXPECT(bind(fd, (struct sockaddr *)&address, size) == 0);
        EXPECT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
        *port = ntohs(address.sin_port);
        return fd;
}

static void server_start(void)
{
        server.count = 0;
        atomic_store(&server.accepted, 0);
        atomic_store(&server.hanging, 0);
        atomic_store(&server.broken, false);
        server.fd = bound_socket(&server.port);
        EXPECT(listen(server.fd, PEERS_MAX) == 0);
        EXPECT(pipe(server.stop) == 0);
        EXPECT(pthread_create(&server.thread, NULL, serve_all, NULL) == 0);
}

static void server_stop(void)
{
        EXPECT(write(server.stop[1], "x", 1) == 1);
        pthread_join(server.thread, NULL);
        while (server.count > 0)
                close(server.peers[--server.count].fd);
        close(server.stop[0]);
        close(server.stop[1]);
        close(server.fd);
}

/* ---- a client and who asks ------------------------------------------------------------------- */

enum { ASKED_MAX = 16, TURNS_MAX = 10000, CALLS_MAX = 8 };

static struct group        group;               /* the asker's loop */
static struct http_client *client;
static struct http_target *target;
static unsigned            opened, shut;

struct heard {
        bool             told;
        enum http_result result;
        unsigned         status;
        char             body[64];
};

static struct heard heard[ASKED_MAX];

static void on_answer(void *context, const struct http_answer *a)
{
        struct heard *h = context;

        EXPECT(!h->told);
        *h = (struct heard){ .told = true, .result = a->result, .status = a->status };
        snprintf(h->body, sizeof h->body, "%.*s", STR_ARGS(a->body));
        EXPECT((a->result == HTTP_ANSWERED) == (a->why == NULL));
}

static void on_circuit(void *context, const char *name, const char *why)
{
        (void)context;
        EXPECT(strcmp(name, "test") == 0);
        opened += why != NULL;
        shut   += why == NULL;
}

static void begin_with(uint32_t timeout_ms, uint32_t failures)
{
        const struct http_client_config config = { .connections_max = 4,
                                                   .calls_max       = CALLS_MAX,
                                                   .circuit_changed = on_circuit };
        const struct loop_config        loop   = { .poll = poll_epoll_new() };

        server_start();
        opened = shut = 0;
        memset(heard, 0, sizeof heard);
        group_init_real(&group, 1);
        client = http_client_new(&config, &loop);
        EXPECT(client != NULL);
        target = http_client_target(client, &(struct http_target_config){
                                                    .name               = "test",
                                                    .connect_timeout_ms = 10000,
                                                    .timeout_ms         = timeout_ms,
                                                    .answer_bytes_max   = 65536,
                                                    .circuit = { failures, 60000, 1 } });
        EXPECT(target != NULL);
}

static void begin(void)
{
        begin_with(30000, 0);
}

static void end(void)
{
        http_client_free(client);
        group_deinit(&group);
        server_stop();
}

static struct http_call *ask_url(unsigned i, const char *url, const char *body)
{
        const struct http_request request = { .method  = body != NULL ? HTTP_POST : HTTP_GET,
                                              .url     = str_of(url),
                                              .headers = STR("X-Sent: seven\n"),
                                              .body    = str_of(body) };

        role_claim(group.loops[0]);

        struct http_call *call = http_ask(target, &request, group.loops[0], on_answer, &heard[i]);

        role_leave();
        return call;
}

static struct http_call *ask(unsigned i, const char *path, const char *body)
{
        char url[64];

        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
        return ask_url(i, url, body);
}

static void cancel(struct http_call *call)
{
        role_claim(group.loops[0]);
        http_cancel(call);
        role_leave();
}

static void turn(void)
{
        loop_turn(http_client_loop(client), 10);
        loop_turn(group.loops[0], 0);
}

static const struct heard *wait_for(unsigned i)
{
        for (unsigned turns = 0; !heard[i].told; turns++) {
                EXPECT(turns < TURNS_MAX);
                turn();
        }
        return &heard[i];
}

static void wait_until_hanging(unsigned count)
{
        for (unsigned turns = 0; atomic_load(&server.hanging) < count; turns++) {
                EXPECT(turns < TURNS_MAX);
                turn();
        }
}

TEST(a_request_is_answered)
{
        begin();
        EXPECT(ask(0, "/echo", "user=ann&password=x") != NULL);
        EXPECT_EQ(wait_for(0)->result, HTTP_ANSWERED);
        EXPECT_EQ(heard[0].status, 200);
        EXPECT(strcmp(heard[0].body, "user=ann&password=x") == 0, "%s", heard[0].body);
        EXPECT(ask(1, "/what", NULL) != NULL);
        EXPECT_EQ(wait_for(1)->status, 404);
        EXPECT(strcmp(heard[1].body, "/what") == 0);
        EXPECT(ask(2, "/header", NULL) != NULL);
        EXPECT(strcmp(wait_for(2)->body, "seven") == 0);
        EXPECT_EQ(atomic_load(&server.accepted), 1);    /* kept alive */
        end();
}

TEST(many_are_under_way_at_once)
{
        begin();
        for (unsigned i = 0; i < CALLS_MAX; i++)
                EXPECT(ask(i, "/echo", "x") != NULL);
        EXPECT(ask(CALLS_MAX, "/echo", "x") == NULL);   /* the limit */
        for (unsigned i = 0; i < CALLS_MAX; i++)
                EXPECT_EQ(wait_for(i)->status, 200);
        EXPECT(atomic_load(&server.accepted) <= 4);
        EXPECT(ask(CALLS_MAX, "/echo", "x") != NULL);
        EXPECT_EQ(wait_for(CALLS_MAX)->status, 200);
        end();
}

TEST(an_answer_is_bounded)
{
        begin();
        EXPECT(ask(0, "/large", NULL) != NULL);
        EXPECT_EQ(wait_for(0)->result, HTTP_TOO_LARGE);
        EXPECT(ask(1, "/headers", NULL) != NULL);
        EXPECT_EQ(wait_for(1)->result, HTTP_TOO_LARGE);
        EXPECT(ask(2, "/echo", "x") != NULL);
        EXPECT_EQ(wait_for(2)->status, 200);
        end();
}

TEST(a_redirect_is_not_followed)
{
        begin();
        EXPECT(ask(0, "/away", NULL) != NULL);
        EXPECT_EQ(wait_for(0)->status, 302);
        EXPECT(ask_url(1, "file:///etc/passwd", NULL) != NULL);
        EXPECT_EQ(wait_for(1)->result, HTTP_FAILED);
        end();
}

TEST(silence_and_closed_doors_are_told)
{
        char     url[64];
        unsigned port;
        int      fd = bound_socket(&port);

        begin_with(50, 0);
        EXPECT(ask(0, "/hang", NULL) != NULL);
        EXPECT_EQ(wait_for(0)->result, HTTP_TIMEOUT);
        end();

        begin();
        EXPECT(ask(0, "/close", NULL) != NULL);
        EXPECT_EQ(wait_for(0)->result, HTTP_FAILED);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
        EXPECT(ask_url(1, url, NULL) != NULL);
        EXPECT_EQ(wait_for(1)->result, HTTP_FAILED);
        end();
        close(fd);
}

TEST(what_was_cancelled_is_not_answered)
{
        begin();

        struct http_call *call = ask(0, "/hang", NULL);

        wait_until_hanging(1);
        cancel(call);
        cancel(ask(1, "/echo", "x"));   /* before it was sent */
        EXPECT(ask(2, "/echo", "x") != NULL);
        EXPECT_EQ(wait_for(2)->status, 200);

        call = ask(3, "/echo", "x");    /* answered already, but not told yet */
        for (unsigned i = 0; mailbox_bytes(&group.loops[0]->mailbox) == 0; i++) {
                EXPECT(i < TURNS_MAX);
                loop_turn(http_client_loop(client), 10);
        }
        cancel(call);
        for (unsigned i = 0; i < 10; i++)
                turn();
        EXPECT(!heard[0].told && !heard[1].told && !heard[3].told);
        for (unsigned i = 4; i < 4 + CALLS_MAX; i++)    /* all have made room again */
                EXPECT(ask(i, "/echo", "x") != NULL);
        end();
}

TEST(who_fails_all_the_time_is_left_alone)
{
        begin_with(30000, 3);
        atomic_store(&server.broken, true);
        for (unsigned i = 0; i < 3; i++) {
                EXPECT(ask(i, "/echo", "x") != NULL);
                EXPECT_EQ(wait_for(i)->status, 503);
        }
        EXPECT_EQ(opened, 1);

        unsigned i = 3;

        atomic_store(&server.broken, false);    /* it may be tried after a millisecond */
        do {
                heard[i] = (struct heard){ 0 };
                EXPECT(ask(i, "/echo", "x") != NULL);
        } while (wait_for(i)->result == HTTP_CIRCUIT_OPEN);
        EXPECT_EQ(heard[i].status, 200);
        EXPECT_EQ(opened, 1);
        EXPECT_EQ(shut, 1);
        end();
}

TEST(the_end_takes_what_is_under_way)
{
        begin();
        for (unsigned i = 0; i < 6; i++)
                EXPECT(ask(i, "/hang", "x") != NULL);
        wait_until_hanging(4);
        EXPECT(ask(6, "/echo", "x") != NULL);
        end();
        for (unsigned i = 0; i < 7; i++)
                EXPECT(!heard[i].told);
}

TEST(without_memory_it_is_not_asked)
{
        begin();
        for (int64_t i = 0; i < 3; i++) {
                mem_fail_after(i);
                EXPECT(ask(0, "/echo", "x") == NULL);
                mem_fail_after(-1);
        }
        for (unsigned i = 0; i < CALLS_MAX; i++)
                EXPECT(ask(i, "/echo", "x") != NULL);
        end();
}

SUITE(http_client, CASE(a_request_is_answered), CASE(many_are_under_way_at_once),
      CASE(an_answer_is_bounded), CASE(a_redirect_is_not_followed),
      CASE(silence_and_closed_doors_are_told), CASE(what_was_cancelled_is_not_answered),
      CASE(who_fails_all_the_time_is_left_alone), CASE(the_end_takes_what_is_under_way),
      CASE(without_memory_it_is_not_asked))
