/* Files that an operator has named: read whole, or told precisely why not. */
#ifndef LINNET_BASE_PATH_H
#define LINNET_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Reads the file to the end of `to`. False, and `why` says what is wrong, without the path itself
 * but with the part of it that is to blame: "permission denied on the directory /etc/ssl/private
 * (mode 0700, owner 0, group 0; this is user 65534, group 65534)". More than `max` bytes are too
 * many. `to` keeps what was read so far: a caller with secrets wipes it. Blocks. */
bool path_read(const char *path, size_t max, struct buffer *to, char *why, size_t size);

/* Cuts the next item off a list that is separated by commas, without the white space around it,
 * into `item`. False at the end, or when an item does not fit. */
bool path_next(struct str *list, char *item, size_t size);

#endif
