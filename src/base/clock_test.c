#include "base/clock.h"
#include "unit.h"

#include <string.h>
#include <time.h>

TEST(times_have_one_form)
{
        static const struct row {
                uint64_t    wall_us;
                const char *text;
        } rows[] = {
                { 0, "1970-01-01T00:00:00.000Z" },
                { 999, "1970-01-01T00:00:00.000Z" },
                { 1000, "1970-01-01T00:00:00.001Z" },
                { 946684799999000, "1999-12-31T23:59:59.999Z" },
                { 951868799999999, "2000-02-29T23:59:59.999Z" },
                { 951868800000000, "2000-03-01T00:00:00.000Z" },
                { 1709164800500000, "2024-02-29T00:00:00.500Z" },
                { 1795421704123456, "2026-11-23T08:15:04.123Z" },
                { 4107499200000000, "2100-02-28T12:00:00.000Z" },      /* no leap year */
                { 4107542400001000, "2100-03-01T00:00:00.001Z" },
                { 253402300799999000, "9999-12-31T23:59:59.999Z" },
                { 253402300800000000, "9999-12-31T23:59:59.999Z" },
                { UINT64_MAX, "9999-12-31T23:59:59.999Z" },
        };
        const struct row *row;

        EACH(rows, row) {
                char text[25];

                clock_format(row->wall_us, text);
                EXPECT(strcmp(text, row->text) == 0, "%s, not %s", text, row->text);
        }
}

TEST(every_day_is_what_libc_says)
{
        for (int64_t day = 0; day < 400 * 366; day++) {
                time_t    s = day * 86400 + day % 86400;
                struct tm tm;
                char      text[25], wanted[25];

                gmtime_r(&s, &tm);
                strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
                clock_format((uint64_t)s * 1000000, text);
                EXPECT(strcmp(text, wanted) == 0, "%s, not %s", text, wanted);
        }
}

TEST(the_clocks_go)
{
        struct clock_time a = clock_read(), b;
        time_t            wall = time(NULL);

        EXPECT((int64_t)(a.wall_us / 1000000) - wall <= 1 &&
               wall - (int64_t)(a.wall_us / 1000000) <= 10);
        do {
                b = clock_read();
                EXPECT(b.mono_ms >= a.mono_ms);
        } while (b.mono_ms == a.mono_ms);
}

SUITE(clock, CASE(times_have_one_form), CASE(every_day_is_what_libc_says), CASE(the_clocks_go))
