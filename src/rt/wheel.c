#include "rt/wheel.h"

#include <assert.h>

enum { SLOT_BITS = 8, TOP = WHEEL_LEVELS - 1, WORDS = WHEEL_SLOTS / 64 };

static_assert(1 << SLOT_BITS == WHEEL_SLOTS, "a byte of the time names a slot");

struct slot {
        unsigned level, index;
        uint64_t start_ms;      /* the first millisecond that it stands for */
};

static void place(struct wheel *wheel, struct timer *timer);
static bool earliest_slot(const struct wheel *wheel, struct slot *slot);
static void collect_slot(struct wheel *wheel, struct slot slot);
static void check_timers(const struct wheel *wheel, const struct list *head, struct slot slot,
                         uint32_t *count);

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
        *wheel = (struct wheel){ .now_ms = now_ms };
        list_init(&wheel->due);
        list_init(&wheel->firing);
        for (unsigned level = 0; level < WHEEL_LEVELS; level++)
                for (unsigned index = 0; index < WHEEL_SLOTS; index++)
                        list_init(&wheel->slots[level][index]);
}

void wheel_add(struct wheel *wheel, struct timer *timer, uint64_t due_ms)
{
        assert(timer->fire != NULL);
        wheel_remove(wheel, timer);
        timer->due_ms = due_ms;
        place(wheel, timer);
        wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct timer *timer)
{
        if (!timer_is_set(timer))
                return;
        assert(wheel->count > 0);

        struct list *head  = timer->in_slot.next;
        bool         alone = head == timer->in_slot.prev;       /* then it is the head */

        list_remove(&timer->in_slot);
        wheel->count--;
        if (!alone || head == &wheel->due || head == &wheel->firing)
                return;

        size_t at = (size_t)(head - &wheel->slots[0][0]);

        assert(at < WHEEL_LEVELS * WHEEL_SLOTS);
        wheel->occupied[at / WHEEL_SLOTS][at % WHEEL_SLOTS / 64] &= ~(1ull << at % 64);
}

uint64_t wheel_next_ms(const struct wheel *wheel)
{
        struct slot slot;

        if (!list_empty(&wheel->due))
                return wheel->now_ms;
        return earliest_slot(wheel, &slot) ? slot.start_ms : UINT64_MAX;
}

unsigned wheel_advance(struct wheel *wheel, uint64_t now_ms, struct loop *loop)
{
        unsigned     fired = 0;
        struct slot  slot;
        struct list *link;

        assert(list_empty(&wheel->firing));     /* not from a callback */
        if (now_ms < wheel->now_ms)
                now_ms = wheel->now_ms;

        /* All that is due is collected before the first callback: what callbacks add is thereby
         * told apart, and the wheel is never seen half turned. */
        list_splice(&wheel->firing, &wheel->due);
        while (earliest_slot(wheel, &slot) && slot.start_ms <= now_ms) {
                wheel->now_ms = slot.start_ms;
                collect_slot(wheel, slot);
        }
        /* No occupied slot starts between the two: none changes its level. */
        wheel->now_ms = now_ms;

        while ((link = list_pop(&wheel->firing)) != NULL) {
                struct timer *timer = list_entry(link, struct timer, in_slot);

                assert(timer->due_ms <= now_ms);
                wheel->count--;
                fired++;
                timer->fire(loop, timer);
        }
        return fired;
}

void wheel_check(const struct wheel *wheel)
{
        uint32_t count = 0;

        for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
                unsigned shift = level * SLOT_BITS;
                uint64_t unit  = wheel->now_ms >> shift;

                for (unsigned index = 0; index < WHEEL_SLOTS; index++) {
                        const struct list *head  = &wheel->slots[level][index];
                        uint64_t           word  = wheel->occupied[level][index / 64];
                        bool               bit   = word >> index % 64 & 1;
                        uint64_t           ahead = (index - unit) % WHEEL_SLOTS;
                        struct slot        slot  = { level, index, (unit + ahead) << shift };

                        assert(bit == !list_empty(head));
                        assert(!bit || ahead > 0);
                        assert(!bit || level == TOP || index > unit % WHEEL_SLOTS);
                        check_timers(wheel, head, slot, &count);
                }
        }
        list_each(link, after, &wheel->due)
                count++;
        list_each(link, after, &wheel->firing)
                count++;
        assert(count == wheel->count);
}

