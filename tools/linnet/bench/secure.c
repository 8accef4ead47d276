#include "secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

static const char *library_why(void)
{
        const char *why = ERR_reason_error_string(ERR_peek_last_error());

        return why != NULL ? why : "the connection broke";
}

static bool fail(const char *option, const char *file)
{
        fprintf(stderr, "Error: %s %s: %s.\n", option, file, library_why());
        return false;
}

static bool load(SSL_CTX *context, const struct bench_options *o)
{
        const char *key = o->key != NULL ? o->key : o->cert;

        if (o->cafile != NULL && SSL_CTX_load_verify_locations(context, o->cafile, NULL) != 1)
                return fail("--cafile", o->cafile);
        if (o->cafile == NULL)
                SSL_CTX_set_default_verify_paths(context);
        if (o->cert == NULL)
                return true;
        if (SSL_CTX_use_certificate_chain_file(context, o->cert) != 1)
                return fail("--cert", o->cert);
        if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
                return fail("--key", key);
        return true;
}

SSL_CTX *secure_context(const struct bench_options *options)
{
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());

        if (context == NULL) {
                fputs("Error: --tls: there is no memory.\n", stderr);
                return NULL;
        }
        /* What was not taken is kept elsewhere and offered again; idle connections keep nothing. */
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                          SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_verify(context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        if (load(context, options))
                return context;
        SSL_CTX_free(context);
        return NULL;
}

SSL *secure_new(SSL_CTX *context, const struct bench_options *options, int fd)
{
        SSL *ssl = SSL_new(context);
        bool is_ip;

        if (ssl == NULL)
                return NULL;
        is_ip = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), options->host) == 1;
        if (SSL_set_fd(ssl, fd) == 1 &&
            (is_ip || (SSL_set1_host(ssl, options->host) == 1 &&
                       SSL_set_tlsext_host_name(ssl, options->host) == 1)))
                return ssl;
        SSL_free(ssl);
        return NULL;
}

/* What a call that returned no success means. */
static int outcome(const SSL *ssl, int result, bool *writes)
{
        int error = SSL_get_error(ssl, result);

        if (error == SSL_ERROR_ZERO_RETURN)
                return 0;
        *writes = error == SSL_ERROR_WANT_WRITE;
        errno   = *writes || error == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
        return -1;
}

int secure_handshake(SSL *ssl, bool *writes)
{
        int result;

        ERR_clear_error();
        *writes = false;
        result  = SSL_connect(ssl);
        if (result == 1)
                return 1;
        if (outcome(ssl, result, writes) == 0)
                errno = EPROTO;
        return -1;
}

ssize_t secure_read(SSL *ssl, void *to, size_t size)
{
        size_t got = 0;
        bool   writes;

        ERR_clear_error();
        return SSL_read_ex(ssl, to, size, &got) == 1 ? (ssize_t)got : outcome(ssl, 0, &writes);
}

ssize_t secure_write(SSL *ssl, const void *bytes, size_t size)
{
        size_t done = 0;
        bool   writes;

        ERR_clear_error();
        if (SSL_write_ex(ssl, bytes, size, &done) == 1)
                return (ssize_t)done;
        if (outcome(ssl, 0, &writes) == 0)
                errno = EPROTO;
        return -1;
}

const char *secure_why(const SSL *ssl)
{
        long verified = SSL_get_verify_result(ssl);

        if (verified != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
                return X509_verify_cert_error_string(verified);
        return library_why();
}
