#include "net/tls_context.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/path.h"
#include "net/tls_hooks.h"
#include "net/tls_psk.h"
#include "net/tls_ticket.h"

enum {
        FILE_BYTES_MAX     = 16 << 20,
        PASSWORD_BYTES_MAX = 1024,
        PEER_CHAIN_BYTES   = 65536,     /* of certificates that a client sends */
        SESSION_S          = 7200,
        DAY_S              = 86400,
        WORDS_SIZE         = 1024,
};

static const char ciphers[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
        "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";

/* They come first, since who has a shared key is to prove it: a client without offers none of them.
 * In TLS 1.3 such a key goes with SHA-256. */
static const char psk_ciphers[] =
        "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384:"
        "DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384:PSK-AES128-GCM-SHA256:"
        "PSK-AES256-GCM-SHA384:";
static const char psk_ciphersuites[] =
        "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

/* OpenSSL's words for what failed first of all that went wrong, on this thread. */
static const char *ssl_words(void)
{
        unsigned long error = ERR_peek_error();
        const char   *words = ERR_reason_error_string(error);

        if (ERR_SYSTEM_ERROR(error))
                words = strerror(ERR_GET_REASON(error));
        return words != NULL ? words : "no reason is known";
}

static bool blame(char *why, const char *key, const char *file, const char *words)
{
        snprintf(why, TLS_WHY_SIZE, "%s %s: %s", key, file, words);
        ERR_clear_error();
        return false;
}

/* The words for what a file holds. */
static bool blame_content(char *why, const char *key, const char *file)
{
        bool empty = ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE;

        return blame(why, key, file, empty ? "it has no certificate in PEM" : ssl_words());
}

/* OpenSSL's functions that take a path say little of what is wrong with one. */
static bool readable(const char *key, const char *file, char *why)
{
        struct buffer text = { 0 };
        char          words[WORDS_SIZE];
        bool          good = path_read(file, FILE_BYTES_MAX, &text, words, sizeof words);

        if (text.bytes != NULL)
                OPENSSL_cleanse(text.bytes, text.size);
        buffer_deinit(&text);
        return good || blame(why, key, file, words);
}

/* ---- certificate and key --------------------------------------------------------------------- */

struct password {
        struct str text;
        bool       asked;               /* the key is encrypted */
};

/* Always set, since OpenSSL would ask the terminal otherwise. */
static int give_password(char *to, int size, int writing, void *context)
{
        struct password *password = context;

        (void)writing;
        password->asked = true;
        if (password->text.len == 0 || password->text.len > (size_t)size)
                return -1;
        memcpy(to, password->text.ptr, password->text.len);
        return (int)password->text.len;
}

static bool load_key(SSL_CTX *ssl, const char *file, struct str text, char *why)
{
        struct password password = { .text = text };
        int             reason;
        bool            good;

        SSL_CTX_set_default_passwd_cb(ssl, give_password);
        SSL_CTX_set_default_passwd_cb_userdata(ssl, &password);
        good = SSL_CTX_use_PrivateKey_file(ssl, file, SSL_FILETYPE_PEM) == 1;
        SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
        if (good)
                return true;
        reason = ERR_GET_REASON(ERR_peek_last_error());
        if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)
                return blame(why, "keyfile", file, "it is not the key of the certificate");
        if (!password.asked)
                return blame(why, "keyfile", file, "it has no private key in PEM");
        return blame(why, "keyfile", file,
                     text.len == 0 ? "it is encrypted; set key_password_file"
                                   : "the password of key_password_file does not open it");
}

static int64_t seconds_of(const ASN1_TIME *time)
{
        struct tm tm;

        return time != NULL && ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : 0;
}

static bool load_own(struct tls_own *own, const char *key_file, struct str password, char *why)
{
        if (!readable("certfile", own->file, why) || !readable("keyfile", key_file, why))
                return false;
        if (SSL_CTX_use_certificate_chain_file(own->ssl, own->file) != 1)
                return blame_content(why, "certfile", own->file);
        if (!load_key(own->ssl, key_file, password, why))
                return false;
        if (SSL_CTX_check_private_key(own->ssl) != 1)
                return blame(why, "keyfile", key_file, "it is not the key of the certificate");
        own->expires_s = seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(own->ssl)));
        return true;
}

/* ---- who may come in ------------------------------------------------------------------------- */

static bool load_crls(SSL_CTX *ssl, struct str list, char *why)
{
        X509_STORE  *store  = SSL_CTX_get_cert_store(ssl);
        X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
        char         file[TLS_PATH_SIZE];

        while (path_next(&list, file, sizeof file)) {
                if (!readable("crlfile", file, why))
                        return false;
                if (lookup == NULL || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) <= 0)
                        return blame(why, "crlfile", file, "it has no revocation list in PEM");
        }
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        return true;
}

