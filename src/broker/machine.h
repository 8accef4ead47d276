/* What the machine gives the process. */
#ifndef LINNET_BROKER_MACHINE_H
#define LINNET_BROKER_MACHINE_H

#include <stdint.h>

/* Bytes of memory it may have: the least of the machine's and what its control groups allow, with
 * /proc and /sys under `root` ("" is the machine's own). 0: unknown. */
uint64_t machine_memory(const char *root);

#endif
