/* A borrowed run of bytes.
 *
 * Everything that travels through the broker by reference is a `struct str`, passed by value: not
 * owned by whoever holds it, not NUL-terminated. A view lives as long as the bytes it shows; the
 * function that hands one out says how long that is.
 */
#ifndef LINNET_BASE_STR_H
#define LINNET_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
        const char *ptr;
        size_t      len;
};

/* A view of a string literal, and the two words that printf's "%.*s" wants. */
#define STR(literal)  ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_ARGS(str) (int)(str).len, (str).ptr ? (str).ptr : ""

static inline struct str str_of(const char *text)
{
        return (struct str){ text, text != NULL ? strlen(text) : 0 };
}

static inline struct str str_from(const void *bytes, size_t len)
{
        return (struct str){ (const char *)bytes, len };
}

static inline bool str_eq(struct str a, struct str b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
        return s.len >= prefix.len &&
               (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* What is left of `s` without its first `count` bytes; count must not exceed the length. */
static inline struct str str_skip(struct str s, size_t count)
{
        return (struct str){ s.ptr != NULL ? s.ptr + count : NULL, s.len - count };
}

/* Less than, equal to, or greater than zero, as memcmp says; a prefix sorts first. */
int str_compare(struct str a, struct str b);

/* Cuts the part before the first `at` off *rest; the whole of it, and an empty rest with a NULL
 * pointer, where there is none. False once nothing is left: "a//b" has three parts. */
bool str_cut(struct str *rest, char at, struct str *part);

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);

/* The same as str_cut() at commas, the part trimmed: "a, b ,c". */
bool str_list_cut(struct str *rest, struct str *part);

/* Whether each part is good; there is one at least, empty or not. */
bool str_list_all(struct str list, bool (*good)(struct str part));

/* Whether they are the same but for the case of letters (of ASCII). */
bool str_same_word(struct str a, struct str b);

#endif
