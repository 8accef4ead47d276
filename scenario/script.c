#include "script.h"

#include <stdlib.h>
#include <string.h>

/* Takes quotes away, so that a value may hold blanks: payload="hello you". */
static char *cut_word(char **rest)
{
        char *from = *rest + strspn(*rest, " \t\r\n");
        char *to   = from;
        char *word = from;
        bool  quoted = false;

        if (*from == '\0' || *from == '#')
                return NULL;
        for (; *from != '\0' && (quoted || strchr(" \t\r\n", *from) == NULL); from++) {
                if (*from == '"')
                        quoted = !quoted;
                else
                        *to++ = *from;
        }
        *rest = from + (*from != '\0');
        *to   = '\0';
        return word;
}

bool line_parse(struct line *line, const char *text)
{
        char         *rest = line->text;
        struct words *to   = &line->does;
        char         *word;

        memset(line, 0, sizeof *line);
        if (strlen(text) >= sizeof line->text)
                return false;
        memcpy(line->text, text, strlen(text) + 1);
        while ((word = cut_word(&rest)) != NULL) {
                if (strcmp(word, "->") == 0) {
                        to = &line->expects;
                        continue;
                }
                if (to->count == LINE_WORDS_MAX)
                        return false;
                to->word[to->count++] = word;
        }
        return true;
}

const char *words_value(const struct words *words, const char *key, unsigned nth)
{
        size_t len = strlen(key);

        for (unsigned i = 0; i < words->count; i++) {
                const char *word = words->word[i];

                if (strncmp(word, key, len) == 0 && word[len] == '=' && nth-- == 0)
                        return word + len + 1;
        }
        return NULL;
}

unsigned words_number(const struct words *words, const char *key, unsigned otherwise)
{
        const char *value = words_value(words, key, 0);

        return value != NULL ? (unsigned)strtoul(value, NULL, 0) : otherwise;
}