/* As openssl rehash names them: "5ed36f99.0" has authorities, "5ed36f99.r0" revocation lists. */
static bool is_hashed(const char *name, bool *revokes)
{
        for (unsigned i = 0; i < 8; i++, name++)
                if (!isxdigit((unsigned char)*name))
                        return false;
        if (*name++ != '.')
                return false;
        *revokes = *name == 'r';
        name += *revokes;
        return *name != '\0' && name[strspn(name, "0123456789")] == '\0';
}

/* The files that OpenSSL would look for by itself, but in handshakes, and so on shards. */
static bool load_folder(SSL_CTX *ssl, const char *folder, char *why)
{
        X509_LOOKUP   *lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(ssl),
                                                      X509_LOOKUP_file());
        DIR           *open   = opendir(folder);
        struct dirent *entry;
        bool           good = open != NULL && lookup != NULL, revokes;
        char           file[TLS_PATH_SIZE + sizeof entry->d_name];

        if (!good)
                blame(why, "cacertdir", folder, open == NULL ? strerror(errno) : ssl_words());
        while (good && (entry = readdir(open)) != NULL) {
                if (!is_hashed(entry->d_name, &revokes))
                        continue;
                snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
                good = readable("cacertdir", file, why) &&
                       ((revokes ? X509_load_crl_file(lookup, file, X509_FILETYPE_PEM)
                                 : X509_load_cert_file(lookup, file, X509_FILETYPE_PEM)) > 0 ||
                        blame_content(why, "cacertdir", file));
        }
        if (open != NULL)
                closedir(open);
        return good;
}

static bool load_authorities(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
        int mode = SSL_VERIFY_PEER;

        if (!tls_verifies(config))
                return true;
        if (config->ca_file[0] == '\0' && config->ca_dir[0] == '\0')
                return blame(why, "verify", "= peer", "it needs cacertfile or cacertdir");
        if (config->ca_file[0] != '\0') {
                if (!readable("cacertfile", config->ca_file, why))
                        return false;
                if (SSL_CTX_load_verify_file(ssl, config->ca_file) != 1)
                        return blame_content(why, "cacertfile", config->ca_file);
                SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(config->ca_file));
        }
        if (config->ca_dir[0] != '\0' && !load_folder(ssl, config->ca_dir, why))
                return false;
        if (config->crl_files[0] != '\0' && !load_crls(ssl, str_of(config->crl_files), why))
                return false;
        if (config->fail_if_no_peer_cert)
                mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        SSL_CTX_set_verify(ssl, mode, NULL);
        SSL_CTX_set_verify_depth(ssl, (int)config->depth);
        return true;
}

/* ---- the rules ------------------------------------------------------------------------------- */

static bool set_versions(SSL_CTX *ssl, enum tls_versions versions)
{
        int least = versions == TLS_1_3_ONLY ? TLS1_3_VERSION : TLS1_2_VERSION;
        int most  = versions == TLS_1_2_ONLY ? TLS1_2_VERSION : TLS1_3_VERSION;

        return SSL_CTX_set_min_proto_version(ssl, least) == 1 &&
               SSL_CTX_set_max_proto_version(ssl, most) == 1;
}

static bool set_ciphers(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
        bool keyed = config->psk_file[0] != '\0';
        char ours[sizeof ciphers + sizeof psk_ciphers];

        snprintf(ours, sizeof ours, "%s%s", keyed ? psk_ciphers : "", ciphers);
        if (SSL_CTX_set_cipher_list(ssl, config->ciphers[0] ? config->ciphers : ours) != 1)
                return blame(why, "ciphers", config->ciphers, "OpenSSL knows none of these");
        if (config->ciphersuites[0] != '\0' &&
            SSL_CTX_set_ciphersuites(ssl, config->ciphersuites) != 1)
                return blame(why, "ciphersuites", config->ciphersuites,
                             "OpenSSL does not know one of these");
        if (keyed && config->ciphersuites[0] == '\0')
                SSL_CTX_set_ciphersuites(ssl, psk_ciphersuites);
        return true;
}

static bool set_rules(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
        static const unsigned char session_context[] = "linnet";
        uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                           SSL_OP_IGNORE_UNEXPECTED_EOF;        /* MQTT has an end of its own */

        if (config->server_order || config->psk_file[0] != '\0')
                options |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
        if (!config->tickets)
                options |= SSL_OP_NO_TICKET;
        SSL_CTX_set_options(ssl, options);
        SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_read_ahead(ssl, 1);
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(ssl, config->tickets ? 1 : 0);
        SSL_CTX_set_timeout(ssl, SESSION_S);
        SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_BYTES);
        SSL_CTX_set_dh_auto(ssl, 1);
        if (!set_versions(ssl, config->versions) ||
            !SSL_CTX_set_session_id_context(ssl, session_context, sizeof session_context - 1))
                return blame(why, "tls_versions", "", ssl_words());
        return set_ciphers(ssl, config, why);
}

