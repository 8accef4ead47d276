#include "net/transport_tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
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
        struct tls_begin  begin;        /* .ended is NULL once the handshake is over */
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

/* The result of a call that gave none. */
static ssize_t failed(struct tls *tls, int result)
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
                tls->broken = true;
                say(tls, 0, false);
                if (tls->error != 0)
                        return tls->error;
                return tls->eof ? 0 : -EPROTO;
        }
}

/* What went wrong in a handshake, best word first. */
static void explain(struct tls *tls, char words[static WORDS_SIZE])
{
        unsigned long error  = ERR_peek_last_error();
        const char   *reason = ERR_reason_error_string(error);
        long          verify = SSL_get_verify_result(tls->ssl);

        if (tls->error != 0)
                snprintf(words, WORDS_SIZE, "%s", strerror(-tls->error));
        else if (tls->eof)
                snprintf(words, WORDS_SIZE, "closed by the peer in the middle of it");
        else if (verify != X509_V_OK)
                snprintf(words, WORDS_SIZE, "%s: %s", reason != NULL ? reason : "refused",
                         X509_verify_cert_error_string(verify));
        else if (tls->asked.psk_identity != NULL)
                snprintf(words, WORDS_SIZE, "%s: %s %s", reason != NULL ? reason : "refused",
                         tls->asked.psk_identity,
                         tls->asked.psk_known ? "has another key" : "is unknown");
        else
                snprintf(words, WORDS_SIZE, "%s", reason != NULL ? reason : "no reason is known");
}

/* ---- the handshake --------------------------------------------------------------------------- */

static void end_handshake(struct tls *tls, const char *why)
{
        tls_ended *ended = TAKE(tls->begin.ended);

        ended(tls->begin.ended_context, &tls->transport, why);
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
        struct tls_pace *pace = tls->begin.pace;
        char             words[WORDS_SIZE];
        ssize_t          left;
        int              result;

        on_shard(pace->loop);
        if (!may_shake(pace))
                return -EAGAIN;
        tls->wrote = false;
        result     = SSL_do_handshake(tls->ssl);
        if (result == 1) {
                pace->used++;
                end_handshake(tls, NULL);
                return 1;
        }
        pace->used += tls->wrote;
        left = failed(tls, result);
        if (left != -EAGAIN) {
                explain(tls, words);
                end_handshake(tls, words);
        }
        return left;
}

/* ---- the transport --------------------------------------------------------------------------- */

static ssize_t tls_read(struct transport *t, void *to, size_t size)
{
        struct tls *tls = tls_of(t);
        size_t      got = 0;

        if (tls->broken)
                return tls->error != 0 ? tls->error : tls->eof ? 0 : -EPROTO;
        if (size == 0)
                return 0;
        ERR_clear_error();
        tls->budget  = TURN_READ_BYTES;
        tls->starved = false;
        tls->full    = false;
        if (tls->begin.ended != NULL) {
                ssize_t shaken = shake(tls);

                if (shaken <= 0)
                        return shaken;
        }

        int result = SSL_read_ex(tls->ssl, to, size, &got);

        if (result != 1)
                return failed(tls, result);
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
        if (tls->begin.ended != NULL)
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
        if (!tls->broken && tls->begin.ended == NULL)
                tls->broken |= SSL_shutdown(tls->ssl) < 0 && tls->error != 0;
        t->below->ops->shut(t->below);
}

static void tls_free(struct transport *t)
{
        struct tls *tls = tls_of(t);

        if (tls->begin.ended != NULL)
                end_handshake(tls, "it was not over when the connection ended");
        SSL_free(tls->ssl);
        tls_context_put(tls->asked.context);
        mem_free(tls->asked.psk_identity);
        t->below->ops->free(t->below);
        mem_free(tls);
}

static const struct transport_ops tls_ops = {
        .name   = "tls",
        .read   = tls_read,
        .write  = tls_write,
        .attach = tls_attach,
        .detach = tls_detach,
        .shut   = tls_shut,
        .free   = tls_free,
};

struct transport *tls_transport_new(struct transport *below, const struct tls_begin *begin)
{
        struct tls *tls = mem_zalloc(sizeof *tls);

        if (tls != NULL)
                tls->ssl = SSL_new(begin->context->own[0].ssl);
        if (tls == NULL || tls->ssl == NULL || !connect_bio(tls)) {
                if (tls != NULL)
                        SSL_free(tls->ssl);
                mem_free(tls);
                below->ops->free(below);
                return NULL;
        }
        tls->transport     = (struct transport){ .ops = &tls_ops, .below = below };
        tls->begin         = *begin;
        tls->asked.context = tls_context_get(begin->context);
        SSL_set_app_data(tls->ssl, &tls->asked);
        SSL_set_accept_state(tls->ssl);
        return &tls->transport;
}
