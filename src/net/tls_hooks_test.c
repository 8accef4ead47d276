#include "net/tls_hooks.h"

#include <unistd.h>

#include "harness/tls_peer.h"

TEST(only_the_versions_that_are_allowed_are_spoken)
{
        struct tls_config config = plain();

        config.versions = TLS_1_3_ONLY;
        open_server(&config);
        SSL_CTX_set_max_proto_version(peer_context, TLS1_2_VERSION);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        expect_failure("unsupported protocol");
        disconnect();
        close_server();

        config.versions = TLS_1_2_ONLY;
        open_server(&config);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        expect_good();
        EXPECT_EQ(SSL_version(peer), TLS1_2_VERSION);
        disconnect();
        close_server();
}

static void expect_name(const char *asked, const char *common_name)
{
        char name[64] = "";

        connect_to(PIPE_BYTES);
        if (asked != NULL)
                EXPECT(SSL_set_tlsext_host_name(peer, asked) == 1);
        shake_hands(4096);
        expect_good();
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(peer)),
                                  NID_commonName, name, sizeof name);
        EXPECT(strcmp(name, common_name) == 0, "%s gets %s", asked != NULL ? asked : "-", name);
        disconnect();
}

TEST(the_name_asked_for_picks_the_certificate)
{
        struct tls_config config = plain();
        struct issued     other  = certificate_issue(
                &folder, &authority,
                &(struct wish){ .common_name = "other", .names = "DNS:two.test,DNS:*.wild.test" });
        char file[CERTIFICATES_PATH];

        certificate_write(&folder, "other", other.certificate, other.key, NULL, file);
        snprintf(config.certificates, sizeof config.certificates, "%s, %s", server_file, file);
        open_server(&config);
        expect_name("one.test", "server");
        expect_name("two.test", "other");
        expect_name("TWO.test", "other");
        expect_name("a.wild.test", "other");
        expect_name("a.b.wild.test", "server");
        expect_name("unknown.test", "server");
        expect_name(NULL, "server");
        certificate_free(&other);
        close_server();
}

static void offer(const char *protocols, size_t len, const char *picked)
{
        const unsigned char *got;
        unsigned             got_len;

        connect_to(PIPE_BYTES);
        EXPECT(SSL_set_alpn_protos(peer, (const unsigned char *)protocols, (unsigned)len) == 0);
        shake_hands(4096);
        SSL_get0_alpn_selected(peer, &got, &got_len);
        if (picked != NULL)
                EXPECT(got_len == strlen(picked) && memcmp(got, picked, got_len) == 0);
        else
                expect_failure("no application protocol");
        disconnect();
}

TEST(a_protocol_is_agreed_on)
{
        struct tls_config config = plain();

        snprintf(config.alpn, sizeof config.alpn, "mqtt, x-mqtt");
        open_server(&config);
        offer("\x06x-mqtt\x04mqtt", 12, "mqtt");
        offer("\x02h2\x06x-mqtt", 10, "x-mqtt");
        offer("\x08http/1.1", 9, NULL);
        connect_to(PIPE_BYTES);         /* who offers nothing speaks MQTT */
        shake_hands(4096);
        expect_good();
        disconnect();
        close_server();
}

/* ---- the client's certificate ---------------------------------------------------------------- */

static void try_client(const struct tls_config *config, const struct issued *shown,
                       const char *failure)
{
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                open_server(config);
                SSL_CTX_set_max_proto_version(peer_context, version);
                if (shown != NULL) {
                        EXPECT(SSL_CTX_use_certificate(peer_context, shown->certificate) == 1);
                        EXPECT(SSL_CTX_use_PrivateKey(peer_context, shown->key) == 1);
                }
                try_peer(failure);
                close_server();
        }
}

TEST(clients_show_a_certificate_that_is_good_or_stay_outside)
{
        struct tls_config config  = mutual();
        struct tls_config lenient = mutual();
        struct issued     foreign = certificate_issue(&folder, NULL,
                                                      &(struct wish){ .common_name = "robot",
                                                                      .authority   = true });
        struct issued     old = certificate_issue(&folder, &authority,
                                                  &(struct wish){ .common_name = "robot",
                                                                  .from_days   = -3,
                                                                  .to_days     = -1 });

        lenient.fail_if_no_peer_cert = false;
        try_client(&config, &client, NULL);
        try_client(&config, NULL, "peer did not return a certificate");
        try_client(&lenient, NULL, NULL);
        try_client(&config, &foreign, "self-signed certificate");
        try_client(&lenient, &foreign, "self-signed certificate");
        try_client(&config, &old, "certificate has expired");
        certificate_free(&foreign);
        certificate_free(&old);
}

