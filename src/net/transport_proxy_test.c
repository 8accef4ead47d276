#include "net/transport_proxy.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

static struct transport *peer, *proxy;

static void start(void)
{
        struct transport *ends[2];

        EXPECT(memory_transport_pair(8192, ends));
        peer  = ends[0];
        EXPECT(address_parse(STR("127.0.0.1:99"), &ends[1]->peer));
        proxy = proxy_transport_new(ends[1]);
        EXPECT(proxy != NULL);
}

static void stop(void)
{
        peer->ops->free(peer);
        proxy->ops->free(proxy);
}

static void put(struct str bytes)
{
        struct iovec from = { (void *)(uintptr_t)bytes.ptr, bytes.len };

        EXPECT_EQ(peer->ops->write(peer, &from, 1), (ssize_t)bytes.len);
}

static void expect_read(size_t size, const char *text)
{
        char    to[64];
        ssize_t got = proxy->ops->read(proxy, to, size);

        EXPECT(got == (ssize_t)strlen(text) && memcmp(to, text, (size_t)got) == 0, "%zd", got);
}

static void expect_error(ssize_t error)
{
        char to[64];

        EXPECT_EQ(proxy->ops->read(proxy, to, sizeof to), error);
}

static void expect_peer(const char *text)
{
        char shown[ADDRESS_TEXT_SIZE];

        address_text(transport_peer(proxy), shown);
        EXPECT(strcmp(shown, text) == 0, "%s, not %s", text, shown);
}

TEST(the_header_comes_before_the_bytes)
{
        static const char header[] = "PROXY TCP4 10.1.2.3 10.0.0.1 7 8\r\n";
        char              words[TRANSPORT_TEXT_SIZE];

        start();
        EXPECT(transport_awaits_peer(proxy));
        for (size_t i = 0; i < sizeof header - 2; i++) {
                put(str_from(header + i, 1));
                expect_error(-EAGAIN);
        }
        expect_peer("127.0.0.1:99");
        put(STR("\nabcdef"));
        expect_read(2, "ab");
        EXPECT(proxy->pending && !transport_awaits_peer(proxy));
        expect_peer("10.1.2.3:7");
        EXPECT(!transport_is_local(proxy));
        put(STR("gh"));
        expect_read(64, "cdef");
        EXPECT(!proxy->pending);
        expect_read(64, "gh");
        expect_error(-EAGAIN);
        transport_describe(proxy, words);
        EXPECT(strcmp(words, "proxy=127.0.0.1:99") == 0, "%s", words);
        EXPECT_EQ(transport_identity(proxy, TRANSPORT_USERNAME, words), 0);
        peer->ops->shut(peer);
        expect_error(0);
        stop();
}

/* A header alone is no reason to wait for ever: what comes later is read as it is. */
TEST(a_header_without_more_is_one)
{
        start();
        put(STR("PROXY UNKNOWN\r\n"));
        expect_error(-EAGAIN);
        EXPECT(!transport_awaits_peer(proxy) && !proxy->pending);
        expect_peer("127.0.0.1:99");
        EXPECT(!transport_is_local(proxy));     /* whoever it is */
        put(STR("x"));
        expect_read(64, "x");
        stop();
}

TEST(a_check_of_the_proxy_is_its_own)
{
        start();
        put(STR("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"));
        expect_error(-EAGAIN);
        expect_peer("127.0.0.1:99");
        EXPECT(transport_is_local(proxy));
        stop();
}

TEST(a_verified_name_is_the_identity)
{
        char text[TRANSPORT_TEXT_SIZE];

        start();
        put(STR("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1f\x7f\0\0\x01\x7f\0\0\x01\0\x07\0\x08"
                "\x20\0\x10\x03\0\0\0\0\x22\0\x08robot-01!"));
        expect_read(64, "!");
        EXPECT(transport_is_local(proxy));      /* both are */
        EXPECT_EQ(transport_identity(proxy, TRANSPORT_USERNAME, text), 8);
        EXPECT(strcmp(text, "robot-01") == 0, "%s", text);
        stop();
}

/* "robot\0..." would be taken for robot. */
TEST(a_name_has_no_end_inside)
{
        char text[TRANSPORT_TEXT_SIZE];

        start();
        put(STR("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1f\x7f\0\0\x01\x7f\0\0\x01\0\x07\0\x08"
                "\x20\0\x10\x03\0\0\0\0\x22\0\x08robot\0-1!"));
        expect_read(64, "!");
        EXPECT_EQ(transport_identity(proxy, TRANSPORT_USERNAME, text), 0);
        stop();
}

TEST(without_a_header_there_is_an_end)
{
        start();
        put(STR("\x10\x0d\0\x04MQTT"));
        expect_error(-EPROTO);
        EXPECT(strcmp(proxy->why, "no PROXY header") == 0);
        put(STR("more"));
        expect_error(-EAGAIN);                  /* thrown away */
        peer->ops->shut(peer);
        expect_error(0);
        stop();
        start();
        put(STR("PROXY"));
        expect_error(-EAGAIN);
        peer->ops->shut(peer);
        expect_error(0);
        stop();
}

SUITE(transport_proxy, CASE(the_header_comes_before_the_bytes),
      CASE(a_header_without_more_is_one), CASE(a_check_of_the_proxy_is_its_own),
      CASE(a_verified_name_is_the_identity), CASE(a_name_has_no_end_inside),
      CASE(without_a_header_there_is_an_end))
