/* What an operator says of TLS at one listener: plain values, so that a copy is a snapshot. Lists
 * are separated by commas. */
#ifndef LINNET_NET_TLS_CONFIG_H
#define LINNET_NET_TLS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum {
        TLS_PATH_SIZE        = 512,
        TLS_PATHS_SIZE       = 1024,
        TLS_WORDS_SIZE       = 1024,
        TLS_CERTIFICATES_MAX = 64,
};

enum tls_versions { TLS_1_2_AND_1_3, TLS_1_3_ONLY, TLS_1_2_ONLY };

/* Mosquitto and newer brokers say it without verify_, emqttd with it. */
enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_PEER, TLS_VERIFY_NONE_LONG, TLS_VERIFY_PEER_LONG };

/* What of the peer's certificate is its name. Who has a pre-shared key instead has its identity. */
enum tls_name {
        TLS_NAME_NONE,
        TLS_NAME_CN,            /* the common name of the subject, if it has just one */
        TLS_NAME_DN,            /* the whole subject as RFC 2253 writes it */
        TLS_NAME_SAN_DNS,       /* the first of its kind among the alternative names */
        TLS_NAME_SAN_EMAIL,
        TLS_NAME_SAN_URI,
};

struct tls_config {
        char              certificates[TLS_PATHS_SIZE]; /* each with its chain; the first one is
                                                         * shown to who asks for none of them */
        char              keys[TLS_PATHS_SIZE];         /* in the same order; empty: with them */
        char              password_file[TLS_PATH_SIZE]; /* of encrypted keys */
        char              ca_file[TLS_PATH_SIZE];       /* whose client certificates are good */
        char              ca_dir[TLS_PATH_SIZE];
        char              crl_files[TLS_PATHS_SIZE];
        char              psk_file[TLS_PATH_SIZE];      /* lines of identity:hexkey */
        char              ciphers[TLS_WORDS_SIZE];      /* up to TLS 1.2; empty: ours */
        char              ciphersuites[TLS_WORDS_SIZE]; /* of TLS 1.3; empty: OpenSSL's */
        char              alpn[TLS_WORDS_SIZE];         /* empty: whatever the client offers */
        enum tls_versions versions;
        enum tls_verify   verify;
        bool              fail_if_no_peer_cert;
        bool              server_order;         /* of ciphers, instead of the client's */
        bool              tickets;              /* sessions are resumed */
        uint32_t          depth;                /* of intermediate certificates of a client */
        enum tls_name     username;             /* what transport_identity() says, each */
        enum tls_name     client_id;
};

static inline bool tls_verifies(const struct tls_config *config)
{
        return config->verify == TLS_VERIFY_PEER || config->verify == TLS_VERIFY_PEER_LONG;
}

#endif
