#include "net/transport.h"

#include <assert.h>
#include <errno.h>

#include "base/buffer.h"
#include "base/memory.h"

struct end {
        struct transport transport;
        struct end      *other;         /* NULL once it was freed */
        struct buffer    unread;        /* what the other has written */
        size_t           capacity;
        struct watch    *watch;         /* NULL while not attached */
        bool             shut;          /* writes no more */
};

static const struct transport_ops memory_ops;

static struct end *end_of(struct transport *t)
{
        assert(t->ops == &memory_ops);
        return (struct end *)(void *)t;
}

static size_t room(const struct end *end)
{
        return end->other->capacity - buffer_len(&end->other->unread);
}

/* A read or a write that would fail is ready as well: it must be made for its error to be seen. */
static unsigned readiness(const struct end *end)
{
        bool gone = end->other == NULL;
        bool over = gone || end->other->shut;

        return (over || buffer_len(&end->unread) > 0 ? POLL_READ : 0u) |
               (gone || end->shut || room(end) > 0 ? POLL_WRITE : 0u) |
               (over ? POLL_CLOSED : 0u);
}

static void update(struct end *end)
{
        if (end != NULL && end->watch != NULL)
                poll_memory_set(end->watch, readiness(end));
}

bool memory_transport_pair(size_t capacity, struct transport *ends[static 2])
{
        struct end *pair[2];

        assert(capacity > 0);
        for (unsigned i = 0; i < 2; i++)
                pair[i] = mem_zalloc(sizeof *pair[i]);
        if (pair[0] == NULL || pair[1] == NULL) {
                mem_free(pair[0]);
                mem_free(pair[1]);
                return false;
        }
        for (unsigned i = 0; i < 2; i++) {
                pair[i]->transport.ops = &memory_ops;
                pair[i]->other         = pair[1 - i];
                pair[i]->capacity      = capacity;
                ends[i]                = &pair[i]->transport;
        }
        return true;
}

static ssize_t memory_read(struct transport *t, void *to, size_t size)
{
        struct end *end    = end_of(t);
        struct str  unread = buffer_str(&end->unread);
        size_t      count  = unread.len < size ? unread.len : size;

        if (unread.len == 0)
                return end->other == NULL || end->other->shut ? 0 : -EAGAIN;
        if (count == 0)
                return 0;
        memcpy(to, unread.ptr, count);
        buffer_consume(&end->unread, count);
        update(end);
        update(end->other);
        return (ssize_t)count;
}

/* Takes what fits, as a socket does. Without memory for it: what fitted so far. */
static ssize_t memory_write(struct transport *t, const struct iovec *from, int count)
{
        struct end *end     = end_of(t);
        size_t      written = 0;
        ssize_t     error   = 0;

        if (end->other == NULL || end->shut)
                return -EPIPE;
        for (int i = 0; i < count && error == 0; i++) {
                size_t left = room(end);
                size_t some = from[i].iov_len < left ? from[i].iov_len : left;

                if (from[i].iov_len == 0)
                        continue;
                if (some == 0)
                        error = -EAGAIN;
                else if (!buffer_append(&end->other->unread, str_from(from[i].iov_base, some)))
                        error = -ENOMEM;
                else
                        written += some;
        }
        update(end);
        update(end->other);
        return written > 0 ? (ssize_t)written : error;
}

static bool memory_attach(struct transport *t, struct poll *poll, struct watch *watch,
                          unsigned wants)
{
        struct end *end = end_of(t);

        assert(end->watch == NULL);
        watch->fd = -1;
        poll_memory_set(watch, readiness(end));         /* not what it was ready for elsewhere */
        if (!poll_add(poll, watch, wants))
                return false;
        end->watch = watch;
        return true;
}

static void memory_detach(struct transport *t, struct watch *watch)
{
        struct end *end = end_of(t);

        if (end->watch == NULL)
                return;
        assert(end->watch == watch);
        poll_remove(watch);
        end->watch = NULL;
}

static void memory_shut(struct transport *t)
{
        struct end *end = end_of(t);

        end->shut = true;
        update(end);
        update(end->other);
}

static void memory_free(struct transport *t)
{
        struct end *end = end_of(t);

        assert(end->watch == NULL);
        if (end->other != NULL) {
                end->other->other = NULL;
                update(end->other);
        }
        buffer_deinit(&end->unread);
        mem_free(end);
}

static const struct transport_ops memory_ops = {
        .name   = "memory",
        .read   = memory_read,
        .write  = memory_write,
        .attach = memory_attach,
        .detach = memory_detach,
        .shut   = memory_shut,
        .free   = memory_free,
};
