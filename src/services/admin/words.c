#include "services/admin/words.h"

static const char no_end[] = "a quote has no end";
static const char no_escape[] = "after \\ comes \\, \" or xHH";

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\r';
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What the bytes behind a backslash mean; how many they are, 0: nothing. */
static size_t read_escape(const char *from, size_t len, char *out)
{
        if (len >= 1 && (from[0] == '"' || from[0] == '\\')) {
                *out = from[0];
                return 1;
        }
        if (len < 3 || from[0] != 'x' || hex_digit(from[1]) < 0 || hex_digit(from[2]) < 0)
                return 0;
        *out = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
        return 3;
}

/* From behind the first quote at *at to behind the last; what was escaped only becomes shorter. */
static const char *read_quoted(char *line, size_t len, size_t *at, struct str *word)
{
        size_t start = *at, to = *at;

        while (*at < len && line[*at] != '"') {
                size_t taken;

                if (line[*at] != '\\') {
                        line[to++] = line[(*at)++];
                        continue;
                }
                taken = read_escape(line + *at + 1, len - *at - 1, &line[to]);
                if (taken == 0)
                        return no_escape;
                to++;
                *at += taken + 1;
        }
        if (*at == len)
                return no_end;
        ++*at;
        *word = str_from(line + start, to - start);
        return *at < len && !is_space(line[*at]) ? "a space is wanted behind a quote" : NULL;
}

static const char *read_plain(const char *line, size_t len, size_t *at, struct str *word)
{
        size_t start = *at;

        while (*at < len && !is_space(line[*at])) {
                unsigned char c = (unsigned char)line[*at];

                if (c == '"' || c < ' ' || c == 0x7f)
                        return "a word with a quote or a control character in it stands in quotes";
                ++*at;
        }
        *word = str_from(line + start, *at - start);
        return NULL;
}

const char *words_read(char *line, size_t len, struct words *out)
{
        size_t at = 0;

        for (out->count = 0;; out->count++) {
                const char *wrong;
                struct str *word = &out->at[out->count];

                while (at < len && is_space(line[at]))
                        at++;
                if (at == len)
                        return NULL;
                if (out->count == WORDS_MAX)
                        return "too many words";
                if (line[at] == '"') {
                        at++;
                        wrong = read_quoted(line, len, &at, word);
                } else {
                        wrong = read_plain(line, len, &at, word);
                }
                if (wrong != NULL)
                        return wrong;
        }
}

static bool is_plain(struct str word)
{
        for (size_t i = 0; i < word.len; i++) {
                unsigned char c = (unsigned char)word.ptr[i];

                if (c <= ' ' || c == '"' || c == 0x7f)
                        return false;
        }
        return word.len > 0;
}

bool words_write(struct buffer *line, struct str word)
{
        bool good = buffer_len(line) == 0 || buffer_append(line, STR(" "));

        if (is_plain(word))
                return good && buffer_append(line, word);
        good = good && buffer_append(line, STR("\""));
        for (size_t i = 0; i < word.len && good; i++) {
                unsigned char c = (unsigned char)word.ptr[i];

                if (c == '"' || c == '\\')
                        good = buffer_printf(line, "\\%c", c);
                else if (c < ' ' || c == 0x7f)
                        good = buffer_printf(line, "\\x%02x", c);
                else
                        good = buffer_append(line, str_from(&word.ptr[i], 1));
        }
        return good && buffer_append(line, STR("\""));
}