static void place(struct wheel *wheel, struct timer *timer)
{
        if (timer->due_ms <= wheel->now_ms) {
                list_push_back(&wheel->due, &timer->in_slot);
                return;
        }

        uint64_t differs = timer->due_ms ^ wheel->now_ms;
        unsigned level   = (63 - (unsigned)__builtin_clzll(differs)) / SLOT_BITS;

        if (level > TOP)
                level = TOP;

        unsigned shift = level * SLOT_BITS;
        uint64_t unit  = wheel->now_ms >> shift;
        uint64_t ahead = (timer->due_ms >> shift) - unit;

        assert(ahead > 0);
        if (ahead >= WHEEL_SLOTS)       /* beyond the top level: placed again from its last slot */
                ahead = WHEEL_SLOTS - 1;

        unsigned index = (unsigned)((unit + ahead) % WHEEL_SLOTS);

        list_push_back(&wheel->slots[level][index], &timer->in_slot);
        wheel->occupied[level][index / 64] |= 1ull << index % 64;
}

/* The first set bit at or after `from`, around the end; -1 when none is set. */
static int first_bit(const uint64_t bits[static WORDS], unsigned from)
{
        unsigned word = from / 64;
        uint64_t left = bits[word] & ~0ull << from % 64;

        for (unsigned i = 0; i <= WORDS; i++) {
                if (left != 0)
                        return (int)(word * 64 + (unsigned)__builtin_ctzll(left));
                word = (word + 1) % WORDS;
                left = bits[word];
        }
        return -1;
}

static bool earliest_slot(const struct wheel *wheel, struct slot *slot)
{
        for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
                unsigned shift = level * SLOT_BITS;
                uint64_t unit  = wheel->now_ms >> shift;
                unsigned from  = (unsigned)(unit + 1) % WHEEL_SLOTS;
                int      index = first_bit(wheel->occupied[level], from);

                if (index < 0)
                        continue;

                uint64_t ahead = ((uint64_t)index - unit) % WHEEL_SLOTS;

                assert(ahead > 0);      /* the slot of now is empty */
                *slot = (struct slot){ level, (unsigned)index, (unit + ahead) << shift };
                return true;
        }
        return false;
}

/* Now has reached the slot: its timers are due, or belong to the levels below. */
static void collect_slot(struct wheel *wheel, struct slot slot)
{
        struct list  timers;
        struct list *link;

        list_init(&timers);
        list_splice(&timers, &wheel->slots[slot.level][slot.index]);
        wheel->occupied[slot.level][slot.index / 64] &= ~(1ull << slot.index % 64);

        while ((link = list_pop(&timers)) != NULL)
                place(wheel, list_entry(link, struct timer, in_slot));
        list_splice(&wheel->firing, &wheel->due);
}

static void check_timers(const struct wheel *wheel, const struct list *head, struct slot slot,
                         uint32_t *count)
{
        uint64_t last_ms = slot.start_ms + ((1ull << slot.level * SLOT_BITS) - 1);

        for (const struct list *link = head->next; link != head; link = link->next) {
                const struct timer *timer = list_entry(link, const struct timer, in_slot);

                assert(link->next->prev == link);
                assert(timer->due_ms > wheel->now_ms);
                assert(timer->due_ms >= slot.start_ms);
                assert(timer->due_ms <= last_ms || slot.level == TOP);
                (*count)++;
        }
}
