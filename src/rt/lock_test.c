#include "rt/lock.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct lock low, high, high_too;

static void take_high_then_low(void) UNCHECKED
{
        lock_take(&high);
        lock_take(&low);
}

static void take_two_of_one_rank(void) UNCHECKED
{
        lock_take(&high);
        lock_take(&high_too);
}

static void take_twice(void) UNCHECKED
{
        lock_take(&low);
        lock_take(&low);
}

static void release_without_take(void) UNCHECKED
{
        lock_release(&low);
}

static void take_low_then_high_and_again(void)
{
        for (unsigned i = 0; i < 2; i++) {
                lock_take(&low);
                lock_take(&high);
                lock_release(&high);
                lock_release(&low);
                lock_take(&high);
                lock_release(&high);
        }
}

static bool dies(void (*call)(void))
{
        int   status;
        pid_t child = fork();

        if (child == 0) {
                close(STDERR_FILENO);
                call();
                _exit(0);
        }
        waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(locks_are_taken_in_the_order_of_their_ranks)
{
        static const struct row {
                const char *what;
                void (*call)(void);
                bool dies;
        } rows[] = {
                { "low, high",         take_low_then_high_and_again, false },
                { "high, low",         take_high_then_low,           true  },
                { "two of one rank",   take_two_of_one_rank,         true  },
                { "the same twice",    take_twice,                   true  },
                { "release, not held", release_without_take,         true  },
        };
        const struct row *row;

        lock_init(&low, LOCK_RANK_CONFIG);
        lock_init(&high, LOCK_RANK_ROUTER);
        lock_init(&high_too, LOCK_RANK_ROUTER);
        EACH(rows, row)
                EXPECT(dies(row->call) == row->dies, "%s", row->what);
        lock_deinit(&high_too);
        lock_deinit(&high);
        lock_deinit(&low);
}

static struct lock counter_lock;
static unsigned    counter GUARDED_BY(counter_lock);

static void count_one(void) HOLDS(counter_lock)
{
        counter++;
}

static void *count_many(void *unused)
{
        for (unsigned i = 0; i < ROUNDS; i++) {
                lock_take(&counter_lock);
                count_one();
                lock_release(&counter_lock);
        }
        return unused;
}

TEST(one_thread_at_a_time_holds_a_lock)
{
        pthread_t threads[THREADS];

        lock_init(&counter_lock, LOCK_RANK_CONFIG);
        for (unsigned i = 0; i < THREADS; i++)
                EXPECT_EQ(pthread_create(&threads[i], NULL, count_many, NULL), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);

        lock_take(&counter_lock);
        EXPECT_EQ(counter, THREADS * ROUNDS);
        lock_release(&counter_lock);
        lock_deinit(&counter_lock);
}

SUITE(lock,
      CASE(locks_are_taken_in_the_order_of_their_ranks),
      CASE(one_thread_at_a_time_holds_a_lock))
