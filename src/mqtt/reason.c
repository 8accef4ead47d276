/* Reason codes and their words, all from reason.tbl.h. */
#include "mqtt/reason.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "mqtt/lower.h"

struct reason_row {
        uint8_t     value;
        char        name[LOWER_WORD_SIZE];
        const char *text;
};

#define REASON(value, name, words) \
        static_assert(sizeof(#name) <= LOWER_WORD_SIZE, "the name of a reason is too long");
#include "mqtt/reason.tbl.h"

static const struct reason_row reason_rows[] = {
#define REASON(value, name, words) { (value), LOWER_WORD(#name), (words) },
#include "mqtt/reason.tbl.h"
};

enum { REASON_ROWS = sizeof(reason_rows) / sizeof(reason_rows[0]) };

// clang-format off
/* What an old client is told instead. What has no row it is not told [MQTT3-3.2.2-6]. */
static const struct {
        uint8_t reason, code;
} connack_codes[] = {
        { REASON_SUCCESS,                      0 },
        { REASON_UNSUPPORTED_PROTOCOL_VERSION, 1 },
        { REASON_CLIENT_IDENTIFIER_NOT_VALID,  2 },
        { REASON_SERVER_UNAVAILABLE,           3 },
        { REASON_UNSPECIFIED_ERROR,            3 },
        { REASON_IMPLEMENTATION_SPECIFIC_ERROR, 3 },
        { REASON_SERVER_BUSY,                  3 },
        { REASON_SERVER_SHUTTING_DOWN,         3 },
        { REASON_QUOTA_EXCEEDED,               3 },
        { REASON_USE_ANOTHER_SERVER,           3 },
        { REASON_SERVER_MOVED,                 3 },
        { REASON_CONNECTION_RATE_EXCEEDED,     3 },
        { REASON_BAD_USER_NAME_OR_PASSWORD,    4 },
        { REASON_NOT_AUTHORIZED,               5 },
        { REASON_BANNED,                       5 },
        { REASON_BAD_AUTHENTICATION_METHOD,    5 },
};
// clang-format on

static const struct reason_row *reason_find(enum reason reason);

const char *reason_text(enum reason reason)
{
        const struct reason_row *row = reason_find(reason);

        return row != NULL ? row->text : "Unknown reason";
}

const char *reason_name(enum reason reason)
{
        const struct reason_row *row = reason_find(reason);

        return row != NULL ? row->name : "unknown_reason";
}

bool reason_from_name(const char *name, enum reason *out)
{
        assert(name != NULL);

        for (size_t i = 0; i < REASON_ROWS; i++) {
                if (strcmp(reason_rows[i].name, name) == 0) {
                        *out = reason_rows[i].value;
                        return true;
                }
        }
        return false;
}

uint8_t reason_connack_v3(enum reason reason)
{
        for (size_t i = 0; i < sizeof(connack_codes) / sizeof(connack_codes[0]); i++) {
                if (connack_codes[i].reason == reason)
                        return connack_codes[i].code;
        }
        return CONNACK_V3_NONE;
}

static const struct reason_row *reason_find(enum reason reason)
{
        for (size_t i = 0; i < REASON_ROWS; i++) {
                if (reason_rows[i].value == reason)
                        return &reason_rows[i];
        }
        return NULL;
}
