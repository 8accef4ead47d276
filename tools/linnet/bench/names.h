/* Topics and client ids, of a number each. */
#ifndef LINNET_TOOLS_LINNET_BENCH_NAMES_H
#define LINNET_TOOLS_LINNET_BENCH_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { CLIENT_ID_SIZE = 96 };

/* "a/%i/%c" with the number and the client id in their places, "%%" for one of that. The length of
 * what would be there, as snprintf() has it. */
size_t name_expand(char *to, size_t size, const char *pattern, uint64_t number,
                   const char *client_id);

/* The filter that all topics of a pattern match: each level with %i or %c in it becomes `+`. Its
 * length; `to` has room for the pattern and its NUL. */
size_t name_filter(char *to, const char *pattern);

#endif
