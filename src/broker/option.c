#include "broker/option.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/bucket.h"
#include "base/limits.h"
#include "broker/config.h"

enum { KEY_MAX = 64 };

static const char *const option_log_levels[]   = { "debug", "info", "warning", "error", NULL };
static const char *const option_log_formats[]  = { "text", "json", NULL };
static const char *const option_mqueue_drops[] = { "oldest", "newest", "qos0_first", NULL };
static const char *const option_strategies[]   = {
        "random", "round_robin", "sticky", "local", "hash_clientid", "hash_topic", NULL
};
static const char *const option_token_places[]   = { "password", "username", NULL };
static const char *const option_http_methods[]   = { "post", "get", NULL };
static const char *const option_http_bodies[]    = { "form", "json", NULL };
static const char *const option_http_on_errors[] = { "deny", "ignore", NULL };
static const char *const option_clientid_rules[] = { "any", "username", "username_prefix", NULL };

static const char *const option_acl_formats[]  = { "auto", "emqttd", "mosquitto", NULL };
static const char *const option_nomatch[]      = { "deny", "allow", NULL };
static const char *const option_deny_actions[] = { "ignore", "disconnect", NULL };
static const char *const option_revokes[]      = { "silent", "disconnect", NULL };

/* Listeners have it, too. */
const char *const option_durabilities[] = { "memory", "relaxed", "strict", NULL };

