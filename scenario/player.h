/* Plays one scenario against a broker in memory. */
#ifndef LINNET_SCENARIO_PLAYER_H
#define LINNET_SCENARIO_PLAYER_H

#include <stdbool.h>

#include "core/store_port.h"

/* False when something was not as expected, which was said on standard output. */
bool play(const char *path, unsigned shards, enum durability durability);

#endif
