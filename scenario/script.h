/* A line of a scenario: words, and words of the form key=value. */
#ifndef LINNET_SCENARIO_SCRIPT_H
#define LINNET_SCENARIO_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_BYTES_MAX = 4096, LINE_WORDS_MAX = 64 };

struct words {
        unsigned    count;
        const char *word[LINE_WORDS_MAX];
};

struct line {
        char         text[LINE_BYTES_MAX];      /* cut into words */
        struct words does;                      /* before "->" */
        struct words expects;                   /* behind it; empty: nothing is expected */
};

/* False when it has too many words or is too long. Empty for a blank or a comment. */
bool line_parse(struct line *line, const char *text);

/* The nth value of that key; NULL when there is none. */
const char *words_value(const struct words *words, const char *key, unsigned nth);
unsigned    words_number(const struct words *words, const char *key, unsigned otherwise);

#endif
