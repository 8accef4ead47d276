/* How an event becomes a line. Pure: no clock, no file, no allocation. Part of log.c. */
#ifndef LINNET_BASE_LOG_LINE_H
#define LINNET_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"

struct log_line {
        size_t len;
        bool   full;                    /* something found no room */
        char   bytes[LOG_LINE_BYTES_MAX];
};

/* What happened. Event and field names are our own literals: letters, digits, dots, underscores. */
struct log_entry {
        uint64_t                wall_us;
        enum log_level          level;
        const char             *event;
        const struct log_field *fields;
        unsigned                count;
};

/* The whole line, with its newline. Fields that find no room are left out, and the line says so. */
void log_line_format(struct log_line *line, enum log_format format, const struct log_entry *entry);

#endif
