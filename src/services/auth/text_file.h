/* A small file with secrets or keys, read whole. */
#ifndef LINNET_SERVICES_AUTH_TEXT_FILE_H
#define LINNET_SERVICES_AUTH_TEXT_FILE_H

#include "base/buffer.h"

/* Appends it to `to`. NULL, or what is wrong with it (static or of strerror(): for now). Not on a
 * shard. */
const char *text_file_read(const char *path, size_t bytes_max, struct buffer *to);

void text_file_wipe(struct buffer *text);       /* forgets it */

#endif
