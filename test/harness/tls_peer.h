/* For tests: a server by TLS on a memory transport, and OpenSSL as its client, whose bytes are
 * carried by hand. */
#ifndef LINNET_TEST_HARNESS_TLS_PEER_H
#define LINNET_TEST_HARNESS_TLS_PEER_H

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "harness/certificates.h"
#include "net/transport_tls.h"
#include "rt/group_test.h"
#include "unit.h"

enum { PIPE_BYTES = 1 << 20, ROUNDS_MAX = 100000 };

static const char psk_lines[] = "# devices\n"
                                "sensor-1:00112233445566778899aabbccddeeff\r\n"
                                "sensor-2:ffeeddccbbaa99887766554433221100aa\n";

/* What all tests share: an authority, its server, its client. */
static struct certificates folder;
static struct issued       authority, server, client;
static char                authority_file[CERTIFICATES_PATH], server_file[CERTIFICATES_PATH];
static char                psk_file[CERTIFICATES_PATH];

static struct group     group;
static struct tls_pace  pace;
static struct tls_context *context;
static struct transport *ends[2];       /* the peer's end, and the server's below TLS */
static struct transport *tls;
static _Atomic uint64_t handshakes_good, handshakes_resumed, handshakes_failed;

/* The peer: OpenSSL as a client, its bytes carried by hand. */
static SSL_CTX *peer_context;
static SSL     *peer;
static BIO     *peer_in, *peer_out;

static inline uint64_t handshakes(void)
{
        return handshakes_good + handshakes_failed;
}

static inline void set_up(void)
{
        certificates_begin(&folder);
        authority = certificate_issue(&folder, NULL, &(struct wish){ .common_name = "authority",
                                                                     .authority   = true });
        server    = certificate_issue(&folder, &authority,
                                      &(struct wish){ .common_name = "server",
                                                      .names       = "DNS:one.test" });
        client    = certificate_issue(&folder, &authority,
                                      &(struct wish){ .common_name = "robot" });
        certificate_write(&folder, "authority", authority.certificate, NULL, NULL, authority_file);
        certificate_write(&folder, "server", server.certificate, server.key, NULL, server_file);
        certificates_text(&folder, "psk", psk_lines, psk_file);
}

static inline void tear_down(void)
{
        certificate_free(&authority);
        certificate_free(&server);
        certificate_free(&client);
        certificates_end(&folder);
}

static inline struct tls_config plain(void)
{
        struct tls_config config = { .tickets = true, .depth = 1 };

        snprintf(config.certificates, sizeof config.certificates, "%s", server_file);
        return config;
}

static inline struct tls_config mutual(void)
{
        struct tls_config config = plain();

        config.verify               = TLS_VERIFY_PEER;
        config.fail_if_no_peer_cert = true;
        config.username             = TLS_NAME_CN;
        snprintf(config.ca_file, sizeof config.ca_file, "%s", authority_file);
        return config;
}

static inline struct tls_config keyed(void)
{
        struct tls_config config = { .tickets = true };

        snprintf(config.psk_file, sizeof config.psk_file, "%s", psk_file);
        return config;
}

/* The listener's part, and the loop its handshakes run on. */
static inline void open_server(const struct tls_config *config)
{
        char why[TLS_WHY_SIZE] = "";

        group_init(&group, 1);
        pace    = (struct tls_pace){ .loop     = group.loops[0],
                                     .per_turn = 1000,
                                     .good     = &handshakes_good,
                                     .resumed  = &handshakes_resumed,
                                     .failed   = &handshakes_failed };
        context = tls_context_new(config, why);
        EXPECT(context != NULL, "%s", why);
        peer_context = SSL_CTX_new(TLS_client_method());
        EXPECT(peer_context != NULL);
        EXPECT(SSL_CTX_load_verify_file(peer_context, authority_file) == 1);
        SSL_CTX_set_verify(peer_context, SSL_VERIFY_PEER, NULL);
        role_claim(group.loops[0]);
}

static inline void close_server(void)
{
        role_leave();
        SSL_CTX_free(peer_context);
        tls_context_put(context);
        group_deinit(&group);
}

