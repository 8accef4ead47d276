/* The record of a thing that is kept. */
#ifndef LINNET_CORE_JOURNAL_RECORD_H
#define LINNET_CORE_JOURNAL_RECORD_H

#include "core/journal.h"
#include "core/record.h"

/* Appends its record's bytes; *message is the one that the record refers to, or NULL. False without
 * memory. */
bool journal_encode(struct buffer *to, const struct kept *kept, struct message **message);

#endif
