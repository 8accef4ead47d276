/* One line an event.
 *
 *      2026-11-23T08:15:04.123Z info client.connected client="robot" address="10.0.0.7:51324"
 *
 * or the same as one JSON object. An event has a stable dotted name and fields; the reader's first
 * question is who, the second why. An event is exactly one line whatever its values hold: in text
 * they are quoted, with C escapes (\xXX for bytes, \uXXXX for characters); in JSON a byte that is
 * not UTF-8 is \u00XX. What would not show, or would change how the line shows, is escaped in both.
 *
 * Lines go to a bounded buffer and are written by a thread of the log's own, so that a stalled
 * terminal or disk never stalls a shard; what found no room, or could not be written, is counted
 * and told in a line of its own: `warning log.dropped count=12`. Any thread may log; one starts,
 * stops and configures. Library rooms (mqtt, net, core, rt) do not log: they return errors.
 */
#ifndef LINNET_BASE_LOG_H
#define LINNET_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
        const char *name;
        enum { LOG_FIELD_STR, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
        union {
                struct str str;         /* any bytes: what is not printable is escaped */
                uint64_t   u64;
                int64_t    i64;
        };
};

#define F_OF(field, type, member, value)                                                           \
        ((struct log_field){ .name = (field), .kind = LOG_FIELD_##type, .member = (value) })
#define F_STR(field, value)  F_OF(field, STR, str, value)
#define F_TEXT(field, value) F_STR(field, str_of(value))
#define F_U64(field, value)  F_OF(field, U64, u64, value)
#define F_I64(field, value)  F_OF(field, I64, i64, value)

struct log_config {
        enum log_level  level;          /* events below it are not formatted */
        enum log_format format;
        const char     *file;           /* NULL or "" is standard error; reopened by log_reopen() */
};

/* Starts the writer thread. Before log_start() and after log_stop() events go straight to standard
 * error. False when the file cannot be opened, with errno. A new file is made with mode 0600. */
bool log_start(const struct log_config *config);

/* Writes out what waits, then returns: after LOG_STOP_MS even if nobody takes the lines. */
void log_stop(void);

/* Level, format and file while running; before log_start() only level and format count. False when
 * the file cannot be opened, with errno and nothing changed. Events from here on go to the new
 * file; some of those before may, too. */
bool log_configure(const struct log_config *config);
bool log_reopen(void);                  /* after the file was rotated away */

/* Sends every line (without its newline) to `sink` instead, on the caller's thread; NULL ends it.
 * For tests and the simulator; no other thread may be logging when it changes. */
typedef void log_sink(void *context, enum log_level level, struct str line);

void log_set_sink(log_sink *sink, void *context);

bool log_enabled(enum log_level level);
void log_event(enum log_level level, const char *event, const struct log_field *fields,
               unsigned count);

/* LOG(INFO, "client.connected", F_STR("client", id), F_TEXT("address", text)) */
#define LOG(LEVEL, event, ...)                                                                     \
        do {                                                                                       \
                if (log_enabled(LOG_LEVEL_##LEVEL)) {                                              \
                        const struct log_field fields_[] = { __VA_ARGS__ };                        \
                        log_event(LOG_LEVEL_##LEVEL, event, fields_,                               \
                                  (unsigned)(sizeof fields_ / sizeof fields_[0]));                 \
                }                                                                                  \
        } while (0)

/* A budget for events that a peer could cause at will: `burst` at once, then `burst` a second.
 * log_allowed() returns false when it is spent; *skipped, when not NULL, is set to how many were
 * held back since the last allowed one. One thread per limit. */
struct log_limit {
        uint64_t window_ms;
        uint32_t used, skipped;
};

bool log_allowed(struct log_limit *limit, uint32_t burst, uint64_t now_ms, uint32_t *skipped);

#endif
