#include "net/transport_tls.h"

#include "harness/tls_peer.h"
#include "net/transport_proxy.h"
#include "net/transport_websocket.h"

static const struct upgrade_rules rules = { .paths = { "/", 1 } };

TEST(bytes_go_both_ways_however_they_are_cut)
{
        static const size_t sizes[] = { 1, 2, 7, 100, 4096 };
        const size_t       *size;
        struct tls_config   config = plain();

        EACH(sizes, size) {
                for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                        open_server(&config);
                        SSL_CTX_set_max_proto_version(peer_context, version);
                        connect_to(PIPE_BYTES);
                        shake_hands(*size);
                        expect_good();
                        EXPECT_EQ(SSL_version(peer), version);
                        speak();
                        disconnect();
                        close_server();
                }
        }
}

/* Nothing but turns of a loop: what the transport waits for is what it says. */
static struct watch watch;
static unsigned     told;

static void on_ready(struct watch *w, unsigned events)
{
        char none[1];

        told++;
        if (events & (POLL_READ | tls->wants))
                EXPECT(tls->ops->read(tls, none, 1) == -EAGAIN);
        poll_change(w, POLL_READ | tls->wants);
}

TEST(a_handshake_through_a_narrow_pipe_waits_for_room)
{
        struct tls_config config = plain();
        struct poll      *poll   = poll_memory_new();

        open_server(&config);
        connect_to(100);
        watch = (struct watch){ .ready = on_ready };
        EXPECT(tls->ops->attach(tls, poll, &watch, POLL_READ));
        for (unsigned i = 0; i < 1000 && handshakes() == 0; i++) {
                SSL_do_handshake(peer);
                carry(100);
                poll_wait(poll, 0);
        }
        expect_good();
        EXPECT_EQ(tls->wants, 0);
        tls->ops->detach(tls, &watch);
        poll_free(poll);
        disconnect();
        close_server();
}

TEST(what_is_written_arrives_whole_through_a_pipe_that_is_full_at_times)
{
        enum { PIECES = 40, PIECE = 3000, LARGE = 100000 };
        static char       large[LARGE], piece[PIECES][PIECE], got[PIECES * PIECE + LARGE];
        struct iovec      from[PIECES + 1];
        struct tls_config config = plain();
        size_t            at = 0, skip = 0, received = 0, count;

        for (unsigned i = 0; i < PIECES; i++) {
                memset(piece[i], 'a' + (int)(i % 26), PIECE);
                from[i] = (struct iovec){ piece[i], PIECE };
        }
        memset(large, '#', sizeof large);
        from[PIECES] = (struct iovec){ large, LARGE };
        open_server(&config);
        connect_to(20000);
        shake_hands(4096);
        expect_good();
        for (unsigned rounds = 0; received < sizeof got && rounds < ROUNDS_MAX; rounds++) {
                int     left = (int)(PIECES + 1 - at);
                ssize_t sent = left > 0 ? tls->ops->write(tls, from + at, left) : -EAGAIN;

                EXPECT(sent > 0 || sent == -EAGAIN);
                for (skip = sent > 0 ? (size_t)sent : 0; skip > 0;) {
                        size_t some = skip < from[at].iov_len ? skip : from[at].iov_len;

                        from[at].iov_base = (char *)from[at].iov_base + some;
                        from[at].iov_len -= some;
                        skip -= some;
                        at += from[at].iov_len == 0;
                }
                carry(1000);
                while (SSL_read_ex(peer, got + received, sizeof got - received, &count) == 1)
                        received += count;
        }
        EXPECT_EQ(received, sizeof got);
        for (unsigned i = 0; i < PIECES; i++)
                EXPECT(memcmp(got + (size_t)i * PIECE, piece[i], PIECE) == 0, "%u", i);
        EXPECT(memcmp(got + PIECES * PIECE, large, LARGE) == 0);
        disconnect();
        close_server();
}

/* A client of WebSocket: what of `from`, all that came, is payload. Its size. */
static size_t payload_of(const char *from, size_t size, char *to)
{
        size_t at = 0, used = 0;

        while (at + 4 <= size) {
                size_t len    = (unsigned char)from[at + 1];
                size_t header = len < 126 ? 2 : 4;

                EXPECT((unsigned char)from[at] == 0x82 && len < 127, "a header at %zu", at);
                if (len == 126)
                        len = (size_t)(unsigned char)from[at + 2] << 8 |
                              (unsigned char)from[at + 3];
                at += header;
                len = len < size - at ? len : size - at;
                memcpy(to + used, from + at, len);
                used += len;
                at += len;
        }
        return used;
}

