#include "net/transport.h"

#include <string.h>

const struct address *transport_peer(const struct transport *t)
{
        while (t->peer.any.sa_family == AF_UNSPEC && t->below != NULL)
                t = t->below;
        return &t->peer;
}

bool transport_awaits_peer(const struct transport *t)
{
        while (t != NULL && !t->awaits_peer)
                t = t->below;
        return t != NULL;
}

const char *transport_awaits(const struct transport *t)
{
        const char *lowest = NULL;

        for (; t != NULL; t = t->below)
                if (t->awaits != NULL)
                        lowest = t->awaits;
        return lowest;
}

bool transport_is_local(const struct transport *t)
{
        for (; t != NULL; t = t->below) {
                bool speaks = t->peer.any.sa_family != AF_UNSPEC || t->below == NULL;

                if (t->stranger || (speaks && !address_is_loopback(&t->peer)))
                        return false;
        }
        return true;
}

size_t transport_identity(struct transport *t, enum transport_name name,
                          char to[static TRANSPORT_TEXT_SIZE])
{
        size_t len = 0;

        while (t != NULL && t->ops->identity == NULL)
                t = t->below;
        if (t != NULL)
                len = t->ops->identity(t, name, to);
        to[len] = '\0';
        return len;
}

void transport_describe(struct transport *t, char to[static TRANSPORT_TEXT_SIZE])
{
        size_t used = 0;

        for (; t != NULL; t = t->below) {
                char   text[TRANSPORT_TEXT_SIZE];
                size_t len = t->ops->describe != NULL ? t->ops->describe(t, text) : 0;

                if (len == 0 || used + len + (used > 0) >= TRANSPORT_TEXT_SIZE)
                        continue;
                if (used > 0)
                        to[used++] = ' ';
                memcpy(to + used, text, len);
                used += len;
        }
        to[used] = '\0';
}
