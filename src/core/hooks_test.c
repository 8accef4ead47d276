#include "core/hooks.h"

#include <string.h>

#include "unit.h"

static char trace[16];

static enum hook_result note(void *context, struct hook_args *args)
{
        (void)args;
        strncat(trace, context, 1);
        return *(const char *)context == 'S' ? HOOK_STOP : HOOK_OK;
}

static enum hook_result run(const struct hooks *hooks) UNCHECKED;

static enum hook_result run(const struct hooks *hooks)
{
        struct hook_args args = { .shard = NULL };

        trace[0] = '\0';
        return hooks_run(hooks, HOOK_CLIENT_CONNECTED, &args);
}

TEST(lower_priorities_run_first_and_stop_stops)
{
        struct hooks *hooks = hooks_new();
        char          a[] = "A", b[] = "B", c[] = "C", s[] = "S";

        EXPECT(hooks_add(hooks, HOOK_CLIENT_CONNECTED, note, b, 0), "added");
        EXPECT(hooks_add(hooks, HOOK_CLIENT_CONNECTED, note, c, 0), "added");
        EXPECT(hooks_add(hooks, HOOK_CLIENT_CONNECTED, note, a, -1), "added");
        EXPECT(!hooks_add(hooks, HOOK_CLIENT_CONNECTED, note, a, 5), "twice is refused");
        EXPECT_EQ(run(hooks), HOOK_OK);
        EXPECT(strcmp(trace, "ABC") == 0, "ran as %s", trace);
        hooks_add(hooks, HOOK_CLIENT_CONNECTED, note, s, -1);
        EXPECT_EQ(run(hooks), HOOK_STOP);
        EXPECT(strcmp(trace, "AS") == 0, "ran as %s", trace);
        hooks_free(hooks);
}

SUITE(hooks, CASE(lower_priorities_run_first_and_stop_stops))
