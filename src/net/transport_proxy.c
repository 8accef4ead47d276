#include "net/transport_proxy.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "net/proxy_protocol.h"

enum { THROWN_AWAY_BYTES = 512 };

struct proxy {
        struct transport transport;
        char            *bytes;         /* owned: the header so far, then what came behind it */
        size_t           start, len;    /* of what is not yet given out */
        char            *name;          /* owned: of a verified certificate; NULL: none */
        char            *words;         /* owned: for the log */
        bool             broken;        /* there was no header */
};

static const struct transport_ops proxy_ops;

static struct proxy *proxy_of(struct transport *t)
{
        assert(t->ops == &proxy_ops);
        return (struct proxy *)(void *)t;
}

struct transport *proxy_transport_new(struct transport *below)
{
        struct proxy *proxy = mem_zalloc(sizeof *proxy);

        if (proxy == NULL) {
                below->ops->free(below);
                return NULL;
        }
        proxy->transport = (struct transport){ .ops         = &proxy_ops,
                                                .below       = below,
                                                .awaits_peer = true };
        return &proxy->transport;
}

/* "proxy=10.0.0.1:4711 sni=example.org tls=TLSv1.3 id=..." */
static char *words_of(const struct proxy *proxy, const struct proxy_header *header)
{
        const struct {
                const char *name;
                struct str  value;
        } fields[] = {
                { "sni", header->authority }, { "alpn", header->alpn },
                { "tls", header->tls_version }, { "cipher", header->cipher },
                { "id", header->unique_id },
        };
        char   text[TRANSPORT_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
        size_t used;

        address_text(transport_peer(proxy->transport.below), address);
        used = (size_t)snprintf(text, sizeof text, "proxy=%s", address);
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
                struct str value = fields[i].value;

                if (value.len > 0 && used + strlen(fields[i].name) + value.len + 2 < sizeof text)
                        used += (size_t)snprintf(text + used, sizeof text - used, " %s=%.*s",
                                                 fields[i].name, STR_ARGS(value));
        }
        return mem_dup(str_from(text, strlen(text) + 1));
}

/* False without memory. */
static bool take_header(struct proxy *proxy, const struct proxy_header *header)
{
        struct str name = header->common_name;

        if (header->speaks == PROXY_FOR_CLIENT)
                proxy->transport.peer = header->source;
        proxy->transport.stranger = header->speaks == PROXY_FOR_UNKNOWN;
        proxy->words              = words_of(proxy, header);
        if (header->verified && name.len > 0 && name.len < TRANSPORT_TEXT_SIZE &&
            memchr(name.ptr, '\0', name.len) == NULL) {
                proxy->name = mem_alloc(name.len + 1);
                if (proxy->name == NULL)
                        return false;
                memcpy(proxy->name, name.ptr, name.len);
                proxy->name[name.len] = '\0';
        }
        return proxy->words != NULL;
}

static ssize_t fail(struct proxy *proxy, const char *why)
{
        proxy->broken         = true;
        proxy->transport.why  = why;
        return -EPROTO;
}

/* 1 when the header is there; else as read(). */
static ssize_t read_header(struct proxy *proxy)
{
        struct transport   *below = proxy->transport.below;
        struct proxy_header header;
        const char         *why;
        ssize_t             got;

        if (proxy->bytes == NULL)
                proxy->bytes = mem_alloc(PROXY_BYTES_MAX);
        if (proxy->bytes == NULL)
                return -ENOMEM;
        got = below->ops->read(below, proxy->bytes + proxy->len, PROXY_BYTES_MAX - proxy->len);
        if (got <= 0)
                return got;
        proxy->len += (size_t)got;
        switch (proxy_header_parse(str_from(proxy->bytes, proxy->len), &header, &why)) {
        case PROXY_MORE:
                return -EAGAIN;
        case PROXY_BAD:
                return fail(proxy, why);
        case PROXY_DONE:
                break;
        }
        if (!take_header(proxy, &header))
                return -ENOMEM;
        proxy->transport.awaits_peer = false;
        proxy->start                 = header.size;
        return 1;
}

/* What came with the header goes first. */
static size_t give_out(struct proxy *proxy, void *to, size_t size)
{
        size_t left  = proxy->len - proxy->start;
        size_t count = left < size ? left : size;

        if (count > 0)
                memcpy(to, proxy->bytes + proxy->start, count);
        proxy->start += count;
        proxy->transport.pending = proxy->start < proxy->len;
        if (!proxy->transport.pending) {
                mem_free(proxy->bytes);
                proxy->bytes = NULL;
                proxy->start = proxy->len = 0;
        }
        return count;
}

static ssize_t throw_away(struct transport *below)
{
        char    bytes[THROWN_AWAY_BYTES];
        ssize_t got = below->ops->read(below, bytes, sizeof bytes);

        return got > 0 ? -EAGAIN : got;
}

static ssize_t proxy_read(struct transport *t, void *to, size_t size)
{
        struct proxy *proxy = proxy_of(t);

        if (proxy->broken)
                return throw_away(t->below);
        if (t->awaits_peer) {
                ssize_t got = read_header(proxy);

                if (got <= 0)
                        return got;
        }
        if (proxy->bytes != NULL) {
                size_t count = give_out(proxy, to, size);

                if (count > 0)
                        return (ssize_t)count;
        }

        ssize_t got = t->below->ops->read(t->below, to, size);

        t->wants   = t->below->wants;
        t->pending = t->below->pending;
        return got;
}

static ssize_t proxy_write(struct transport *t, const struct iovec *from, int count)
{
        return t->below->ops->write(t->below, from, count);
}

static bool proxy_attach(struct transport *t, struct poll *poll, struct watch *watch,
                         unsigned wants)
{
        return t->below->ops->attach(t->below, poll, watch, wants);
}

static void proxy_detach(struct transport *t, struct watch *watch)
{
        t->below->ops->detach(t->below, watch);
}

static void proxy_shut(struct transport *t)
{
        t->below->ops->shut(t->below);
}

static void proxy_free(struct transport *t)
{
        struct proxy *proxy = proxy_of(t);

        t->below->ops->free(t->below);
        mem_free(proxy->bytes);
        mem_free(proxy->name);
        mem_free(proxy->words);
        mem_free(proxy);
}

static size_t proxy_identity(struct transport *t, enum transport_name name,
                             char to[static TRANSPORT_TEXT_SIZE])
{
        const char *common = proxy_of(t)->name;

        (void)name;             /* the one name there is */
        return common == NULL ? 0 : (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "%s", common);
}

static size_t proxy_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        const char *words = proxy_of(t)->words;

        return words == NULL ? 0 : (size_t)snprintf(to, TRANSPORT_TEXT_SIZE, "%s", words);
}

static const struct transport_ops proxy_ops = {
        .name     = "proxy",
        .read     = proxy_read,
        .write    = proxy_write,
        .attach   = proxy_attach,
        .detach   = proxy_detach,
        .shut     = proxy_shut,
        .free     = proxy_free,
        .identity = proxy_identity,
        .describe = proxy_describe,
};