/* "mqtt,http/1.1" as the wire has it. */
static bool set_alpn(struct tls_context *context, char *why)
{
        struct str list = str_of(context->config.alpn);
        char       name[256];

        while (list.len > 0) {
                size_t len;

                if (!path_next(&list, name, sizeof name) || name[0] == '\0')
                        return blame(why, "alpn", context->config.alpn,
                                     "a protocol has 1 to 255 bytes");
                len = strlen(name);
                context->alpn[context->alpn_len++] = (uint8_t)len;
                memcpy(context->alpn + context->alpn_len, name, len);
                context->alpn_len += (unsigned)len;
        }
        return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool read_password(const struct tls_config *config, struct buffer *password, char *why)
{
        char       words[WORDS_SIZE];
        struct str text;

        if (config->password_file[0] == '\0')
                return true;
        if (!path_read(config->password_file, PASSWORD_BYTES_MAX, password, words, sizeof words))
                return blame(why, "key_password_file", config->password_file, words);
        text = buffer_str(password);
        while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
                text.len--;
        password->len = password->start + text.len;
        return true;
}

static unsigned count_items(const char *list)
{
        unsigned count = list[0] != '\0';

        for (; *list != '\0'; list++)
                count += *list == ',';
        return count;
}

static bool load_all(struct tls_context *context, struct str password, char *why)
{
        struct str certificates = str_of(context->config.certificates);
        struct str keys         = str_of(context->config.keys);
        char       key_file[TLS_PATH_SIZE];

        for (unsigned i = 0; i < context->count || i == 0; i++) {
                struct tls_own *own = &context->own[i];

                own->ssl = SSL_CTX_new(TLS_server_method());
                if (own->ssl == NULL)
                        return blame(why, "TLS", "", ssl_words());
                if (!set_rules(own->ssl, &context->config, why) ||
                    !load_authorities(own->ssl, &context->config, why))
                        return false;
                tls_hooks_set(own->ssl, context);
                if (context->count == 0)
                        break;
                if (!path_next(&certificates, own->file, sizeof own->file))
                        return blame(why, "certfile", context->config.certificates,
                                     "a path is too long");
                if (keys.len == 0)
                        snprintf(key_file, sizeof key_file, "%s", own->file);
                else if (!path_next(&keys, key_file, sizeof key_file))
                        return blame(why, "keyfile", context->config.keys, "a path is too long");
                if (!load_own(own, key_file, password, why))
                        return false;
        }
        return true;
}

static bool check_counts(const struct tls_config *config, char *why)
{
        unsigned certificates = count_items(config->certificates);
        unsigned keys         = count_items(config->keys);

        if (certificates == 0 && config->psk_file[0] == '\0')
                return blame(why, "certfile", "", "it is missing, as is psk_file");
        if (certificates > TLS_CERTIFICATES_MAX)
                return blame(why, "certfile", config->certificates, "more than 64 certificates");
        if (keys != 0 && keys != certificates)
                return blame(why, "keyfile", config->keys,
                             "there must be as many as in certfile, in the same order");
        return true;
}

static bool load(struct tls_context *context, char *why)
{
        struct buffer password = { 0 };
        char          words[WORDS_SIZE];
        bool          good;

        if (context->config.psk_file[0] != '\0') {
                context->psks = tls_psks_read(context->config.psk_file, words);
                if (context->psks == NULL)
                        return blame(why, "psk_file", context->config.psk_file, words);
        }
        if (context->config.tickets) {
                context->tickets = tls_tickets_new(clock_read().mono_ms);
                if (context->tickets == NULL)
                        return blame(why, "TLS", "", "out of memory");
        }
        good = set_alpn(context, why) && read_password(&context->config, &password, why) &&
               load_all(context, buffer_str(&password), why);
        if (password.bytes != NULL)
                OPENSSL_cleanse(password.bytes, password.size);
        buffer_deinit(&password);
        return good;
}

struct tls_context *tls_context_new(const struct tls_config *config, char why[static TLS_WHY_SIZE])
{
        unsigned            count = count_items(config->certificates);
        struct tls_context *context;

        if (!check_counts(config, why))
                return NULL;
        context = mem_zalloc(sizeof *context + (count > 0 ? count : 1) * sizeof context->own[0]);
        if (context == NULL) {
                blame(why, "TLS", "", "out of memory");
                return NULL;
        }
        atomic_store_explicit(&context->references, 1, memory_order_relaxed);
        context->config = *config;
        context->count  = count;
        if (load(context, why))
                return context;
        tls_context_put(context);
        return NULL;
}

struct tls_context *tls_context_get(struct tls_context *context)
{
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
        return context;
}

void tls_context_put(struct tls_context *context)
{
        if (context == NULL ||
            atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1)
                return;
        for (unsigned i = 0; i < context->count || i == 0; i++)
                SSL_CTX_free(context->own[i].ssl);
        tls_psks_free(context->psks);
        tls_tickets_free(context->tickets);
        mem_free(context);
}

int64_t tls_days_left(int64_t expires_s, int64_t now_s)
{
        int64_t left = expires_s - now_s;

        return left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S);
}
