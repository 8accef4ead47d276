#include "core/pressure.h"
#include "unit.h"

TEST(marks_have_hysteresis)
{
        static const struct row {
                enum pressure before;
                unsigned      percent;
                enum pressure now;
        } rows[] = {
                { PRESSURE_NONE, 0, PRESSURE_NONE },  { PRESSURE_NONE, 89, PRESSURE_NONE },
                { PRESSURE_NONE, 90, PRESSURE_SOFT }, { PRESSURE_SOFT, 89, PRESSURE_SOFT },
                { PRESSURE_SOFT, 85, PRESSURE_SOFT }, { PRESSURE_SOFT, 84, PRESSURE_NONE },
                { PRESSURE_SOFT, 99, PRESSURE_SOFT }, { PRESSURE_SOFT, 100, PRESSURE_HARD },
                { PRESSURE_NONE, 200, PRESSURE_HARD }, { PRESSURE_HARD, 95, PRESSURE_HARD },
                { PRESSURE_HARD, 94, PRESSURE_SOFT }, { PRESSURE_HARD, 86, PRESSURE_SOFT },
                { PRESSURE_HARD, 50, PRESSURE_NONE },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT_EQ(pressure_at(row->before, row->percent * 1000u, 100000), row->now);
        EXPECT_EQ(pressure_at(PRESSURE_HARD, UINT64_MAX, 0), PRESSURE_NONE);
}

SUITE(pressure, CASE(marks_have_hysteresis))
