#include "net/transport_tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/memory.h"
#include "net/tls_hooks.h"
#include "net/tls_identity.h"

enum {
        RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH,
        WRITE_BYTES  = 262144,          /* encrypted in one call: no more than a turn should take */
        WORDS_SIZE   = 512,
};

struct tls {
        struct transport  transport;
        struct tls_asked  asked;
        SSL              *ssl;
        struct tls_pace  *pace;         /* NULL once the handshake is over */
        char             *words;        /* owned; .why of the transport */
        size_t            budget;       /* bytes that this call may still read from below */
        int               error;        /* -errno from below */
        bool              starved;      /* the budget was spent */
        bool              full;         /* below gave as much as was asked for: it may have more */
        bool              eof;
        bool              wrote;
        bool              broken;       /* a fatal error: OpenSSL is not to be called any more */
};

static const struct transport_ops tls_ops;

static struct tls *tls_of(struct transport *t)
{
        assert(t->ops == &tls_ops);
        return (struct tls *)(void *)t;
}

/* ---- what OpenSSL sees as a socket ----------------------------------------------------------- */

static int bio_read(BIO *bio, char *to, int size)
{
        struct tls       *tls   = BIO_get_data(bio);
        struct transport *below = tls->transport.below;
        size_t            asked = (size_t)size < tls->budget ? (size_t)size : tls->budget;
        ssize_t           got   = -EAGAIN;

        BIO_clear_retry_flags(bio);
        tls->full    = false;
        tls->starved = asked == 0;
        if (asked > 0)
                got = below->ops->read(below, to, asked);
        if (got > 0) {
                tls->budget -= (size_t)got;
                tls->full = (size_t)got == asked;
                return (int)got;
        }
        if (got == -EAGAIN)
                BIO_set_retry_read(bio);
        else if (got == 0)
                tls->eof = true;
        else
                tls->error = (int)got;
        return got == 0 ? 0 : -1;
}

static int bio_write(BIO *bio, const char *from, int size)
{
        struct tls       *tls   = BIO_get_data(bio);
        struct transport *below = tls->transport.below;
        struct iovec      bytes = { (void *)(uintptr_t)from, (size_t)size };
        ssize_t           sent  = below->ops->write(below, &bytes, 1);

        BIO_clear_retry_flags(bio);
        tls->wrote = true;
        if (sent >= 0)
                return (int)sent;
        if (sent == -EAGAIN)
                BIO_set_retry_write(bio);
        else
                tls->error = (int)sent;
        return -1;
}

static long bio_control(BIO *bio, int what, long number, void *pointer)
{
        const struct tls *tls = BIO_get_data(bio);

        (void)number;
        (void)pointer;
        if (what == BIO_CTRL_EOF)
                return tls->eof;
        return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
        bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
        if (bio_method == NULL || !BIO_meth_set_read(bio_method, bio_read) ||
            !BIO_meth_set_write(bio_method, bio_write) ||
            !BIO_meth_set_ctrl(bio_method, bio_control)) {
                BIO_meth_free(bio_method);
                bio_method = NULL;
        }
}

static bool connect_bio(struct tls *tls)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        BIO                  *bio;

        pthread_once(&once, make_bio_method);
        bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
        if (bio == NULL)
                return false;
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
        SSL_set_bio(tls->ssl, bio, bio);        /* takes it */
        return true;
}

/* ---- what became of a call ------------------------------------------------------------------- */

/* What the layer below says is passed on; this one adds to it. */
static void say(struct tls *tls, unsigned wants, bool pending)
{
        const struct transport *below = tls->transport.below;

        tls->transport.wants   = wants | below->wants;
        tls->transport.pending = pending || below->pending;
}

/* In OpenSSL's words, and what they do not say. */
static void explain(struct tls *tls, char words[static WORDS_SIZE])
{
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        const char *psk    = tls->asked.psk_identity;
        long        verify = SSL_get_verify_result(tls->ssl);

        if (reason == NULL)
                reason = "no reason is known";
        if (tls->error == -EPROTO && tls->transport.below->why != NULL)
                reason = tls->transport.below->why;
        else if (tls->error != 0)
                reason = strerror(-tls->error);
        else if (tls->eof)
                reason = "closed by the peer in the middle of the handshake";
        if (tls->error == 0 && !tls->eof && verify != X509_V_OK)
                snprintf(words, WORDS_SIZE, "%s: %s", reason,
                         X509_verify_cert_error_string(verify));
        else if (psk != NULL)
                snprintf(words, WORDS_SIZE, "%s (%s %s)", reason, psk,
                         tls->asked.psk_known ? "has a key" : "is no identity that has a key");
        else
                snprintf(words, WORDS_SIZE, "%s", reason);
}

