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

/* Serves TLS 1.3 as well. There an unknown identity may be a session ticket, or be followed by a
 * good one; in TLS 1.2 it gets a key that nobody has. */
static unsigned give_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
        struct tls_asked      *asked = SSL_get_app_data(ssl);
        const struct tls_psks *psks  = asked->context->psks;
        struct str             found = tls_psks_find(psks, str_of(identity));
        bool                   newer = SSL_version(ssl) >= TLS1_3_VERSION;

        if (size < PSK_KEY_MAX)
                return 0;
        if (found.ptr == NULL && newer)
                return 0;
        mem_free(asked->psk_identity);
        asked->psk_identity = mem_dup(str_of(identity));
        asked->psk_known    = found.ptr != NULL;
        if (asked->psk_identity == NULL)
                return 0;
        if (found.ptr == NULL) {
                tls_psks_decoy(psks, str_of(identity), key);
                return PSK_KEY_MIN;
        }
        if (newer)      /* it would not tell whose key the session began with */
                SSL_set_num_tickets(ssl, 0);
        memcpy(key, found.ptr, found.len);
        return (unsigned)found.len;
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
        if (context->psks != NULL)
                SSL_CTX_set_psk_server_callback(ssl, give_psk);
        if (context->tickets != NULL)
                SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, use_ticket);
}
