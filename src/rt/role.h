/* Which thread may do what, read by people and checked by clang (-Wthread-safety); gcc sees
 * nothing.
 *
 *      ON_SHARD      the function runs only on the thread of the shard whose state it touches
 *      SHARD_OWNED   the field is touched by that thread only
 *      ANY_THREAD    safe everywhere: it reads atomics or only posts mail
 *      UNCHECKED     the compiler need not look: construction and teardown, when one thread alone
 *                    knows the object; the body of a lock
 *
 * A callback that a loop makes (mail, readiness, timer, chore) begins with on_shard(), which tells
 * the compiler that the role is held and asserts it at run time.
 */
#ifndef LINNET_RT_ROLE_H
#define LINNET_RT_ROLE_H

#if defined(__clang__)
#define ROLE_ATTR(attribute) __attribute__((attribute))
#else
#define ROLE_ATTR(attribute)
#endif

struct ROLE_ATTR(capability("role")) role {
        char none;
};

extern struct role shard_thread;        /* a name for clang, defined nowhere */

#define ON_SHARD    ROLE_ATTR(requires_capability(shard_thread))
#define SHARD_OWNED ROLE_ATTR(guarded_by(shard_thread))
#define ANY_THREAD
#define UNCHECKED   ROLE_ATTR(no_thread_safety_analysis)

struct loop;

/* The calling thread is, for the moment, the one that runs `loop` (one thread may run several
 * loops in turn, as the simulator does). Made by loop_turn(); tests may claim a loop by hand, and
 * leave it before they turn one: a thread has one role at a time. */
void role_claim(const struct loop *loop) ROLE_ATTR(assert_capability(shard_thread));
void role_leave(void);

/* Asserts that this thread runs `loop` just now. */
void on_shard(const struct loop *loop) ROLE_ATTR(assert_capability(shard_thread));

#endif