static ssize_t fail(struct tls *tls)
{
        char words[WORDS_SIZE];

        tls->broken = true;
        say(tls, 0, false);
        if (tls->pace == NULL && tls->error != 0)
                return tls->error;
        if (tls->pace == NULL && tls->eof)
                return 0;
        explain(tls, words);
        tls->words         = mem_dup(str_of(words));
        tls->transport.why = tls->words != NULL ? tls->words : "no memory";
        return -EPROTO;
}

/* The result of a call that gave none. */
static ssize_t no_bytes(struct tls *tls, int result)
{
        switch (SSL_get_error(tls->ssl, result)) {
        case SSL_ERROR_WANT_READ:
                say(tls, 0, tls->starved);
                return -EAGAIN;
        case SSL_ERROR_WANT_WRITE:
                say(tls, POLL_WRITE, false);
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                say(tls, 0, false);
                return 0;
        default:
                return fail(tls);
        }
}

/* ---- the handshake --------------------------------------------------------------------------- */

static void count(_Atomic uint64_t *counter)
{
        uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

        atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

/* Whether this turn has room for one more. The descriptor stays ready, so that it is told of in the
 * next one. */
static bool may_shake(struct tls_pace *pace) ON_SHARD
{
        if (pace->turn != pace->loop->turns) {
                pace->turn = pace->loop->turns;
                pace->used = 0;
        }
        return pace->used < pace->per_turn;
}

/* 1 when it is over, or as read() returns. What costs is what is answered: a peer that sends its
 * greeting byte by byte takes nothing from the others. */
static ssize_t shake(struct tls *tls)
{
        struct tls_pace *pace = tls->pace;
        ssize_t          left;
        int              result;

        on_shard(pace->loop);
        if (!may_shake(pace))
                return -EAGAIN;
        tls->wrote = false;
        result     = SSL_do_handshake(tls->ssl);
        pace->used += result == 1 || tls->wrote;
        left = result == 1 ? 1 : no_bytes(tls, result);
        if (left == -EAGAIN)
                return left;
        if (left == 0)          /* a goodbye before the greeting was over */
                left = fail(tls);
        count(result == 1 ? pace->good : pace->failed);
        if (result == 1 && SSL_session_reused(tls->ssl))
                count(pace->resumed);
        tls->pace             = NULL;
        tls->transport.awaits = NULL;
        return left;
}

/* ---- the transport --------------------------------------------------------------------------- */

/* Behind an error of its own it throws away what comes, so that no reset overtakes the alert. */
static ssize_t read_away(struct tls *tls, void *to, size_t size)
{
        struct transport *below = tls->transport.below;
        ssize_t           got   = tls->error != 0 ? tls->error : 0;

        if (got == 0 && !tls->eof)
                got = below->ops->read(below, to, size);
        return got > 0 ? -EAGAIN : got;
}

static ssize_t tls_read(struct transport *t, void *to, size_t size)
{
        struct tls *tls = tls_of(t);
        size_t      got = 0;

        if (tls->broken)
                return read_away(tls, to, size);
        if (size == 0)
                return 0;
        ERR_clear_error();
        tls->budget  = TURN_READ_BYTES;
        tls->starved = false;
        tls->full    = false;
        if (tls->pace != NULL) {
                ssize_t shaken = shake(tls);

                if (shaken <= 0)
                        return shaken;
        }

        int result = SSL_read_ex(tls->ssl, to, size, &got);

        if (result != 1)
                return no_bytes(tls, result);
        say(tls, 0, tls->full || SSL_has_pending(tls->ssl));
        return (ssize_t)got;
}

/* The next bytes for one record: of one piece if that fills it, or gathered. */
static struct str gather(const struct iovec *from, int count, size_t skip, char *record)
{
        size_t used = 0;

        for (int i = 0; i < count && used < RECORD_BYTES; i++) {
                size_t some;

                if (skip >= from[i].iov_len) {
                        skip -= from[i].iov_len;
                        continue;
                }
                some = from[i].iov_len - skip;
                if (used == 0 && some >= RECORD_BYTES)
                        return str_from((const char *)from[i].iov_base + skip, RECORD_BYTES);
                some = some < RECORD_BYTES - used ? some : RECORD_BYTES - used;
                memcpy(record + used, (const char *)from[i].iov_base + skip, some);
                used += some;
                skip = 0;
        }
        return str_from(record, used);
}

/* A record that found no room below stays with OpenSSL, and its bytes with the caller, who brings
 * the same ones again: they are told as written when the record is out. */
static ssize_t tls_write(struct transport *t, const struct iovec *from, int count)
{
        static _Thread_local char record[RECORD_BYTES];
        struct tls               *tls     = tls_of(t);
        size_t                    written = 0;

        if (tls->broken)
                return tls->error != 0 ? tls->error : -EPIPE;
        if (tls->pace != NULL)
                return -EAGAIN;
        ERR_clear_error();
        while (written < WRITE_BYTES) {
                struct str next = gather(from, count, written, record);
                size_t     sent = 0;
                int        result, error;

                if (next.len == 0)
                        break;
                result = SSL_write_ex(tls->ssl, next.ptr, next.len, &sent);
                written += sent;
                if (result == 1)
                        continue;
                error       = SSL_get_error(tls->ssl, result);
                tls->broken = error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ;
                if (written > 0)
                        break;
                if (!tls->broken)
                        return -EAGAIN;
                return tls->error != 0 ? tls->error : -EPIPE;
        }
        return (ssize_t)written;
}

static bool tls_attach(struct transport *t, struct poll *poll, struct watch *watch, unsigned wants)
{
        return t->below->ops->attach(t->below, poll, watch, wants);
}

static void tls_detach(struct transport *t, struct watch *watch)
{
        t->below->ops->detach(t->below, watch);
}

/* Says goodbye, if there is room for that. */
static void tls_shut(struct transport *t)
{
        struct tls *tls = tls_of(t);

        ERR_clear_error();
        if (!tls->broken && tls->pace == NULL)
                tls->broken |= SSL_shutdown(tls->ssl) < 0 && tls->error != 0;
        t->below->ops->shut(t->below);
}

static void tls_free(struct transport *t)
{
        struct tls *tls = tls_of(t);

        if (tls->pace != NULL)
                count(tls->pace->failed);
        SSL_free(tls->ssl);
        tls_context_put(tls->asked.context);
        mem_free(tls->asked.psk_identity);
        mem_free(tls->words);
        t->below->ops->free(t->below);
        mem_free(tls);
}

/* ---- who it is ------------------------------------------------------------------------------- */

static size_t tls_identity(struct transport *t, enum transport_name name,
                           char to[static TRANSPORT_TEXT_SIZE])
{
        const struct tls        *tls    = tls_of(t);
        const struct tls_config *config = &tls->asked.context->config;
        enum tls_name            kind   = name == TRANSPORT_CLIENT_ID ? config->client_id
                                                                      : config->username;
        const X509              *certificate;
        struct str               psk;

        if (tls->pace != NULL || tls->broken)
                return 0;
        psk = tls_hooks_psk(tls->ssl);
        if (psk.len > 0 && psk.len < TRANSPORT_TEXT_SIZE) {
                memcpy(to, psk.ptr, psk.len);
                return psk.len;
        }
        certificate = SSL_get0_peer_certificate(tls->ssl);
        if (certificate == NULL || SSL_get_verify_result(tls->ssl) != X509_V_OK)
                return 0;
        return tls_certificate_name(certificate, kind, to, TRANSPORT_TEXT_SIZE);
}

static size_t tls_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        const struct tls *tls = tls_of(t);

        if (!SSL_is_init_finished(tls->ssl))
                return 0;
        return (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "%s %s", SSL_get_version(tls->ssl),
                                SSL_get_cipher_name(tls->ssl));
}

static const struct transport_ops tls_ops = {
        .name     = "tls",
        .read     = tls_read,
        .write    = tls_write,
        .attach   = tls_attach,
        .detach   = tls_detach,
        .shut     = tls_shut,
        .free     = tls_free,
        .identity = tls_identity,
        .describe = tls_describe,
};

struct transport *tls_transport_new(struct transport *below, struct tls_context *context,
                                    struct tls_pace *pace)
{
        struct tls *tls = mem_zalloc(sizeof *tls);

        if (tls != NULL)
                tls->ssl = SSL_new(context->own[0].ssl);
        if (tls == NULL || tls->ssl == NULL || !connect_bio(tls)) {
                if (tls != NULL)
                        SSL_free(tls->ssl);
                mem_free(tls);
                below->ops->free(below);
                return NULL;
        }
        tls->transport     = (struct transport){ .ops    = &tls_ops,
                                                   .below  = below,
                                                   .awaits = "no TLS handshake in time" };
        tls->pace          = pace;
        tls->asked.context = tls_context_get(context);
        SSL_set_app_data(tls->ssl, &tls->asked);
        SSL_set_accept_state(tls->ssl);
        return &tls->transport;
}
