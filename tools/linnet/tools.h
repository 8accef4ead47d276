/* The tools of the `linnet` command; each returns its exit code. */
#ifndef LINNET_TOOLS_TOOLS_H
#define LINNET_TOOLS_TOOLS_H

#include "arguments.h"

int pub_run(const struct arguments *arguments);
int sub_run(const struct arguments *arguments);

#endif
