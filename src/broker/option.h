/* The options: what each is called, what it takes, where it lives in struct config. One table,
 * option.tbl.h, feeds the parser, the help, the reference page and the difference of two
 * configurations. */
#ifndef LINNET_BROKER_OPTION_H
#define LINNET_BROKER_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/str.h"

struct config;

enum option_kind {
        OPTION_NUMBER, OPTION_BYTES, OPTION_SECONDS, OPTION_MILLIS, OPTION_PERCENT,
        OPTION_OCTAL, OPTION_SWITCH, OPTION_WORD,
        OPTION_WORDS,                           /* some of `words`, as bits by their place */
        OPTION_RATE, OPTION_BYTE_RATE,          /* struct rate */
        OPTION_TEXT,
        OPTION_SECRET,                          /* a text that is never shown */
        OPTION_SECTION                          /* no option: a heading, its text in `help` */
};

enum option_applied { OPTION_FIXED, OPTION_RELOAD };    /* `reloadable`, as a row says it */

enum { OPTION_WHY_SIZE = 512, OPTION_VALUE_SIZE = 1032 };

struct option {
        const char        *key;                 /* NULL for a heading */
        enum option_kind   kind;
        size_t             offset, size;        /* of the field in its struct */
        uint64_t           min, max;            /* in the field's unit; a text: min bytes */
        const char *const *words;               /* of a WORD, NULL at the end; by value */
        bool               reloadable;
        const char        *help;
};

extern const struct option option_rows[];
extern const char *const   option_durabilities[];       /* by enum durability */
extern const size_t        option_count;

const struct option *option_find(struct str key);       /* NULL when there is none */

/* The key most like this one, or NULL when none is near. Listeners' keys are not looked at. */
const char *option_nearest(struct str key);

/* Letters to change to make one key of the other. */
unsigned option_distance(struct str a, struct str b);

/* Puts the value into the option's field of *base. False leaves it, and `why` says what is
 * wrong. */
bool option_parse(const struct option *option, struct str value, void *base,
                  char why[static OPTION_WHY_SIZE]);

/* As option_parse() takes it, in the largest unit that is exact: "64KB", "5m", "on". */
void option_format(const struct option *option, const void *base,
                   char to[static OPTION_VALUE_SIZE]);

bool option_same(const struct option *option, const void *a, const void *b);

void options_help(FILE *out);                   /* for --help: a line each */
void options_reference(FILE *out);              /* doc/configuration.md */

#endif
