#include "base/log_line.h"
#include "base/random.h"
#include "unit.h"

#define WHEN      1795421704123456ull
#define TEXT_HEAD "2026-11-23T08:15:04.123Z info x"
#define JSON_HEAD "{\"time\":\"2026-11-23T08:15:04.123Z\",\"level\":\"info\",\"event\":\"x\""

static struct log_line line;

static struct str line_of(enum log_format format, const struct log_field *fields, unsigned count)
{
        log_line_format(&line, format,
                        &(struct log_entry){ WHEN, LOG_LEVEL_INFO, "x", fields, count });
        EXPECT(line.len > 0 && line.bytes[line.len - 1] == '\n');
        return str_from(line.bytes, line.len - 1);
}

TEST(values_are_escaped)
{
        static const struct row {
                struct str  value;
                const char *text, *json;        /* json NULL: the same */
        } rows[] = {
                { STR("robot"), "robot", NULL },
                { { 0 }, "", NULL },
                { STR("a\"b\\c"), "a\\\"b\\\\c", NULL },
                { STR("\" level=\"x"), "\\\" level=\\\"x", NULL },
                { STR("\n\r\t"), "\\n\\r\\t", NULL },
                { STR("a\0b"), "a\\x00b", "a\\u0000b" },
                { STR("\x1b[31m\x7f"), "\\x1b[31m\\x7f", "\\u001b[31m\\u007f" },
                { STR("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa6"),
                  "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa6", NULL },
                { STR("\xff\x80"), "\\xff\\x80", "\\u00ff\\u0080" },
                { STR("\xe2\x82"), "\\xe2\\x82", "\\u00e2\\u0082" },            /* cut short */
                { STR("\xe2\x82z"), "\\xe2\\x82z", "\\u00e2\\u0082z" },
                { STR("\xc0\xaf"), "\\xc0\\xaf", "\\u00c0\\u00af" },            /* overlong */
                { STR("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", "\\u00e0\\u0080\\u00af" },
                { STR("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf",
                  "\\u00f0\\u008f\\u00bf\\u00bf" },
                { STR("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080" }, /* surrogate */
                { STR("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80",
                  "\\u00f4\\u0090\\u0080\\u0080" },                             /* above 10ffff */
                { STR("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80",
                  "\\u00f8\\u0088\\u0080\\u0080\\u0080" },
                { STR("\xc2\x85"), "\\u0085", NULL },           /* a control: next line */
                { STR("\xe2\x80\xa8"), "\\u2028", NULL },       /* line separator */
                { STR("\xe2\x80\xae"), "\\u202e", NULL },       /* right to left from here */
                { STR("\xef\xbb\xbf"), "\\ufeff", NULL },
                { STR("\xe2\x80\x8b"), "\\u200b", NULL },       /* no width */
        };
        const struct row *row;

        EACH(rows, row) {
                struct log_field field = F_STR("v", row->value);
                char             wanted[256];

                snprintf(wanted, sizeof wanted, TEXT_HEAD " v=\"%s\"", row->text);
                EXPECT(str_eq(line_of(LOG_FORMAT_TEXT, &field, 1), str_of(wanted)),
                       "row %td: %.*s", row - rows, (int)line.len, line.bytes);
                snprintf(wanted, sizeof wanted, JSON_HEAD ",\"v\":\"%s\"}",
                         row->json != NULL ? row->json : row->text);
                EXPECT(str_eq(line_of(LOG_FORMAT_JSON, &field, 1), str_of(wanted)),
                       "row %td: %.*s", row - rows, (int)line.len, line.bytes);
        }
}

TEST(numbers_and_several_fields)
{
        struct log_field fields[] = { F_U64("most", UINT64_MAX), F_I64("least", INT64_MIN),
                                      F_TEXT("t", NULL), F_U64("n", 0) };

        EXPECT(str_eq(line_of(LOG_FORMAT_TEXT, fields, 4),
                      STR(TEXT_HEAD " most=18446744073709551615 least=-9223372036854775808"
                                    " t=\"\" n=0")));
        EXPECT(str_eq(line_of(LOG_FORMAT_JSON, fields, 4),
                      STR(JSON_HEAD ",\"most\":18446744073709551615"
                                    ",\"least\":-9223372036854775808,\"t\":\"\",\"n\":0}")));
        EXPECT(str_eq(line_of(LOG_FORMAT_TEXT, NULL, 0), STR(TEXT_HEAD)));
        EXPECT(str_eq(line_of(LOG_FORMAT_JSON, NULL, 0), STR(JSON_HEAD "}")));
}

TEST(levels_have_names)
{
        static const char *const names[] = { "debug", "info", "warning", "error" };

        for (unsigned level = 0; level < 4; level++) {
                char wanted[64];

                snprintf(wanted, sizeof wanted, "2026-11-23T08:15:04.123Z %s a.b\n", names[level]);
                log_line_format(&line, LOG_FORMAT_TEXT,
                                &(struct log_entry){ WHEN, level, "a.b", NULL, 0 });
                EXPECT(str_eq(str_from(line.bytes, line.len), str_of(wanted)));
        }
}

TEST(long_values_are_cut)
{
        static char      bytes[LOG_VALUE_BYTES_MAX + 1];
        struct log_field field = F_STR("v", str_from(bytes, LOG_VALUE_BYTES_MAX));
        size_t           whole;

        memset(bytes, 'a', sizeof bytes);
        whole = line_of(LOG_FORMAT_TEXT, &field, 1).len;
        EXPECT_EQ(whole, strlen(TEXT_HEAD " v=\"\"") + LOG_VALUE_BYTES_MAX);

        field.str.len++;
        EXPECT_EQ(line_of(LOG_FORMAT_TEXT, &field, 1).len, whole + 3);
        EXPECT(memcmp(line.bytes + line.len - 6, "a...\"\n", 6) == 0);
}

/* As many fields of the dearest bytes as one likes: a whole line all the same. */
TEST(what_finds_no_room_is_left_out)
{
        static char      bytes[LOG_VALUE_BYTES_MAX];
        struct log_field fields[40];

        memset(bytes, 1, sizeof bytes);
        for (unsigned i = 0; i < 40; i++)
                fields[i] = F_STR("value", str_from(bytes, sizeof bytes));
        for (size_t len = 0; len <= sizeof bytes; len++) {
                for (unsigned i = 0; i < 40; i++)
                        fields[i].str.len = len;

                struct str text = line_of(LOG_FORMAT_TEXT, fields, 40);
                struct str end  = STR(" truncated=true");
                bool       cut  = str_eq(str_skip(text, text.len - end.len), end);

                /* In text one of these bytes takes four. */
                EXPECT_EQ(cut, strlen(TEXT_HEAD) + 40 * (9 + 4 * len) > LOG_LINE_BYTES_MAX - 32);

                struct str json = line_of(LOG_FORMAT_JSON, fields, 40);

                end = STR("\",\"truncated\":true}");
                cut = str_eq(str_skip(json, json.len - end.len), end);
                EXPECT_EQ(cut, strlen(JSON_HEAD) + 40 * (11 + 6 * len) > LOG_LINE_BYTES_MAX - 32);
                EXPECT(json.ptr[json.len - 1] == '}');
        }
}

/* The characters of a quoted value between the quotes: all shown, and no quote among them. */
static void expect_shown(struct str quoted)
{
        EXPECT(quoted.len >= 2 && quoted.ptr[0] == '"' && quoted.ptr[quoted.len - 1] == '"');
        for (size_t i = 1; i < quoted.len - 1; i++) {
                EXPECT((uint8_t)quoted.ptr[i] >= 0x20 && quoted.ptr[i] != 0x7f);
                EXPECT(quoted.ptr[i] != '"');
                i += quoted.ptr[i] == '\\';
        }
}

TEST(random_bytes_stay_inside_their_quotes)
{
        struct random random;

        random_init(&random, 9);
        for (unsigned round = 0; round < 20000; round++) {
                char             bytes[24];
                struct log_field field = F_STR("v", str_from(bytes, random_below(&random, 25)));

                for (size_t i = 0; i < field.str.len; i++) {
                        static const char often[] = "\"\\\n\xe2\x80\xa8\xf0 =";

                        bytes[i] = random_below(&random, 2)
                                           ? often[random_below(&random, sizeof often)]
                                           : (char)random_u64(&random);
                }
                expect_shown(str_skip(line_of(LOG_FORMAT_TEXT, &field, 1),
                                      strlen(TEXT_HEAD " v=")));

                struct str json = line_of(LOG_FORMAT_JSON, &field, 1);

                json.len--;
                expect_shown(str_skip(json, strlen(JSON_HEAD ",\"v\":")));
        }
}

SUITE(log_line, CASE(values_are_escaped), CASE(numbers_and_several_fields), CASE(levels_have_names),
      CASE(long_values_are_cut), CASE(what_finds_no_room_is_left_out),
      CASE(random_bytes_stay_inside_their_quotes))
