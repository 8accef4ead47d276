#include "services/admin/words.h"
#include "unit.h"

TEST(a_line_becomes_words)
{
        static const struct row {
                const char *line;
                const char *words[4];
        } rows[] = {
                { "status", { "status" } },
                { "  bans \t add  x\r", { "bans", "add", "x" } },
                { "", { NULL } },
                { "   ", { NULL } },
                { "\"\" a", { "", "a" } },
                { "\"a b\" \"\\\"\\\\\"", { "a b", "\"\\" } },
                { "\"\\x41\\x7a\"", { "Az" } },
                { "a\\b", { "a\\b" } },
        };
        const struct row *row;

        EACH(rows, row) {
                char         line[64];
                struct words words;
                unsigned     count = 0;

                snprintf(line, sizeof line, "%s", row->line);
                EXPECT(words_read(line, strlen(line), &words) == NULL, "%s", row->line);
                while (count < 4 && row->words[count] != NULL)
                        count++;
                EXPECT_EQ(words.count, count);
                for (unsigned i = 0; i < count; i++)
                        EXPECT(str_eq(words.at[i], str_of(row->words[i])), "%s: %.*s", row->line,
                               STR_ARGS(words.at[i]));
        }
}

TEST(what_is_no_request_is_refused)
{
        static const char *const rows[] = {
                "\"", "\"a", "a \"b\\\"", "\"\\n\"", "\"\\x4\"", "\"\\x4g\"", "\"\\", "\"a\"b",
                "a\"b", "a\001b", "a\x7f",
        };
        const char *const *row;

        EACH(rows, row) {
                char         line[64];
                struct words words;

                snprintf(line, sizeof line, "%s", *row);
                EXPECT(words_read(line, strlen(line), &words) != NULL, "%s", *row);
        }
}

TEST(words_are_bounded)
{
        char         line[2 * WORDS_MAX + 2];
        struct words words;

        for (size_t i = 0; i < sizeof line; i++)
                line[i] = i % 2 == 0 ? 'a' : ' ';
        EXPECT(words_read(line, 2 * WORDS_MAX, &words) == NULL);
        EXPECT_EQ(words.count, WORDS_MAX);
        EXPECT(words_read(line, sizeof line, &words) != NULL);
}

TEST(what_is_written_is_read)
{
        const struct str given[] = { STR("bans"), STR(""), STR("a b"), STR("\"\\\n\x7f"),
                                     STR("\xc3\xa4\xff"), STR("back\\slash"), STR("\0x") };
        struct buffer    line    = { 0 };
        struct words     words;

        for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
                EXPECT(words_write(&line, given[i]));
        EXPECT(memchr(buffer_str(&line).ptr, '\n', buffer_len(&line)) == NULL);
        EXPECT(words_read(line.bytes, line.len, &words) == NULL);
        EXPECT_EQ(words.count, sizeof given / sizeof given[0]);
        for (unsigned i = 0; i < words.count; i++)
                EXPECT(str_eq(words.at[i], given[i]), "%u: %.*s", i, STR_ARGS(words.at[i]));
        buffer_deinit(&line);
}

SUITE(words, CASE(a_line_becomes_words), CASE(what_is_no_request_is_refused),
      CASE(words_are_bounded), CASE(what_is_written_is_read))