/* Not in a handshake, which would read the disk on a shard, at the wish of whoever connects. */
TEST(a_folder_of_authorities_is_read_with_the_context)
{
        struct tls_config config   = mutual();
        char              place[]  = "/tmp/linnet-authorities-XXXXXX";
        unsigned long     hash     = X509_subject_name_hash(authority.certificate);
        char              file[64], why[TLS_WHY_SIZE];

        EXPECT(mkdtemp(place) != NULL);
        snprintf(file, sizeof file, "%s/%08lx.0", place, hash);
        EXPECT(symlink(authority_file, file) == 0);
        config.ca_file[0] = '\0';
        snprintf(config.ca_dir, sizeof config.ca_dir, "%s", place);
        open_server(&config);
        EXPECT(unlink(file) == 0);
        EXPECT(SSL_CTX_use_certificate(peer_context, client.certificate) == 1);
        EXPECT(SSL_CTX_use_PrivateKey(peer_context, client.key) == 1);
        try_peer(NULL);
        close_server();
        EXPECT(symlink(psk_file, file) == 0);
        EXPECT(tls_context_new(&config, why) == NULL);
        EXPECT(strstr(why, file) != NULL && strstr(why, "no certificate in PEM") != NULL, "%s",
               why);
        EXPECT(unlink(file) == 0 && rmdir(place) == 0);
        EXPECT(tls_context_new(&config, why) == NULL);
        EXPECT(strstr(why, place) != NULL && strstr(why, "No such file") != NULL, "%s", why);
}

TEST(a_revoked_certificate_is_refused)
{
        struct tls_config config = mutual();
        struct issued     lost   = certificate_issue(&folder, &authority,
                                                     &(struct wish){ .common_name = "lost" });
        char              file[CERTIFICATES_PATH];

        certificate_revoke(&folder, "revoked", &authority, lost.certificate, file);
        snprintf(config.crl_files, sizeof config.crl_files, "%s", file);
        try_client(&config, &client, NULL);
        try_client(&config, &lost, "certificate revoked");
        certificate_free(&lost);
}

static void expect_identity(enum transport_name name, const char *expected)
{
        char text[TRANSPORT_TEXT_SIZE];

        EXPECT_EQ(transport_identity(tls, name, text), strlen(expected));
        EXPECT(strcmp(text, expected) == 0, "%s", text);
}

TEST(a_good_certificate_says_who_it_is_and_none_says_nothing)
{
        struct tls_config config = mutual();
        char              text[TRANSPORT_TEXT_SIZE];

        config.client_id            = TLS_NAME_DN;
        config.fail_if_no_peer_cert = false;
        open_server(&config);
        connect_to(PIPE_BYTES);
        expect_identity(TRANSPORT_USERNAME, "");
        shake_hands(4096);
        expect_identity(TRANSPORT_USERNAME, "");
        disconnect();
        EXPECT(SSL_CTX_use_certificate(peer_context, client.certificate) == 1);
        EXPECT(SSL_CTX_use_PrivateKey(peer_context, client.key) == 1);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        expect_identity(TRANSPORT_USERNAME, "robot");
        expect_identity(TRANSPORT_CLIENT_ID, "CN=robot");
        transport_describe(tls, text);
        EXPECT(strncmp(text, "TLSv1.3 TLS_", 12) == 0, "%s", text);
        disconnect();
        close_server();
}

/* ---- resumption ------------------------------------------------------------------------------ */

static SSL_SESSION *kept_session;
static const char  *psk_identity, *psk_key;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
        (void)ssl;
        SSL_SESSION_free(kept_session);
        kept_session = session;
        return 1;
}

static bool comes_back(void)
{
        bool resumed;

        connect_to(PIPE_BYTES);
        if (kept_session != NULL)
                EXPECT(SSL_set_session(peer, kept_session) == 1);
        shake_hands(4096);
        expect_good();
        speak();        /* tickets of 1.3 come behind the handshake */
        expect_identity(TRANSPORT_USERNAME, psk_key != NULL ? psk_identity : "robot");
        resumed = SSL_session_reused(peer);
        SSL_shutdown(peer);             /* else it would forget the session */
        disconnect();
        return resumed;
}

static void try_resuming(const struct tls_config *config, int version, bool resumes)
{
        open_server(config);
        kept_session       = NULL;
        handshakes_resumed = 0;
        SSL_CTX_set_max_proto_version(peer_context, version);
        SSL_CTX_set_session_cache_mode(peer_context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(peer_context, keep_session);
        EXPECT(SSL_CTX_use_certificate(peer_context, client.certificate) == 1);
        EXPECT(SSL_CTX_use_PrivateKey(peer_context, client.key) == 1);
        EXPECT(!comes_back());
        EXPECT_EQ(comes_back(), resumes);
        EXPECT_EQ(handshakes_resumed, resumes);
        SSL_SESSION_free(kept_session);
        close_server();
}

TEST(a_session_is_resumed_where_tickets_are_on)
{
        struct tls_config config = mutual();

        try_resuming(&config, TLS1_2_VERSION, true);
        try_resuming(&config, TLS1_3_VERSION, true);
        config.tickets = false;
        try_resuming(&config, TLS1_2_VERSION, false);
        try_resuming(&config, TLS1_3_VERSION, false);
}

/* ---- pre-shared keys ------------------------------------------------------------------------- */

static unsigned give_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
                         unsigned char *key, unsigned key_size)
{
        long           len;
        unsigned char *bytes = OPENSSL_hexstr2buf(psk_key, &len);

        (void)ssl;
        (void)hint;
        EXPECT(bytes != NULL && len <= (long)key_size);
        snprintf(identity, identity_size, "%s", psk_identity);
        memcpy(key, bytes, (size_t)len);
        OPENSSL_free(bytes);
        return (unsigned)len;
}

