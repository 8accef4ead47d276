/* The scenarios of EMQ's open benchmark suite, scaled to a machine. */
#ifndef LINNET_TOOLS_LINNET_BENCH_SCENARIO_H
#define LINNET_TOOLS_LINNET_BENCH_SCENARIO_H

#include <stdio.h>

#include "options.h"

/* Sets what options->scenario asks for, its numbers times options->scale, 1 at least. False:
 * unknown. */
bool scenario_apply(struct bench_options *options);

void scenario_list(FILE *to);           /* a line for each */

#endif
