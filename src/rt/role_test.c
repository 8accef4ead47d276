#include "rt/role.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/loop.h"
#include "unit.h"

/* The call ends the process with a failed assertion. Tried in a child, which says nothing. */
static bool dies(void (*call)(struct loop *), struct loop *loop)
{
        int   status;
        pid_t child = fork();

        if (child == 0) {
                close(STDERR_FILENO);
                call(loop);
                _exit(0);
        }
        waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void claim(struct loop *loop)
{
        role_claim(loop);
}

static void leave(struct loop *loop)
{
        (void)loop;
        role_leave();
}

static void act(struct loop *loop)
{
        on_shard(loop);
}

TEST(only_the_thread_that_claimed_a_loop_may_act_on_it)
{
        static struct loop mine, other;

        EXPECT(dies(act, &mine));
        EXPECT(dies(leave, &mine));
        EXPECT(dies(claim, NULL));

        role_claim(&mine);
        on_shard(&mine);
        EXPECT(dies(act, &other));
        EXPECT(dies(claim, &other), "one role at a time");
        EXPECT(dies(claim, &mine), "a turn inside of a turn");

        role_leave();
        EXPECT(dies(act, &mine));
        role_claim(&other);
        on_shard(&other);
        role_leave();
}

SUITE(role, CASE(only_the_thread_that_claimed_a_loop_may_act_on_it))
