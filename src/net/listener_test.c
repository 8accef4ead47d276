#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "rt/group_test.h"
#include "unit.h"

enum { CLIENTS_MAX = 100, WAIT_MS = 2000 };

static const struct listener_tuning tuning = { CLIENTS_MAX, .nodelay = true, .keepalive_s = 60 };

static struct transport *accepted[CLIENTS_MAX];
static unsigned          accepted_count;
static bool              close_at_once;

static void on_accepted(struct listener *listener, struct transport *transport)
{
        on_shard(listener->loop);
        accepted[accepted_count++] = transport;
        if (close_at_once)
                listener_close(listener);
}

static void forget_accepted(void)
{
        while (accepted_count > 0) {
                struct transport *t = accepted[--accepted_count];

                t->ops->free(t);
        }
}

static void start(struct listener *listener, struct loop *loop, const char *text)
{
        struct address address;

        close_at_once = false;
        EXPECT(address_parse(str_of(text), &address));
        *listener = (struct listener){ .accepted = on_accepted };
        EXPECT(listener_open(listener, &address, &tuning), "%s: %s", text, strerror(errno));
        EXPECT(address_port(&listener->address) != 0);
        role_claim(loop);
        EXPECT(listener_start(listener, loop));
        role_leave();
}

static int client_to(const char *ip, const struct listener *listener)
{
        struct address to;
        char           text[ADDRESS_TEXT_SIZE];
        int            fd;

        snprintf(text, sizeof text, "%s:%u", ip, address_port(&listener->address));
        EXPECT(address_parse(str_of(text), &to));
        fd = socket(to.any.sa_family, SOCK_STREAM, 0);
        EXPECT(fd >= 0);
        EXPECT(connect(fd, &to.any, address_len(&to)) == 0, "%s: %s", text, strerror(errno));
        return fd;
}

static void turn_until_accepted(struct loop *loop, unsigned count)
{
        for (unsigned i = 0; accepted_count < count && i < 100; i++)
                loop_turn(loop, WAIT_MS);
        EXPECT_EQ(accepted_count, count);
}

static void on_ready(struct watch *watch, unsigned events)
{
        *(unsigned *)(void *)(watch + 1) |= events;
}

