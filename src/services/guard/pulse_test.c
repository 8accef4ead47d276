#include "services/guard/pulse.h"
#include "unit.h"

TEST(late_beats_make_it_busy_and_calm_ends_it)
{
        struct pulse pulse = { .busy = false };

        pulse_beat(&pulse, 500, 1000, 250);
        pulse_beat(&pulse, 500, 1250, 250);
        pulse_look(&pulse, 500, 1999);
        EXPECT(!pulse.busy, "499 ms late");
        pulse_look(&pulse, 500, 2000);
        EXPECT(pulse.busy, "before the beat itself has come");
        pulse_beat(&pulse, 500, 2000, 250);
        for (uint64_t ms = 2250; ms < 3500; ms += 250) {
                pulse_beat(&pulse, 500, ms, 250);
                EXPECT(pulse.busy);
        }
        pulse_beat(&pulse, 500, 3900, 250);     /* 400 ms late: not well yet */
        EXPECT(pulse.busy);
        for (uint64_t ms = 4150; ms < 5900; ms += 250) {
                pulse_beat(&pulse, 500, ms, 250);
                EXPECT(pulse.busy);
        }
        pulse_beat(&pulse, 500, 5900, 250);
        EXPECT(!pulse.busy);
}

TEST(without_a_lag_nobody_is_busy)
{
        struct pulse pulse = { .busy = true };

        pulse_beat(&pulse, 0, 1000, 1000);
        pulse_look(&pulse, 0, 100000);
        EXPECT(!pulse.busy);
}

SUITE(pulse, CASE(late_beats_make_it_busy_and_calm_ends_it),
      CASE(without_a_lag_nobody_is_busy))
