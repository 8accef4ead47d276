/* A request as it stands on a line: words with spaces between. A word with a space, a quote or
 * nothing in it stands in quotes; in quotes \" and \\ are those characters, and \xHH any byte:
 *
 *      bans add client_id "robot 7" --reason "\"tested\""
 *
 * Pure. */
#ifndef LINNET_SERVICES_ADMIN_WORDS_H
#define LINNET_SERVICES_ADMIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/str.h"

enum { WORDS_MAX = 32 };

struct words {
        unsigned   count;
        struct str at[WORDS_MAX];
};

/* Takes the line apart in place; the words show it. NULL, or what is wrong with it, in words. */
const char *words_read(char *line, size_t len, struct words *out);

/* Adds the word as words_read() takes it, and a space in front unless it is the first. False
 * without memory. */
bool words_write(struct buffer *line, struct str word);

#endif
