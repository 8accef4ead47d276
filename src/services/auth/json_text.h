/* JSON from outside, bounded before it is parsed. */
#ifndef LINNET_SERVICES_AUTH_JSON_TEXT_H
#define LINNET_SERVICES_AUTH_JSON_TEXT_H

#include <jansson.h>

#include "base/str.h"

enum { JSON_DEPTH_MAX = 16 };           /* of objects and arrays in one another */

/* An object of at most bytes_max bytes; json_decref() it. No name stands twice in it, and no string
 * holds a NUL. NULL: *why says what is wrong, in static words. */
json_t *json_text_object(struct str text, size_t bytes_max, const char **why);

/* A member that is a string; ptr NULL when there is none, or it is something else. Lives with the
 * object. */
struct str json_text_str(const json_t *object, const char *name);

#endif
