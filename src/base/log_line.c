/* How an event becomes a line. */
#include "base/log_line.h"

#include "base/clock.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
        NAME_BYTES_MAX = 64,
        END_BYTES_MAX  = 32,    /* room that fields leave for the end of the line */
};

static const char *const level_names[] = {
        [LOG_LEVEL_DEBUG]   = "debug",
        [LOG_LEVEL_INFO]    = "info",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_ERROR]   = "error",
};

static void   put_fields(struct log_line *line, enum log_format format,
                         const struct log_entry *entry);
static void   put_field(struct log_line *line, enum log_format format,
                        const struct log_field *field);
static void   put_quoted(struct log_line *line, enum log_format format, struct str value);
static size_t put_character(struct log_line *line, enum log_format format, struct str rest);
static void   put_escape(struct log_line *line, enum log_format format, uint32_t code, bool byte);
static void   put(struct log_line *line, struct str bytes);
static void   putf(struct log_line *line, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static size_t   utf8_read(struct str bytes, uint32_t *code);
static uint32_t utf8_least(size_t len);
static bool     is_shown(uint32_t code);

void log_line_format(struct log_line *line, enum log_format format, const struct log_entry *entry)
{
        assert(strlen(entry->event) <= NAME_BYTES_MAX);
        assert((unsigned)entry->level < sizeof level_names / sizeof level_names[0]);

        const char *level = level_names[entry->level];
        char        time[25];

        line->len  = 0;
        line->full = false;
        clock_format(entry->wall_us, time);
        if (format == LOG_FORMAT_JSON)
                putf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", time, level,
                     entry->event);
        else
                putf(line, "%s %s %s", time, level, entry->event);

        put_fields(line, format, entry);
        if (format == LOG_FORMAT_JSON)
                put(line, STR("}"));
        put(line, STR("\n"));
        assert(!line->full);
}

static void put_fields(struct log_line *line, enum log_format format,
                       const struct log_entry *entry)
{
        for (unsigned i = 0; i < entry->count; i++) {
                size_t before = line->len;

                put_field(line, format, &entry->fields[i]);
                if (!line->full && line->len <= sizeof line->bytes - END_BYTES_MAX)
                        continue;
                line->len  = before;
                line->full = false;
                put(line, format == LOG_FORMAT_JSON ? STR(",\"truncated\":true")
                                                    : STR(" truncated=true"));
                return;
        }
}

static void put_field(struct log_line *line, enum log_format format,
                      const struct log_field *field)
{
        assert(strlen(field->name) <= NAME_BYTES_MAX);
        putf(line, format == LOG_FORMAT_JSON ? ",\"%s\":" : " %s=", field->name);

        switch (field->kind) {
        case LOG_FIELD_STR:
                put_quoted(line, format, field->str);
                break;
        case LOG_FIELD_U64:
                putf(line, "%llu", (unsigned long long)field->u64);
                break;
        case LOG_FIELD_I64:
                putf(line, "%lld", (long long)field->i64);
                break;
        }
}

static void put_quoted(struct log_line *line, enum log_format format, struct str value)
{
        bool cut = value.len > LOG_VALUE_BYTES_MAX;

        if (cut)
                value.len = LOG_VALUE_BYTES_MAX;
        put(line, STR("\""));
        while (value.len > 0 && !line->full)
                value = str_skip(value, put_character(line, format, value));
        put(line, cut ? STR("...\"") : STR("\""));
}

/* One character, or one byte that belongs to none, as the line may show it. Returns its bytes. */
static size_t put_character(struct log_line *line, enum log_format format, struct str rest)
{
        uint32_t code;
        size_t   len = utf8_read(rest, &code);

        if (len == 0) {
                put_escape(line, format, (uint8_t)rest.ptr[0], true);
                return 1;
        }
        if (code == '"' || code == '\\')
                put(line, STR("\\"));
        if (is_shown(code))
                put(line, str_from(rest.ptr, len));
        else
                put_escape(line, format, code, len == 1);
        return len;
}

static void put_escape(struct log_line *line, enum log_format format, uint32_t code, bool byte)
{
        if (code == '\n')
                put(line, STR("\\n"));
        else if (code == '\r')
                put(line, STR("\\r"));
        else if (code == '\t')
                put(line, STR("\\t"));
        else if (byte && format == LOG_FORMAT_TEXT)
                putf(line, "\\x%02x", code);
        else
                putf(line, "\\u%04x", code);    /* what is_shown() refuses has four digits */
}

static void put(struct log_line *line, struct str bytes)
{
        if (bytes.len > sizeof line->bytes - line->len) {
                line->full = true;
                return;
        }
        memcpy(line->bytes + line->len, bytes.ptr, bytes.len);
        line->len += bytes.len;
}

/* For short texts of our own making. */
static void putf(struct log_line *line, const char *format, ...)
{
        char    text[4 * NAME_BYTES_MAX];
        va_list args;
        int     len;

        va_start(args, format);
        len = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        assert(len >= 0 && (size_t)len < sizeof text);
        put(line, str_from(text, (size_t)len));
}

/* The character that the bytes begin with: its length, 0 when they begin with none (RFC 3629). */
static size_t utf8_read(struct str bytes, uint32_t *code)
{
        const uint8_t *b   = (const uint8_t *)bytes.ptr;
        size_t         len = b[0] < 0x80 ? 1 : b[0] < 0xc0 ? 0 : b[0] < 0xe0 ? 2
                           : b[0] < 0xf0 ? 3 : b[0] < 0xf8 ? 4 : 0;

        if (len == 0 || len > bytes.len)
                return 0;
        *code = len == 1 ? b[0] : b[0] & (0x7fu >> len);
        for (size_t i = 1; i < len; i++) {
                if ((b[i] & 0xc0) != 0x80)
                        return 0;
                *code = *code << 6 | (b[i] & 0x3fu);
        }

        bool surrogate = *code >= 0xd800 && *code <= 0xdfff;

        return *code < utf8_least(len) || *code > 0x10ffff || surrogate ? 0 : len;
}

/* The least code that needs so many bytes: one below it is an overlong form. */
static uint32_t utf8_least(size_t len)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

        assert(len < sizeof least / sizeof least[0]);
        return least[len];
}

/* False for control characters, and for those that end a line, hide, or turn the direction of what
 * follows: with them a client's name could make a line look like another. */
static bool is_shown(uint32_t code)
{
        static const struct range {
                uint16_t first, last;
        } unshown[] = {
                { 0x0000, 0x001f },
                { 0x007f, 0x009f },
                { 0x00ad, 0x00ad },     /* soft hyphen */
                { 0x061c, 0x061c },     /* Arabic letter mark */
                { 0x200b, 0x200f },     /* zero width, direction marks */
                { 0x2028, 0x202e },     /* line and paragraph separator, embeddings */
                { 0x2060, 0x206f },     /* joiners, isolates */
                { 0xfeff, 0xfeff },     /* byte order mark */
                { 0xfff9, 0xfffb },     /* interlinear annotation */
        };

        for (unsigned i = 0; i < sizeof unshown / sizeof unshown[0]; i++)
                if (code >= unshown[i].first && code <= unshown[i].last)
                        return false;
        return true;
}
