/* What config_diff() tells, as lines of text in a buffer. For tests. */
#ifndef LINNET_BROKER_TEST_CHANGES_H
#define LINNET_BROKER_TEST_CHANGES_H

#include <assert.h>

#include "broker/config.h"

static inline void add_change(void *lines, const struct config_change *change)
{
        char text[CONFIG_CHANGE_SIZE];

        config_change_text(change, text);
        assert(buffer_printf(lines, "%s\n", text));
}

#endif
