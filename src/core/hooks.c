#include "core/hooks.h"

#include "base/memory.h"

struct hook {
        hook_fn *fn;
        void    *context;
        int      priority;
};

struct hooks *hooks_new(void)
{
        return mem_zalloc(sizeof(struct hooks));
}

void hooks_free(struct hooks *hooks)
{
        if (hooks == NULL)
                return;
        for (unsigned i = 0; i < HOOK_POINTS; i++)
                mem_free(hooks->points[i].hooks);
        mem_free(hooks);
}

bool hooks_add(struct hooks *hooks, enum hook_point point, hook_fn *fn, void *context, int priority)
{
        struct hook *at    = hooks->points[point].hooks;
        unsigned     count = hooks->points[point].count;
        unsigned     place = count;

        for (unsigned i = 0; i < count; i++)
                if (at[i].fn == fn && at[i].context == context)
                        return false;
        at = mem_realloc_array(at, count + 1, sizeof *at);
        if (at == NULL)
                return false;
        while (place > 0 && at[place - 1].priority > priority) {
                at[place] = at[place - 1];
                place--;
        }
        at[place]                   = (struct hook){ fn, context, priority };
        hooks->points[point].hooks  = at;
        hooks->points[point].count  = count + 1;
        return true;
}

enum hook_result hooks_run(const struct hooks *hooks, enum hook_point point, struct hook_args *args)
{
        for (unsigned i = 0; i < hooks->points[point].count; i++) {
                const struct hook *hook = &hooks->points[point].hooks[i];

                if (hook->fn(hook->context, args) == HOOK_STOP)
                        return HOOK_STOP;
        }
        return HOOK_OK;
}
