/* For tests: a group of loops on memory polls and a clock of the test's own, turned by one
 * thread. */
#ifndef LINNET_RT_GROUP_TEST_H
#define LINNET_RT_GROUP_TEST_H

#include "base/memory.h"
#include "rt/loop.h"

enum { GROUP_MAX = SHARDS_MAX };

struct group {
        unsigned          count;
        struct loop      *loops[GROUP_MAX];
        struct clock_time now;
};

static inline struct clock_time group_clock(void *context)
{
        return ((struct group *)context)->now;
}

/* With the real clock and epoll instead, for threads. */
static inline void group_init_real(struct group *group, unsigned count)
{
        *group = (struct group){ .count = count };
        for (unsigned i = 0; i < count; i++)
                group->loops[i] = mem_alloc(sizeof(struct loop));
        for (unsigned i = 0; i < count; i++)
                loop_init(group->loops[i], &(struct loop_config){
                                                   .id    = i,
                                                   .count = count,
                                                   .peers = group->loops,
                                                   .poll  = poll_epoll_new(),
                                           });
}

static inline void group_init(struct group *group, unsigned count)
{
        *group = (struct group){ .count = count, .now = { .mono_ms = 1000, .wall_us = 1 } };
        for (unsigned i = 0; i < count; i++)
                group->loops[i] = mem_alloc(sizeof(struct loop));
        for (unsigned i = 0; i < count; i++)
                loop_init(group->loops[i], &(struct loop_config){
                                                   .id            = i,
                                                   .count         = count,
                                                   .peers         = group->loops,
                                                   .poll          = poll_memory_new(),
                                                   .clock         = group_clock,
                                                   .clock_context = group,
                                           });
}

static inline void group_deinit(struct group *group)
{
        for (unsigned i = 0; i < group->count; i++) {
                loop_deinit(group->loops[i]);
                mem_free(group->loops[i]);
        }
}

/* Turns all until none has anything to do. */
static inline void group_settle(struct group *group)
{
        bool did = true;

        for (unsigned rounds = 0; did; rounds++) {
                assert(rounds < 1000);  /* it never comes to rest */
                did = false;
                for (unsigned i = 0; i < group->count; i++)
                        did |= loop_turn(group->loops[i], 0);
        }
}

#endif
