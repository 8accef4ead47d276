/* Timers of one thread: a hierarchical timing wheel (Varghese and Lauck, 1987) of milliseconds.
 *
 * Four levels of 256 slots reach 49 days; what lies beyond waits in the last slot and is put off
 * again. Adding and removing are O(1); a timer costs nothing until it is due, so whoever is
 * satisfied often (keep alive) leaves its timer alone and looks at the clock when it fires.
 * Timers fire never early, in order of their slot. Pure: the wheel is told the time.
 *
 * A timer lies on the level of the highest byte in which its time differs from now, in the slot
 * that this byte names (the top level is a circle, the others start over with the level above):
 *
 *      now   00 00 12 34      level 0: due in this 256 ms, one slot a millisecond
 *      due   00 00 12 40  ->  level 0, slot 0x40
 *      due   00 00 15 01  ->  level 1, slot 0x15: spread over level 0 when now reaches 00 00 15 00
 *
 * So every level is due before the level above it, and the earliest occupied slot is one search in
 * the bitmap of the lowest occupied level.
 */
#ifndef LINNET_RT_WHEEL_H
#define LINNET_RT_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
struct timer;

/* The timer is out of the wheel when it fires and may be added again or freed by the callback. */
typedef void timer_fire(struct loop *loop, struct timer *timer);

struct timer {
        struct list in_slot;
        uint64_t    due_ms;     /* absolute, of the loop's clock */
        timer_fire *fire;
};

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 256 };

struct wheel {
        uint64_t    now_ms;     /* timers due at or before this have fired, or wait in `due` */
        uint32_t    count;      /* timers that are set */
        struct list due;        /* were due when they were set: for the next wheel_advance() */
        struct list firing;     /* of the wheel_advance() that is under way */
        uint64_t    occupied[WHEEL_LEVELS][WHEEL_SLOTS / 64];
        struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);

/* Sets (or sets anew) the timer. One that is due already fires at the next wheel_advance(). */
void wheel_add(struct wheel *wheel, struct timer *timer, uint64_t due_ms);
void wheel_remove(struct wheel *wheel, struct timer *timer);    /* nothing when it is not set */

static inline bool timer_is_set(const struct timer *timer)
{
        return list_linked(&timer->in_slot);
}

/* No timer is due before the returned time (it may be earlier than the first one: never later).
 * UINT64_MAX when there are none. */
uint64_t wheel_next_ms(const struct wheel *wheel);

/* Fires what is due at now_ms (a time before the last one counts as the last one), handing `loop`
 * to the callbacks, which may set and remove any timer. Timers that they add for a time already
 * passed wait for the next call. Returns how many fired. Costs what the timers cost that it meets,
 * not the time that has passed: a jump over years is cheap. */
unsigned wheel_advance(struct wheel *wheel, uint64_t now_ms, struct loop *loop);

void wheel_check(const struct wheel *wheel);    /* asserts all invariants; for tests: slow */

#endif
