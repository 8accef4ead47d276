#include "rt/poll.h"

#include <assert.h>

#include "rt/poll_ops.h"

void poll_free(struct poll *poll)
{
        if (poll == NULL)
                return;
        assert(poll->count == 0);               /* each would keep a pointer to what is freed */
        poll->ops->free(poll);
}

bool poll_add(struct poll *poll, struct watch *watch, unsigned wants)
{
        assert(watch->poll == NULL && watch->ready != NULL);
        assert((wants & ~(unsigned)POLL_WANTED) == 0);
        watch->wants = wants;
        if (!poll->ops->add(poll, watch))
                return false;
        watch->poll = poll;
        poll->count++;
        return true;
}

void poll_change(struct watch *watch, unsigned wants)
{
        assert(watch->poll != NULL);
        assert((wants & ~(unsigned)POLL_WANTED) == 0);
        if (watch->wants == wants)
                return;
        watch->wants = wants;
        watch->poll->ops->change(watch->poll, watch);
}

void poll_remove(struct watch *watch)
{
        struct poll *poll = watch->poll;

        if (poll == NULL)
                return;
        assert(poll->count > 0);
        if (list_linked(&watch->in_ready))      /* noted, and not to be told any more */
                list_remove(&watch->in_ready);
        poll->ops->remove(poll, watch);
        watch->poll = NULL;
        poll->count--;
}

void poll_collect(struct poll *poll, int wait_ms)
{
        assert(list_empty(&poll->ready));       /* the last ones were told */
        poll->ops->collect(poll, wait_ms);
}

unsigned poll_tell(struct poll *poll)
{
        unsigned     told = 0;
        struct list *link;

        while ((link = list_pop(&poll->ready)) != NULL) {
                struct watch *watch  = list_entry(link, struct watch, in_ready);
                unsigned      events = watch_events(watch);

                poll->ops->tell(poll, watch);
                if (events == 0)
                        continue;
                told++;
                watch->ready(watch, events);    /* the watch may be gone now */
        }
        return told;
}

unsigned poll_wait(struct poll *poll, int wait_ms)
{
        poll_collect(poll, wait_ms);
        return poll_tell(poll);
}

void poll_wake(struct poll *poll)
{
        poll->ops->wake(poll);
}
