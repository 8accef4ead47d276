/* The text of `linnet bench --help`. */
#ifndef LINNET_TOOLS_LINNET_BENCH_HELP_H
#define LINNET_TOOLS_LINNET_BENCH_HELP_H

#include <stdbool.h>
#include <stdio.h>

bool help_print(FILE *to);

#endif