static void try_psk(int version, const char *identity, const char *key, const char *failure)
{
        struct tls_config config = keyed();

        psk_identity = identity;
        psk_key      = key;
        open_server(&config);
        SSL_CTX_set_max_proto_version(peer_context, version);
        SSL_CTX_set_psk_client_callback(peer_context, give_psk);
        try_peer(failure);
        close_server();
}

TEST(who_resumes_a_session_of_a_shared_key_is_who_began_it)
{
        struct tls_config config = keyed();

        psk_identity = "sensor-1";
        psk_key      = "00112233445566778899aabbccddeeff";
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                open_server(&config);
                kept_session = NULL;
                SSL_CTX_set_max_proto_version(peer_context, version);
                SSL_CTX_set_session_cache_mode(peer_context, SSL_SESS_CACHE_CLIENT);
                SSL_CTX_sess_set_new_cb(peer_context, keep_session);
                SSL_CTX_set_psk_client_callback(peer_context, give_psk);
                comes_back();
                comes_back();
                SSL_SESSION_free(kept_session);
                close_server();
        }
        psk_key = NULL;
}

/* Offered is not proven: the certificate was used, and nobody has looked at the key. */
TEST(an_identity_that_was_only_offered_is_nobody)
{
        struct tls_config config = plain();

        snprintf(config.psk_file, sizeof config.psk_file, "%s", psk_file);
        snprintf(config.ciphersuites, sizeof config.ciphersuites, "TLS_AES_256_GCM_SHA384");
        psk_identity = "sensor-1";
        psk_key      = "00112233445566778899aabbccddeefe";
        open_server(&config);
        SSL_CTX_set_psk_client_callback(peer_context, give_psk);
        connect_to(PIPE_BYTES);
        shake_hands(4096);
        expect_good();
        expect_identity(TRANSPORT_USERNAME, "");
        disconnect();
        close_server();
}

TEST(who_has_a_shared_key_proves_it_where_there_is_a_certificate_too)
{
        struct tls_config config = plain();

        snprintf(config.psk_file, sizeof config.psk_file, "%s", psk_file);
        psk_identity = "sensor-1";
        psk_key      = "00112233445566778899aabbccddeeff";
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                open_server(&config);
                SSL_CTX_set_max_proto_version(peer_context, version);
                connect_to(PIPE_BYTES);
                shake_hands(4096);
                expect_good();
                expect_identity(TRANSPORT_USERNAME, "");
                disconnect();
                SSL_CTX_set_psk_client_callback(peer_context, give_psk);
                connect_to(PIPE_BYTES);
                shake_hands(4096);
                expect_good();
                expect_identity(TRANSPORT_USERNAME, "sensor-1");
                disconnect();
                close_server();
        }
}

TEST(a_key_shared_before_is_enough_and_a_wrong_one_is_not)
{
        static const char good[] = "00112233445566778899aabbccddeeff";
        static const char bad[]  = "00112233445566778899aabbccddeefe";

        try_psk(TLS1_2_VERSION, "sensor-1", good, NULL);
        try_psk(TLS1_3_VERSION, "sensor-1", good, NULL);
        try_psk(TLS1_2_VERSION, "sensor-1", bad, "sensor-1 has a key");
        try_psk(TLS1_2_VERSION, "sensor-9", good, "sensor-9 is no identity");
        try_psk(TLS1_3_VERSION, "sensor-1", bad, "binder does not verify");
        try_psk(TLS1_3_VERSION, "sensor-9", good, "no suitable");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                CASE(only_the_versions_that_are_allowed_are_spoken),
                CASE(the_name_asked_for_picks_the_certificate),
                CASE(a_protocol_is_agreed_on),
                CASE(clients_show_a_certificate_that_is_good_or_stay_outside),
                CASE(a_folder_of_authorities_is_read_with_the_context),
                CASE(a_revoked_certificate_is_refused),
                CASE(a_good_certificate_says_who_it_is_and_none_says_nothing),
                CASE(a_session_is_resumed_where_tickets_are_on),
                CASE(who_resumes_a_session_of_a_shared_key_is_who_began_it),
                CASE(an_identity_that_was_only_offered_is_nobody),
                CASE(who_has_a_shared_key_proves_it_where_there_is_a_certificate_too),
                CASE(a_key_shared_before_is_enough_and_a_wrong_one_is_not),
        };

        return cmocka_run_group_tests_name("tls_hooks", tests, set_up_group, tear_down_group) != 0;
}
