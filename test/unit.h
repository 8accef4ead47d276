/* Unit tests, a thin layer over cmocka. A test is a program of its own beside the file it tests:
 *
 *      #include "mqtt/topic.h"
 *      #include "unit.h"
 *
 *      TEST(levels_are_counted)
 *      {
 *              static const struct row {
 *                      const char *topic;
 *                      unsigned    levels;
 *              } rows[] = {
 *                      { "a",    1 },
 *                      { "a//b", 3 },
 *              };
 *              const struct row *row;
 *
 *              EACH(rows, row)
 *                      EXPECT(topic_levels(row->topic) == row->levels, "%s", row->topic);
 *              EXPECT_EQ(topic_levels(""), 0);
 *      }
 *
 *      SUITE(topic, CASE(levels_are_counted))
 *
 * A test ends at the first expectation that does not hold. One that SUITE does not list does not
 * compile: it is an unused function.
 */
#ifndef LINNET_UNIT_H
#define LINNET_UNIT_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#define TEST(name) static void test_##name(void **unit_state_ __attribute__((unused)))

#define CASE(name) { #name, test_##name, NULL, NULL, NULL }

/* Defines main(). */
#define SUITE(name, ...)                                                                           \
        int main(void)                                                                             \
        {                                                                                          \
                static const struct CMUnitTest unit_tests_[] = { __VA_ARGS__ };                    \
                                                                                                   \
                return cmocka_run_group_tests_name(#name, unit_tests_, NULL, NULL) != 0;           \
        }

/* Walks `row`, a pointer, over an array. */
#define EACH(rows, row)                                                                            \
        for ((row) = (rows); (row) < (rows) + sizeof(rows) / sizeof((rows)[0]); (row)++)

/* The condition holds; after it, if wanted, a literal format and its values: for what it must. */
#define EXPECT(condition, ...)                                                                     \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        unit_failed_(__FILE__, __LINE__, #condition, " " __VA_ARGS__);             \
        } while (0)

/* Two integers of any type are equal; both are printed when they are not. */
#define EXPECT_EQ(actual, expected)                                                                \
        do {                                                                                       \
                intmax_t unit_actual_   = (intmax_t)(actual);                                      \
                intmax_t unit_expected_ = (intmax_t)(expected);                                    \
                                                                                                   \
                if (unit_actual_ != unit_expected_)                                                \
                        unit_failed_(__FILE__, __LINE__, #actual " == " #expected,                 \
                                     " it is %" PRIdMAX " (0x%" PRIxMAX "), not %" PRIdMAX         \
                                     " (0x%" PRIxMAX ")",                                          \
                                     unit_actual_, (uintmax_t)unit_actual_, unit_expected_,        \
                                     (uintmax_t)unit_expected_);                                   \
        } while (0)

/* Not called by tests: prints what was expected, and where, and ends the test. */
__attribute__((noreturn, format(printf, 4, 5))) static inline void
unit_failed_(const char *file, int line, const char *expected, const char *format, ...)
{
        char    message[1024];
        va_list values;

        va_start(values, format);
        vsnprintf(message, sizeof(message), format, values);
        va_end(values);
        print_error("expected %s:%s\n", expected, message);
        _fail(file, line);
        __builtin_unreachable();
}

#endif
