/* A row of an answer: a JSON object on a line. */
#include <inttypes.h>

#include "mqtt/utf8.h"
#include "services/admin/admin.h"

/* What is no UTF-8 is shown byte by byte, as if it were Latin-1: JSON has no bytes. */
static void write_text(struct buffer *out, struct str text)
{
        bool   utf8  = utf8_valid(text);
        size_t start = 0;

        buffer_append(out, STR("\""));
        for (size_t i = 0; i < text.len; i++) {
                unsigned char c = (unsigned char)text.ptr[i];

                if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f && (utf8 || c < 0x80))
                        continue;
                buffer_append(out, str_from(text.ptr + start, i - start));
                if (c == '"' || c == '\\')
                        buffer_printf(out, "\\%c", c);
                else
                        buffer_printf(out, "\\u%04x", c);
                start = i + 1;
        }
        if (text.len > start)
                buffer_append(out, str_from(text.ptr + start, text.len - start));
        buffer_append(out, STR("\""));
}

static void write_value(struct buffer *out, const struct log_field *field)
{
        switch (field->kind) {
        case LOG_FIELD_STR:
                if (field->str.ptr == NULL)
                        buffer_append(out, STR("null"));
                else
                        write_text(out, field->str);
                break;
        case LOG_FIELD_U64:
                buffer_printf(out, "%" PRIu64, field->u64);
                break;
        case LOG_FIELD_I64:
                buffer_printf(out, "%" PRId64, field->i64);
                break;
        }
}

void admin_row(struct buffer *out, const char *kind, const struct log_field *fields,
               unsigned count)
{
        buffer_printf(out, "{\"is\":\"%s\"", kind);
        for (unsigned i = 0; i < count; i++) {
                buffer_printf(out, ",\"%s\":", fields[i].name);
                write_value(out, &fields[i]);
        }
        buffer_append(out, STR("}\n"));
}
