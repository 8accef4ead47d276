#include "net/tls_hooks.h"

#include <openssl/x509v3.h>

#include "base/memory.h"
#include "net/tls_psk.h"
#include "net/tls_ticket.h"

/* The certificate that is for the name the client asks for, wildcards included; else the first. */
static int pick_certificate(SSL *ssl, int *alert, void *none)
{
        const struct tls_asked   *asked   = SSL_get_app_data(ssl);
        const struct tls_context *context = asked->context;
        const char               *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        (void)alert;
        (void)none;
        for (unsigned i = 0; name != NULL && i < context->count; i++) {
                X509 *certificate = SSL_CTX_get0_certificate(context->own[i].ssl);

                if (X509_check_host(certificate, name, 0, 0, NULL) != 1)
                        continue;
                SSL_set_SSL_CTX(ssl, context->own[i].ssl);
                return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_NOACK;
}

/* Ours in our order. A client that offers none of them means another service. */
static int pick_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                         const unsigned char *in, unsigned in_len, void *none)
{
        const struct tls_asked   *asked   = SSL_get_app_data(ssl);
        const struct tls_context *context = asked->context;
        unsigned char            *picked;

        (void)none;
        if (SSL_select_next_proto(&picked, out_len, context->alpn, context->alpn_len, in, in_len) !=
            OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = picked;
        return SSL_TLSEXT_ERR_OK;
}

static void note_identity(struct tls_asked *asked, struct str identity, bool known)
{
        mem_free(asked->psk_identity);
        asked->psk_identity = mem_dup(identity);
        asked->psk_known    = known;
}

/* TLS 1.2; OpenSSL asks it for 1.3 as well, when find_psk() has found nothing. */
static unsigned give_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
        struct tls_asked      *asked = SSL_get_app_data(ssl);
        const struct tls_psks *psks  = asked->context->psks;
        struct str             found = tls_psks_find(psks, str_of(identity));

        if (size < PSK_KEY_MAX || SSL_version(ssl) >= TLS1_3_VERSION)
                return 0;
        note_identity(asked, str_of(identity), found.ptr != NULL);
        if (found.ptr == NULL) {
                tls_psks_decoy(psks, str_of(identity), key);
                return PSK_KEY_MIN;
        }
        memcpy(key, found.ptr, found.len);
        return (unsigned)found.len;
}

/* A session that has the key for its secret, and carries its identity along: whoever is asked later
 * reads it from the session that was agreed on, resumed or not, and not from what was offered. */
static SSL_SESSION *session_of(SSL *ssl, struct str identity, struct str key)
{
        static const unsigned char aes_128_gcm_sha256[] = { 0x13, 0x01 };
        const SSL_CIPHER          *cipher  = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
        SSL_SESSION               *session = SSL_SESSION_new();

        if (session != NULL && cipher != NULL && SSL_SESSION_set_cipher(session, cipher) &&
            SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) &&
            SSL_SESSION_set1_master_key(session, (const unsigned char *)key.ptr, key.len) &&
            SSL_SESSION_set1_ticket_appdata(session, identity.ptr, identity.len))
                return session;
        SSL_SESSION_free(session);
        return NULL;
}

/* TLS 1.3: what is unknown may be a session ticket, or be followed by an identity that is good. */
static int find_psk(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **session)
{
        struct tls_asked *asked = SSL_get_app_data(ssl);
        struct str        name  = str_from(identity, len);
        struct str        found = tls_psks_find(asked->context->psks, name);

        *session = NULL;
        if (found.ptr == NULL)
                return 1;
        note_identity(asked, name, true);
        *session = session_of(ssl, name, found);
        return *session != NULL;
}

struct str tls_hooks_psk(SSL *ssl)
{
        const SSL_SESSION *session = SSL_get0_session(ssl);
        void              *name    = NULL;
        size_t             len     = 0;

        if (session == NULL || SSL_version(ssl) < TLS1_3_VERSION)
                return str_of(SSL_get_psk_identity(ssl));
        if (SSL_SESSION_get0_ticket_appdata((SSL_SESSION *)(uintptr_t)session, &name, &len) != 1)
                return (struct str){ 0 };
        return str_from(name, len);
}

static int use_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int seal)
{
        const struct tls_asked *asked = SSL_get_app_data(ssl);

        return tls_tickets_use(asked->context->tickets, name, iv, cipher, mac, seal);
}

void tls_hooks_set(SSL_CTX *ssl, const struct tls_context *context)
{
        SSL_CTX_set_tlsext_servername_callback(ssl, pick_certificate);
        if (context->alpn_len > 0)
                SSL_CTX_set_alpn_select_cb(ssl, pick_protocol, NULL);
        if (context->psks != NULL) {
                SSL_CTX_set_psk_server_callback(ssl, give_psk);
                SSL_CTX_set_psk_find_session_callback(ssl, find_psk);
        }
        if (context->tickets != NULL)
                SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, use_ticket);
}