/* More is waiting whenever there is room again, as for a client that reads slowly. */
TEST(frames_above_it_arrive_whole_through_a_pipe_that_is_full_at_times)
{
        enum { BYTES = 20000 };
        static const char request[] =
                "GET / HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
        static char       out[BYTES], got[4 * BYTES], payload[4 * BYTES];
        struct tls_config config = plain();
        const char       *frames;
        size_t            count, received = 0, sent = 0, made = 0;

        for (size_t i = 0; i < sizeof out; i++)
                out[i] = (char)(i * 7 + i / 256);
        open_server(&config);
        connect_to(2000);
        shake_hands(2000);
        expect_good();
        tls = websocket_transport_new(tls, &rules);
        EXPECT(tls != NULL && SSL_write_ex(peer, request, sizeof request - 1, &count) == 1);
        carry(4096);
        EXPECT_EQ(tls->ops->read(tls, got, sizeof got), -EAGAIN);
        for (unsigned rounds = 0; rounds < 2000; rounds++) {
                made += made + 70 <= sizeof out ? 70 : sizeof out - made;

                struct iovec from  = { out + sent, made - sent };
                ssize_t      taken = tls->ops->write(tls, &from, 1);

                EXPECT(taken >= 0 || taken == -EAGAIN, "%zd", taken);
                sent += taken > 0 ? (size_t)taken : 0;
                carry(50);
                while (SSL_read_ex(peer, got + received, sizeof got - received, &count) == 1)
                        received += count;
        }
        EXPECT_EQ(sent, sizeof out);
        frames = memmem(got, received, "\r\n\r\n", 4);
        EXPECT(frames != NULL);
        frames += 4;
        EXPECT_EQ(payload_of(frames, received - (size_t)(frames - got), payload), sizeof out);
        EXPECT(memcmp(payload, out, sizeof out) == 0);
        disconnect();
        close_server();
}

TEST(many_records_in_one_go_are_pending_until_they_are_read)
{
        struct tls_config config = plain();
        char              bytes[8];
        size_t            count;
        unsigned          records = 0;

        open_server(&config);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        for (unsigned i = 0; i < 20; i++)
                EXPECT(SSL_write_ex(peer, "record", 6, &count) == 1);
        carry(4096);
        do {
                EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), 6);
                records++;
        } while (tls->pending);
        EXPECT_EQ(records, 20);
        EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), -EAGAIN);
        EXPECT(!tls->pending);
        disconnect();
        close_server();
}

/* A peer that renews its keys for ever must not hold the thread. */
TEST(one_call_reads_no_more_than_its_budget)
{
        struct tls_config config = plain();
        char              bytes[8];
        unsigned          calls = 0;

        open_server(&config);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        expect_good();
        for (unsigned i = 0; i < 8000; i++) {
                const char *waiting;

                EXPECT(SSL_key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
                EXPECT(SSL_do_handshake(peer) == 1);
                while (BIO_get_mem_data(peer_out, &waiting) > 0)
                        carry(4096);
        }
        do {
                EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), -EAGAIN);
                calls++;
        } while (tls->pending);
        EXPECT(calls > 2 && calls < 20, "%u", calls);
        speak();
        disconnect();
        close_server();
}

TEST(a_turn_has_room_for_so_many_handshakes)
{
        enum { PEERS = 6 };
        struct tls_config config = plain();
        struct transport *servers[PEERS], *others[PEERS], *first;
        char              hello[4096], none[1];
        struct iovec      from = { hello, 0 };
        unsigned          answered = 0;

        open_server(&config);
        connect_to(PIPE_BYTES);
        SSL_do_handshake(peer);
        from.iov_len  = (size_t)BIO_read(peer_out, hello, sizeof hello);
        first         = ends[0];
        pace.per_turn = 2;
        for (unsigned i = 0; i < PEERS; i++) {
                EXPECT(memory_transport_pair(PIPE_BYTES, ends));
                others[i]  = ends[0];
                servers[i] = tls_transport_new(ends[1], context, &pace);
                EXPECT(others[i]->ops->write(others[i], &from, 1) > 0);
        }
        for (unsigned turn = 1; turn <= PEERS / 2; turn++) {
                for (unsigned i = 0; i < PEERS; i++)
                        EXPECT_EQ(servers[i]->ops->read(servers[i], none, 1), -EAGAIN);
                answered = 0;
                for (unsigned i = 0; i < PEERS; i++) {
                        char answer[64];

                        answered += others[i]->ops->read(others[i], answer, sizeof answer) > 0;
                }
                EXPECT_EQ(answered, turn * 2);
                role_leave();
                loop_turn(group.loops[0], 0);
                role_claim(group.loops[0]);
        }
        for (unsigned i = 0; i < PEERS; i++) {
                others[i]->ops->free(others[i]);
                servers[i]->ops->free(servers[i]);
        }
        ends[0] = first;
        disconnect();
        close_server();
}