static inline void connect_to(size_t pipe)
{
        handshakes_good = handshakes_failed = 0;
        EXPECT(memory_transport_pair(pipe, ends));
        tls = tls_transport_new(ends[1], context, &pace);
        EXPECT(tls != NULL);
        peer     = SSL_new(peer_context);
        peer_in  = BIO_new(BIO_s_mem());
        peer_out = BIO_new(BIO_s_mem());
        EXPECT(peer != NULL && peer_in != NULL && peer_out != NULL);
        SSL_set_bio(peer, peer_in, peer_out);
        SSL_set_connect_state(peer);
}

static inline void disconnect(void)
{
        SSL_free(peer);
        if (ends[0] != NULL)
                ends[0]->ops->free(ends[0]);
        tls->ops->free(tls);
}

/* Carries up to `most` bytes each way between the peer and its end of the pipe. */
static inline void carry(size_t most)
{
        char          bytes[4096];
        struct iovec  from = { bytes, 0 };
        const char   *waiting;
        long          have = BIO_get_mem_data(peer_out, &waiting);
        ssize_t       got;

        if (have > 0) {
                from.iov_base = (void *)(uintptr_t)waiting;
                from.iov_len  = (size_t)have < most ? (size_t)have : most;
                got           = ends[0]->ops->write(ends[0], &from, 1);
                if (got > 0)
                        EXPECT(BIO_read(peer_out, bytes, got < (ssize_t)sizeof bytes
                                                                 ? (int)got
                                                                 : (int)sizeof bytes) > 0);
        }
        got = ends[0]->ops->read(ends[0], bytes, most < sizeof bytes ? most : sizeof bytes);
        if (got > 0)
                EXPECT_EQ(BIO_write(peer_in, bytes, (int)got), got);
}

/* Both sides in turn, `most` bytes at a time, until the server's handshake is over and the peer's,
 * too, or there is nothing more to say. */
static inline void shake_hands(size_t most)
{
        char none[1];

        for (unsigned i = 0; i < ROUNDS_MAX; i++) {
                ssize_t got;

                SSL_do_handshake(peer);
                carry(most < 4096 ? most : 4096);
                got = tls->ops->read(tls, none, 1);
                EXPECT(got <= 0);
                if (got != -EAGAIN || (handshakes() > 0 && SSL_is_init_finished(peer)))
                        break;
        }
        carry(4096);
}

/* The server reads all, as a client of it does. */
static inline ssize_t server_reads(char *to, size_t size)
{
        ssize_t got, used = 0;

        do {
                got = tls->ops->read(tls, to + used, size - (size_t)used);
                if (got > 0)
                        used += got;
        } while (got > 0 && tls->pending && (size_t)used < size);
        return used > 0 ? used : got;
}

static inline void speak(void)
{
        char         bytes[64];
        size_t       count;
        struct iovec from[] = { { (char[]){ "con" }, 3 }, { (char[]){ "nack" }, 4 } };

        EXPECT(SSL_write_ex(peer, "connect", 7, &count) == 1);
        carry(4096);
        EXPECT_EQ(server_reads(bytes, sizeof bytes), 7);
        EXPECT(memcmp(bytes, "connect", 7) == 0);
        EXPECT_EQ(tls->ops->write(tls, from, 2), 7);
        carry(4096);
        EXPECT(SSL_read_ex(peer, bytes, sizeof bytes, &count) == 1);
        EXPECT(count == 7 && memcmp(bytes, "connack", 7) == 0, "one record");
}

static inline void expect_good(void)
{
        EXPECT(handshakes_good == 1 && handshakes_failed == 0, "%s",
               tls->why != NULL ? tls->why : "no word");
}

static inline void expect_failure(const char *words)
{
        EXPECT(handshakes_good == 0 && handshakes_failed == 1);
        EXPECT(tls->why != NULL && strstr(tls->why, words) != NULL, "\"%s\" with \"%s\" in it",
               tls->why != NULL ? tls->why : "", words);
}

/* One handshake from its beginning, then some bytes if it was good. */
static inline void try_peer(const char *failure)
{
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        if (failure == NULL) {
                expect_good();
                speak();
        } else {
                expect_failure(failure);
        }
        disconnect();
}

static inline int set_up_group(void **state)
{
        (void)state;
        set_up();
        return 0;
}

static inline int tear_down_group(void **state)
{
        (void)state;
        tear_down();
        return 0;
}

#endif
