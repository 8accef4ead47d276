/* Readiness that the program itself sets: for tests and the simulator. The same calls give the same
 * order of telling, always. */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "rt/poll_ops.h"

struct poll_memory {
        struct poll  poll;
        struct list  level;     /* ready for something they want: told in every wait */
        _Atomic bool woken;
};

static const struct poll_ops memory_ops;

static struct poll_memory *memory_of(struct poll *poll);
static void memory_update(struct poll *poll, struct watch *watch);

struct poll *poll_memory_new(void)
{
        struct poll_memory *memory = mem_alloc(sizeof *memory);

        if (memory == NULL) {
                errno = ENOMEM;
                return NULL;
        }
        poll_init(&memory->poll, &memory_ops);
        list_init(&memory->level);
        atomic_init(&memory->woken, false);
        return &memory->poll;
}

void poll_memory_set(struct watch *watch, unsigned is)
{
        watch->is = is;
        if (watch->poll != NULL)
                memory_update(watch->poll, watch);
}

bool poll_memory_woken(const struct poll *poll)
{
        assert(poll->ops == &memory_ops);
        return atomic_load_explicit(&((const struct poll_memory *)(const void *)poll)->woken,
                                    memory_order_relaxed);
}

static struct poll_memory *memory_of(struct poll *poll)
{
        assert(poll->ops == &memory_ops);
        return (struct poll_memory *)(void *)poll;
}

/* Keeps a watch in a list (to be told in this wait, or in the next) exactly while there is
 * something to tell; one that is there already keeps its place. */
static void memory_update(struct poll *poll, struct watch *watch)
{
        if (watch_events(watch) == 0 && list_linked(&watch->in_ready))
                list_remove(&watch->in_ready);
        else if (watch_events(watch) != 0 && !list_linked(&watch->in_ready))
                list_push_back(&memory_of(poll)->level, &watch->in_ready);
}

static void memory_free(struct poll *poll)
{
        mem_free(memory_of(poll));
}

static bool memory_add(struct poll *poll, struct watch *watch)
{
        memory_update(poll, watch);
        return true;
}

static void memory_remove(struct poll *poll, struct watch *watch)
{
        (void)poll;
        (void)watch;            /* stays ready: its next poll will tell */
}

static void memory_collect(struct poll *poll, int wait_ms)
{
        struct poll_memory *memory = memory_of(poll);

        (void)wait_ms;          /* whoever could end a wait runs on this thread */
        atomic_store_explicit(&memory->woken, false, memory_order_relaxed);
        list_splice(&poll->ready, &memory->level);
}

static void memory_tell(struct poll *poll, struct watch *watch)
{
        memory_update(poll, watch);
}

static void memory_wake(struct poll *poll)
{
        /* Relaxed: it tells that somebody called, and carries nothing. */
        atomic_store_explicit(&memory_of(poll)->woken, true, memory_order_relaxed);
}

static const struct poll_ops memory_ops = {
        .name    = "memory",
        .add     = memory_add,
        .change  = memory_update,
        .remove  = memory_remove,
        .collect = memory_collect,
        .tell    = memory_tell,
        .wake    = memory_wake,
        .free    = memory_free,
};