#define FIELD(field) offsetof(struct config, field), sizeof(((struct config *)NULL)->field)
#define SECTION(title) { .kind = OPTION_SECTION, .help = (title) },
#define OPTION(key, kind, field, min, max, when, help)                                             \
        { (key), OPTION_##kind, FIELD(field), (min), (max), NULL, OPTION_##when, (help) },
#define OPTION_ENUM(key, field, words, when, help)                                                 \
        { (key), OPTION_WORD, FIELD(field), 0, 0, (words), OPTION_##when, (help) },

const struct option option_rows[] = {
#include "broker/option.tbl.h"
};

const size_t option_count = sizeof(option_rows) / sizeof(option_rows[0]);

struct unit {
        const char *name;
        uint64_t    factor;
};

/* The largest first: option_format() takes the first that divides. */
static const struct unit byte_units[] = {
        { "GB", 1073741824 }, { "MB", 1048576 }, { "KB", 1024 }, { "B", 1 }, { NULL, 0 }
};
static const struct unit count_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit time_units[] = {
        { "w", 604800000 }, { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
        { "s", 1000 },      { "ms", 1 },       { NULL, 0 }
};

static bool     parse_amount(const struct option *option, struct str value, uint64_t *amount);
static bool     parse_units(const struct unit *units, struct str value, uint64_t *sum);
static bool     parse_digits(struct str *rest, uint64_t *number);
static bool     parse_octal(struct str value, uint64_t *amount);
static bool     parse_switch(struct str value, uint64_t *amount);
static bool     parse_word(const char *const *words, struct str value, uint64_t *amount);
static bool     parse_words(const char *const *words, struct str value, uint64_t *amount);
static bool     parse_rate(const struct unit *units, struct str value, uint64_t *amount);
static bool     parse_text(const struct option *option, struct str value, char *field, char *why);
static void     expected(const struct option *option, char *to, size_t size);
static uint64_t field_get(const struct option *option, const void *base);
static void     field_set(const struct option *option, void *base, uint64_t amount);
static void     format_amount(const struct option *option, uint64_t amount, char *to, size_t size);

static bool is_text(const struct option *option)
{
        return option->kind == OPTION_TEXT || option->kind == OPTION_SECRET;
}

const struct option *option_find(struct str key)
{
        for (size_t i = 0; i < option_count; i++) {
                if (option_rows[i].key != NULL && str_eq(str_of(option_rows[i].key), key))
                        return &option_rows[i];
        }
        return NULL;
}

const char *option_nearest(struct str key)
{
        const char *nearest = NULL;
        unsigned    least   = (unsigned)(key.len / 3) + 1;      /* a third may be wrong */

        for (size_t i = 0; i < option_count; i++) {
                unsigned apart;

                if (option_rows[i].key == NULL)
                        continue;
                apart = option_distance(key, str_of(option_rows[i].key));
                if (apart < least) {
                        least   = apart;
                        nearest = option_rows[i].key;
                }
        }
        return nearest;
}

bool option_parse(const struct option *option, struct str value, void *base,
                  char why[static OPTION_WHY_SIZE])
{
        uint64_t amount = 0;
        char     least[32], most[32], wanted[256];
        bool     bounded = option->kind <= OPTION_OCTAL;

        if (is_text(option))
                return parse_text(option, value, (char *)base + option->offset, why);
        if (!parse_amount(option, value, &amount)) {
                expected(option, wanted, sizeof(wanted));
                snprintf(why, OPTION_WHY_SIZE, "\"%.*s\" is not %s",
                         (int)(value.len < 100 ? value.len : 100), value.ptr ? value.ptr : "",
                         wanted);
                return false;
        }
        if (option->kind == OPTION_SECONDS) {
                if (amount % 1000 != 0) {
                        snprintf(why, OPTION_WHY_SIZE, "%.*s is not a whole number of seconds",
                                 (int)(value.len < 100 ? value.len : 100), value.ptr);
                        return false;
                }
                amount /= 1000;
        }
        if (bounded && (amount < option->min || amount > option->max)) {
                format_amount(option, option->min, least, sizeof(least));
                format_amount(option, option->max, most, sizeof(most));
                snprintf(why, OPTION_WHY_SIZE, "%.*s is not from %s to %s",
                         (int)(value.len < 100 ? value.len : 100), value.ptr, least, most);
                return false;
        }
        field_set(option, base, amount);
        return true;
}

void option_format(const struct option *option, const void *base, char to[static OPTION_VALUE_SIZE])
{
        const char *text = (const char *)base + option->offset;

        if (option->kind == OPTION_SECRET && *text != '\0')
                snprintf(to, OPTION_VALUE_SIZE, "(secret)");
        else if (is_text(option))
                snprintf(to, OPTION_VALUE_SIZE, "\"%s\"", text);
        else
                format_amount(option, field_get(option, base), to, OPTION_VALUE_SIZE);
}

bool option_same(const struct option *option, const void *a, const void *b)
{
        if (is_text(option))
                return strcmp((const char *)a + option->offset, (const char *)b + option->offset)
                       == 0;
        return field_get(option, a) == field_get(option, b);
}

/* The units that stand in the value; of SECONDS the amount is in milliseconds all the same. */
static bool parse_amount(const struct option *option, struct str value, uint64_t *amount)
{
        switch (option->kind) {
        case OPTION_NUMBER:
                return parse_digits(&value, amount) && value.len == 0;
        case OPTION_BYTES:
                return parse_units(byte_units, value, amount) ||
                       (parse_digits(&value, amount) && value.len == 0);
        case OPTION_SECONDS:
        case OPTION_MILLIS:
                return str_eq(value, STR("0")) || parse_units(time_units, value, amount);
        case OPTION_PERCENT:
                return parse_digits(&value, amount) && str_eq(value, STR("%"));
        case OPTION_OCTAL:
                return parse_octal(value, amount);
        case OPTION_SWITCH:
                return parse_switch(value, amount);
        case OPTION_WORD:
                return parse_word(option->words, value, amount);
        case OPTION_WORDS:
                return parse_words(option->words, value, amount);
        case OPTION_RATE:
                return parse_rate(count_units, value, amount);
        case OPTION_BYTE_RATE:
                return parse_rate(byte_units, value, amount);
        case OPTION_TEXT:
        case OPTION_SECRET:
        case OPTION_SECTION:
                break;
        }
        assert(false); /* texts and sections have no amount */
        return false;
}

/* "1h30m": numbers with units, added up. */
static bool parse_units(const struct unit *units, struct str value, uint64_t *sum)
{
        *sum = 0;
        if (value.len == 0)
                return false;
        while (value.len > 0) {
                const struct unit *unit;
                uint64_t           number, product;
                size_t             letters = 0;

                if (!parse_digits(&value, &number))
                        return false;
                while (letters < value.len && isalpha((unsigned char)value.ptr[letters]))
                        letters++;
                for (unit = units; unit->name != NULL; unit++) {
                        if (strlen(unit->name) == letters &&
                            strncasecmp(unit->name, value.ptr, letters) == 0)
                                break;
                }
                if (unit->name == NULL || __builtin_mul_overflow(number, unit->factor, &product) ||
                    __builtin_add_overflow(*sum, product, sum))
                        return false;
                value = str_skip(value, letters);
        }
        return true;
}

static bool parse_digits(struct str *rest, uint64_t *number)
{
        size_t count = 0;

        *number = 0;
        while (count < rest->len && isdigit((unsigned char)rest->ptr[count])) {
                unsigned digit = (unsigned)(rest->ptr[count] - '0');

                if (__builtin_mul_overflow(*number, 10, number) ||
                    __builtin_add_overflow(*number, digit, number))
                        return false;
                count++;
        }
        *rest = str_skip(*rest, count);
        return count > 0;
}

/* "0660", or without the 0 in front; at most four digits of a mode. */
static bool parse_octal(struct str value, uint64_t *amount)
{
        *amount = 0;
        for (size_t i = 0; i < value.len; i++) {
                if (value.ptr[i] < '0' || value.ptr[i] > '7')
                        return false;
                *amount = *amount * 8 + (uint64_t)(value.ptr[i] - '0');
        }
        return value.len > 0 && value.len <= 4;
}

/* "BURST,RATE", or the rate alone, which is its burst then. A struct rate fills the amount. */
static bool parse_rate(const struct unit *units, struct str value, uint64_t *amount)
{
        struct str  first;
        bool        both = str_cut(&value, ',', &first) && value.ptr != NULL;
        uint64_t    burst, per_second;
        struct rate rate;

        static_assert(sizeof rate == sizeof *amount, "a rate is an amount");
        if (!parse_units(units, first, &burst) && !parse_units(count_units, first, &burst))
                return false;
        per_second = burst;
        if (both && !parse_units(units, value, &per_second) &&
            !parse_units(count_units, value, &per_second))
                return false;
        if (burst > UINT32_MAX || per_second > UINT32_MAX || (burst == 0) != (per_second == 0))
                return false;
        rate = (struct rate){ .per_second = (uint32_t)per_second, .burst = (uint32_t)burst };
        memcpy(amount, &rate, sizeof rate);
        return true;
}

static bool parse_switch(struct str value, uint64_t *amount)
{
        *amount = str_eq(value, STR("on")) || str_eq(value, STR("true"));
        return *amount == 1 || str_eq(value, STR("off")) || str_eq(value, STR("false"));
}

static bool parse_word(const char *const *words, struct str value, uint64_t *amount)
{
        for (*amount = 0; words[*amount] != NULL; (*amount)++) {
                if (str_eq(value, str_of(words[*amount])))
                        return true;
        }
        return false;
}

/* "3.1.1,5": at least one. */
static bool parse_words(const char *const *words, struct str value, uint64_t *amount)
{
        struct str word;
        uint64_t   at;

        *amount = 0;
        while (str_cut(&value, ',', &word)) {
                if (!parse_word(words, word, &at))
                        return false;
                *amount |= (uint64_t)1 << at;
        }
        return *amount != 0;
}

static bool parse_text(const struct option *option, struct str value, char *field, char *why)
{
        if (value.len >= option->size) {
                snprintf(why, OPTION_WHY_SIZE, "a text of %zu bytes, at most %zu", value.len,
                         option->size - 1);
                return false;
        }
        if (value.len < option->min || (value.len > 0 && memchr(value.ptr, 0, value.len) != NULL)) {
                snprintf(why, OPTION_WHY_SIZE, "%s",
                         value.len < option->min ? "it must not be empty" : "it holds a NUL");
                return false;
        }
        memset(field, 0, option->size);
        if (value.len > 0)
                memcpy(field, value.ptr, value.len);
        return true;
}

static void expected(const struct option *option, char *to, size_t size)
{
        static const char *const wanted[] = {
                [OPTION_NUMBER]  = "a number",
                [OPTION_BYTES]   = "a size, such as 4096, 64KB or 1MB",
                [OPTION_SECONDS] = "a duration, such as 30s, 2h or 1d",
                [OPTION_MILLIS]  = "a duration, such as 500ms, 30s or 2h",
                [OPTION_PERCENT] = "a percentage, such as 20%",
                [OPTION_OCTAL]   = "a file's mode, such as 0660",
                [OPTION_SWITCH]  = "on or off",
                [OPTION_RATE]    = "RATE or BURST,RATE a second, such as 100 or 500,100",
                [OPTION_BYTE_RATE] = "RATE or BURST,RATE a second, such as 10KB or 100KB,10KB",
        };
        size_t used;

        if (option->kind != OPTION_WORD && option->kind != OPTION_WORDS) {
                snprintf(to, size, "%s", wanted[option->kind]);
                return;
        }
        used = (size_t)snprintf(to, size, "%s of %s",
                                option->kind == OPTION_WORD ? "one" : "some, with commas,",
                                option->words[0]);
        for (size_t i = 1; option->words[i] != NULL && used < size; i++)
                used += (size_t)snprintf(to + used, size - used, ", %s", option->words[i]);
}

static uint64_t field_get(const struct option *option, const void *base)
{
        const char *field = (const char *)base + option->offset;
        uint32_t    four;
        uint64_t    eight;

        switch (option->size) {
        case sizeof(bool):
                return *(const bool *)field;
        case sizeof(four):
                memcpy(&four, field, sizeof(four));
                return four;
        default:
                assert(option->size == sizeof(eight));
                memcpy(&eight, field, sizeof(eight));
                return eight;
        }
}

static void field_set(const struct option *option, void *base, uint64_t amount)
{
        char    *field = (char *)base + option->offset;
        uint32_t four  = (uint32_t)amount;

        switch (option->size) {
        case sizeof(bool):
                *(bool *)field = amount != 0;
                break;
        case sizeof(four):
                memcpy(field, &four, sizeof(four));
                break;
        default:
                assert(option->size == sizeof(amount));
                memcpy(field, &amount, sizeof(amount));
        }
}

static void format_words(const char *const *words, uint64_t amount, char *to, size_t size)
{
        size_t used = 0;

        to[0] = '\0';
        for (unsigned i = 0; words[i] != NULL && used < size; i++) {
                if (amount & (uint64_t)1 << i)
                        used += (size_t)snprintf(to + used, size - used, "%s%s",
                                                 used > 0 ? "," : "", words[i]);
        }
}

static void format_units(const struct unit *units, uint64_t amount, char *to, size_t size)
{
        while (amount % units->factor != 0)
                units++;
        snprintf(to, size, "%" PRIu64 "%s", amount / units->factor, units->name);
}

static void format_rate(const struct unit *units, uint64_t amount, char *to, size_t size)
{
        struct rate rate;
        char        burst[32], per_second[32];

        memcpy(&rate, &amount, sizeof rate);
        format_units(units, rate.burst, burst, sizeof burst);
        format_units(units, rate.per_second, per_second, sizeof per_second);
        snprintf(to, size, "%s,%s", burst, per_second);
}

static void format_amount(const struct option *option, uint64_t amount, char *to, size_t size)
{
        const struct unit *unit = option->kind == OPTION_BYTES ? byte_units : time_units;

        if (option->kind == OPTION_SWITCH) {
                snprintf(to, size, "%s", amount != 0 ? "on" : "off");
        } else if (option->kind == OPTION_WORD) {
                snprintf(to, size, "%s", option->words[amount]);
        } else if (option->kind == OPTION_WORDS) {
                format_words(option->words, amount, to, size);
        } else if (option->kind == OPTION_OCTAL) {
                snprintf(to, size, "%04" PRIo64, amount);
        } else if (option->kind == OPTION_NUMBER || amount == 0) {
                snprintf(to, size, "%" PRIu64 "%s", amount,
                         option->kind == OPTION_PERCENT ? "%" : "");
        } else if (option->kind == OPTION_PERCENT) {
                snprintf(to, size, "%" PRIu64 "%%", amount);
        } else if (option->kind == OPTION_RATE || option->kind == OPTION_BYTE_RATE) {
                format_rate(option->kind == OPTION_RATE ? count_units : byte_units, amount, to,
                            size);
        } else {
                format_units(unit, option->kind == OPTION_SECONDS ? amount * 1000 : amount, to,
                             size);
        }
}

/* Levenshtein's, in one row; whatever is longer than any key is far from all of them. */
unsigned option_distance(struct str a, struct str b)
{
        unsigned row[KEY_MAX + 1];

        if (a.len > KEY_MAX || b.len > KEY_MAX)
                return KEY_MAX;
        for (unsigned j = 0; j <= b.len; j++)
                row[j] = j;
        for (unsigned i = 1; i <= a.len; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= b.len; j++) {
                        unsigned above = row[j];
                        unsigned least = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

                        if (above + 1 < least)
                                least = above + 1;
                        if (row[j - 1] + 1 < least)
                                least = row[j - 1] + 1;
                        row[j]   = least;
                        diagonal = above;
                }
        }
        return row[b.len];
}