TEST(what_is_no_greeting_is_told)
{
        struct tls_config config = plain();
        static char       connect[] = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
        struct iovec      from      = { connect, 14 };
        char              none[1];

        open_server(&config);
        connect_to(PIPE_BYTES);
        ends[0]->ops->write(ends[0], &from, 1);
        EXPECT_EQ(tls->ops->read(tls, none, 1), -EPROTO);
        expect_failure("wrong version number");
        ends[0]->ops->write(ends[0], &from, 1);
        EXPECT_EQ(tls->ops->read(tls, connect, sizeof connect), -EAGAIN);
        EXPECT_EQ(ends[1]->ops->read(ends[1], none, 1), -EAGAIN);       /* thrown away */
        EXPECT(tls->ops->write(tls, &from, 1) < 0);
        tls->ops->shut(tls);
        disconnect();
        close_server();
}

TEST(whichever_layer_is_broken_the_highest_says_so)
{
        struct tls_config config = plain();
        struct iovec      from   = { (char[]){ "hello" }, 5 };
        char              none[1];

        open_server(&config);
        for (int proxied = 0; proxied < 2; proxied++) {
                EXPECT(memory_transport_pair(PIPE_BYTES, ends));
                if (proxied)
                        ends[1] = proxy_transport_new(ends[1]);
                tls = tls_transport_new(ends[1], context, &pace);
                tls = websocket_transport_new(tls, &rules);
                EXPECT(tls != NULL);
                ends[0]->ops->write(ends[0], &from, 1);
                EXPECT_EQ(tls->ops->read(tls, none, 1), -EPROTO);
                EXPECT(tls->why != NULL &&
                               strstr(tls->why, proxied ? "no PROXY header" : "wrong version"),
                       "%s", tls->why != NULL ? tls->why : "");
                tls->ops->shut(tls);
                ends[0]->ops->free(ends[0]);
                EXPECT(tls->ops->read(tls, none, 1) != -EAGAIN);
                tls->ops->free(tls);
        }
        close_server();
}

TEST(a_peer_that_vanishes_in_the_middle_is_told)
{
        struct tls_config config = plain();
        char              none[1];

        open_server(&config);
        connect_to(PIPE_BYTES);
        SSL_do_handshake(peer);
        carry(4096);
        EXPECT_EQ(tls->ops->read(tls, none, 1), -EAGAIN);
        ends[0]->ops->free(TAKE(ends[0]));
        EXPECT_EQ(tls->ops->read(tls, none, 1), -EPROTO);
        expect_failure("closed by the peer");
        EXPECT_EQ(tls->ops->read(tls, none, 1), 0);
        disconnect();

        connect_to(PIPE_BYTES);
        disconnect();
        EXPECT_EQ(handshakes_failed, 1);
        close_server();
}

TEST(a_goodbye_is_the_end_of_the_stream_behind_what_came_before)
{
        struct tls_config config = plain();
        char              bytes[8];
        size_t            count;

        open_server(&config);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        EXPECT(SSL_write_ex(peer, "last", 4, &count) == 1);
        SSL_shutdown(peer);
        carry(4096);
        EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), 4);
        EXPECT(tls->pending, "the end lies behind it");
        EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), 0);
        tls->ops->shut(tls);
        carry(4096);
        EXPECT_EQ(SSL_read(peer, bytes, sizeof bytes), 0);
        EXPECT_EQ(SSL_get_error(peer, 0), SSL_ERROR_ZERO_RETURN);
        disconnect();

        connect_to(PIPE_BYTES);         /* and one without a goodbye is no failure either */
        shake_hands(4096);
        speak();
        ends[0]->ops->free(TAKE(ends[0]));
        EXPECT_EQ(tls->ops->read(tls, bytes, sizeof bytes), 0);
        disconnect();
        close_server();
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                CASE(bytes_go_both_ways_however_they_are_cut),
                CASE(a_handshake_through_a_narrow_pipe_waits_for_room),
                CASE(what_is_written_arrives_whole_through_a_pipe_that_is_full_at_times),
                CASE(frames_above_it_arrive_whole_through_a_pipe_that_is_full_at_times),
                CASE(many_records_in_one_go_are_pending_until_they_are_read),
                CASE(one_call_reads_no_more_than_its_budget),
                CASE(a_turn_has_room_for_so_many_handshakes),
                CASE(what_is_no_greeting_is_told),
                CASE(whichever_layer_is_broken_the_highest_says_so),
                CASE(a_peer_that_vanishes_in_the_middle_is_told),
                CASE(a_goodbye_is_the_end_of_the_stream_behind_what_came_before),
        };

        return cmocka_run_group_tests_name("transport_tls", tests, set_up_group,
                                           tear_down_group) != 0;
}
