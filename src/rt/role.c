#include "rt/role.h"

#include <assert.h>
#include <stddef.h>

static _Thread_local const struct loop *claimed;

void role_claim(const struct loop *loop)
{
        assert(loop != NULL);
        assert(claimed == NULL);        /* one role at a time: a turn inside of a turn is a bug */
        claimed = loop;
}

void role_leave(void)
{
        assert(claimed != NULL);
        claimed = NULL;
}

void on_shard(const struct loop *loop)
{
        assert(loop != NULL);
        assert(claimed == loop);
}