/* [MQTT3-7.1.1-1] [MQTT5-4.2.0-1] */
TEST(bytes_go_both_ways_over_tcp)
{
        struct group      group;
        struct listener   listener;
        struct transport *t;
        struct {
                struct watch watch;
                unsigned     told;
        } seen = { .watch = { .ready = on_ready } };
        char               hello[] = "hello";
        const struct iovec from[]  = { { hello, 2 }, { hello + 2, 3 } };
        char               bytes[16];
        int                client, on = 0;
        socklen_t          len = sizeof on;

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        client = client_to("127.0.0.1", &listener);
        turn_until_accepted(group.loops[0], 1);
        t = accepted[0];
        EXPECT(address_is_loopback(&t->peer));

        EXPECT_EQ(t->ops->read(t, bytes, sizeof bytes), -EAGAIN);
        EXPECT(t->ops->attach(t, group.loops[0]->config.poll, &seen.watch, POLL_READ));
        EXPECT_EQ(getsockopt(seen.watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        EXPECT(on != 0);
        EXPECT_EQ(getsockopt(seen.watch.fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, &len), 0);
        EXPECT_EQ(on, 60);
        EXPECT_EQ(getsockopt(seen.watch.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
        EXPECT(on != 0);
        EXPECT((fcntl(seen.watch.fd, F_GETFL) & O_NONBLOCK) != 0);
        EXPECT((fcntl(seen.watch.fd, F_GETFD) & FD_CLOEXEC) != 0);
        EXPECT_EQ(send(client, "ping", 4, 0), 4);
        loop_turn(group.loops[0], WAIT_MS);
        EXPECT_EQ(seen.told, POLL_READ);
        EXPECT_EQ(t->ops->read(t, bytes, sizeof bytes), 4);
        EXPECT_EQ(t->ops->write(t, from, 2), 5);
        EXPECT_EQ(recv(client, bytes, 5, MSG_WAITALL), 5);
        EXPECT(memcmp(bytes, "hello", 5) == 0);

        t->ops->shut(t);
        EXPECT_EQ(recv(client, bytes, 1, 0), 0);
        EXPECT_EQ(t->ops->write(t, from, 2), -EPIPE);   /* and no SIGPIPE */
        close(client);
        loop_turn(group.loops[0], WAIT_MS);
        EXPECT_EQ(t->ops->read(t, bytes, sizeof bytes), 0);
        t->ops->detach(t, &seen.watch);
        t->ops->detach(t, &seen.watch);
        forget_accepted();
        listener_close(&listener);
        group_deinit(&group);
}

TEST(a_full_socket_asks_to_wait)
{
        struct group      group;
        struct listener   listener;
        static char       block[65536];
        struct iovec      from[IOV_MAX + 1];
        ssize_t           written;
        int               client;

        for (unsigned i = 0; i < IOV_MAX + 1; i++)
                from[i] = (struct iovec){ block, sizeof block };
        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        client = client_to("127.0.0.1", &listener);
        turn_until_accepted(group.loops[0], 1);
        /* More parts than the kernel takes at once are no error. */
        EXPECT(accepted[0]->ops->write(accepted[0], from, IOV_MAX + 1) > 0);
        do
                written = accepted[0]->ops->write(accepted[0], from, 1);
        while (written > 0);
        EXPECT_EQ(written, -EAGAIN);
        forget_accepted();
        close(client);
        listener_close(&listener);
        group_deinit(&group);
}

TEST(a_wildcard_takes_both_families)
{
        struct group    group;
        struct listener listener;
        char            text[ADDRESS_TEXT_SIZE];
        int             v4, v6 = -1;

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "0");
        v4 = client_to("127.0.0.1", &listener);
        turn_until_accepted(group.loops[0], 1);
        address_ip_text(&accepted[0]->peer, text);
        EXPECT(strcmp(text, "127.0.0.1") == 0, "%s", text);

        struct address loopback = { .v6 = { .sin6_family = AF_INET6,
                                            .sin6_addr   = IN6ADDR_LOOPBACK_INIT } };
        int            probe    = socket(AF_INET6, SOCK_STREAM, 0);

        /* A machine may have no IPv6. */
        if (probe >= 0 && bind(probe, &loopback.any, address_len(&loopback)) == 0) {
                v6 = client_to("[::1]", &listener);
                turn_until_accepted(group.loops[0], 2);
                EXPECT(address_is_loopback(&accepted[1]->peer));
                close(v6);
        }
        if (probe >= 0)
                close(probe);
        close(v4);
        forget_accepted();
        listener_close(&listener);
        group_deinit(&group);
}

TEST(a_wakeup_accepts_64_at_most)
{
        struct group    group;
        struct listener listener;
        int             clients[70];

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        for (unsigned i = 0; i < 70; i++)
                clients[i] = client_to("127.0.0.1", &listener);
        loop_turn(group.loops[0], WAIT_MS);
        EXPECT_EQ(accepted_count, 64);
        turn_until_accepted(group.loops[0], 70);
        for (unsigned i = 0; i < 70; i++)
                close(clients[i]);
        forget_accepted();
        listener_close(&listener);
        group_deinit(&group);
}

TEST(without_descriptors_accepting_pauses)
{
        struct group    group;
        struct listener listener;
        struct rlimit   old, low;
        int             client;
        uint64_t        began_ms;

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        client = client_to("127.0.0.1", &listener);
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
        low = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
        loop_turn(group.loops[0], WAIT_MS);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
        EXPECT_EQ(listener.accept_failures, 1);
        EXPECT(timer_is_set(&listener.pause));
        began_ms = clock_read().mono_ms;
        EXPECT(!loop_turn(group.loops[0], 0));          /* does not spin */
        turn_until_accepted(group.loops[0], 1);
        EXPECT(clock_read().mono_ms - began_ms >= 90);
        EXPECT_EQ(listener.accept_failures, 1);
        forget_accepted();
        close(client);
        listener_close(&listener);
        group_deinit(&group);
}

TEST(without_memory_the_connection_is_closed)
{
        struct group    group;
        struct listener listener;
        char            byte;
        int             client;

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        client = client_to("127.0.0.1", &listener);
        mem_fail_after(0);
        loop_turn(group.loops[0], WAIT_MS);
        mem_fail_after(-1);
        EXPECT_EQ(accepted_count, 0);
        EXPECT_EQ(listener.accept_failures, 1);
        EXPECT_EQ(recv(client, &byte, 1, 0), 0);
        close(client);
        listener_close(&listener);                      /* while it pauses */
        EXPECT(!timer_is_set(&listener.pause));
        group_deinit(&group);
}

TEST(the_receiver_may_close_the_listener)
{
        struct group    group;
        struct listener listener;
        int             clients[2];

        group_init_real(&group, 1);
        start(&listener, group.loops[0], "127.0.0.1:0");
        close_at_once = true;
        for (unsigned i = 0; i < 2; i++)
                clients[i] = client_to("127.0.0.1", &listener);
        loop_turn(group.loops[0], WAIT_MS);
        EXPECT_EQ(accepted_count, 1);
        for (unsigned i = 0; i < 2; i++)
                close(clients[i]);
        forget_accepted();
        listener_close(&listener);
        group_deinit(&group);
}

TEST(shards_share_an_address)
{
        struct listener one = { 0 }, two = { 0 };
        struct address  address;

        listener_close(&one);                           /* not open: nothing, least of all fd 0 */
        EXPECT(fcntl(0, F_GETFD) >= 0);
        EXPECT(address_parse(STR("127.0.0.1:0"), &address));
        EXPECT(listener_open(&one, &address, &tuning));
        EXPECT(listener_open(&two, &one.address, &tuning));
        EXPECT_EQ(address_port(&one.address), address_port(&two.address));
        listener_close(&one);
        listener_close(&two);
        EXPECT(address_parse(STR("192.0.2.1:0"), &address));    /* TEST-NET: not this machine's */
        EXPECT(!listener_open(&one, &address, &tuning));
        EXPECT_EQ(errno, EADDRNOTAVAIL);
        listener_close(&one);
}

SUITE(listener, CASE(bytes_go_both_ways_over_tcp), CASE(a_full_socket_asks_to_wait),
      CASE(a_wildcard_takes_both_families), CASE(a_wakeup_accepts_64_at_most),
      CASE(without_descriptors_accepting_pauses), CASE(without_memory_the_connection_is_closed),
      CASE(the_receiver_may_close_the_listener), CASE(shards_share_an_address))
